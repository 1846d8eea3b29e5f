package sim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/proofload/proofload/sut"
)

// The nodes beside the databases.
const (
	nodeService = "api-1"
	nodeWorker  = "worker-1"
)

// Kill implements [sut.Killer]. If the primary dies, the replica that has most
// takes over after the failover time.
func (s *Sim) Kill(_ context.Context, node string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.notify()
	switch node {
	case nodeService:
		s.service, s.stuck = sut.Down, false
		return nil
	case nodeWorker:
		s.worker = sut.Down
		s.waiting, s.unconfirmed = append(s.waiting, s.unconfirmed...), nil // which are delivered again
		return nil
	}
	i, err := s.index(node)
	if err != nil {
		return err
	}
	s.nodes[i].down = true
	if s.frozen == i {
		s.frozen = -1
	}
	if s.rogue == i {
		s.rogue = -1
	}
	if i == s.primary {
		s.primary = -1
		s.wg.Go(s.failOver)
	}
	return nil
}

// stateOf is where the state of a node that is no database is kept; nil of others.
func (s *Sim) stateOf(node string) *sut.State {
	switch node {
	case nodeService:
		return &s.service
	case nodeWorker:
		return &s.worker
	}
	return nil
}

// failOver promotes a replica after the failover time.
func (s *Sim) failOver() {
	if !s.sleep(s.cfg.Failover) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.promote()
}

// promote makes the node that has most the primary, if there is none.
func (s *Sim) promote() {
	best, timeline := -1, 0
	for i, n := range s.nodes {
		timeline = max(timeline, n.timeline)
		if !n.down && i != s.frozen && (best < 0 || len(n.order) > len(s.nodes[best].order)) {
			best = i
		}
	}
	if best < 0 || s.primary >= 0 {
		return
	}
	s.primary = best
	s.stuck = s.cfg.StuckPool
	s.nodes[best].timeline = timeline + 1
	if p := s.nodes[best]; s.cfg.Forgets && timeline > 1 && len(p.order) > 0 {
		delete(p.writes, p.order[0])
		p.order = p.order[1:]
	}
	for i, n := range s.nodes {
		if i != best && !n.down && i != s.frozen {
			n.follow(s.nodes[best])
		}
	}
	s.notify()
}

// follow makes a node a copy of the primary.
func (d *database) follow(primary *database) {
	d.timeline = primary.timeline
	d.order = slices.Clone(primary.order)
	d.writes = maps.Clone(primary.writes)
}

// Start implements [sut.Killer]. A database comes back as a replica.
func (s *Sim) Start(_ context.Context, node string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.notify()
	if state := s.stateOf(node); state != nil {
		*state = sut.Running
		return nil
	}
	i, err := s.index(node)
	if err != nil {
		return err
	}
	s.nodes[i].down = false
	s.rejoin(i)
	return nil
}

// rejoin makes a node follow the primary. Where there is none it may be promoted.
func (s *Sim) rejoin(i int) {
	switch {
	case s.primary < 0:
		s.wg.Go(s.failOver)
	case i != s.primary:
		s.nodes[i].follow(s.nodes[s.primary])
	}
}

// State implements [sut.Killer].
func (s *Sim) State(_ context.Context, node string) (sut.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state := s.stateOf(node); state != nil {
		return *state, nil
	}
	i, err := s.index(node)
	switch {
	case err != nil:
		return "", err
	case s.nodes[i].down:
		return sut.Down, nil
	case s.frozen == i:
		return sut.Paused, nil
	}
	return sut.Running, nil
}

// Pause implements [sut.Pauser], for one database at a time. If the primary
// freezes for longer than the failover time, another takes over.
func (s *Sim) Pause(_ context.Context, node string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.NoPause {
		return fmt.Errorf("pause %s: it cannot be frozen: %w", node, sut.ErrUnsupported)
	}
	if state := s.stateOf(node); state != nil {
		*state = sut.Paused
		return nil
	}
	i, err := s.index(node)
	switch {
	case err != nil:
		return err
	case s.frozen >= 0 && s.frozen != i || s.nodes[i].down:
		return fmt.Errorf("pause %s: another node is frozen, or it is down: %w", node, sut.ErrUnsupported)
	}
	s.frozen = i
	s.notify()
	if i == s.primary {
		s.wg.Go(func() { s.depose(i) })
	}
	return nil
}

// depose promotes another node if the primary is frozen still after the failover
// time.
func (s *Sim) depose(old int) {
	if !s.sleep(s.cfg.Failover) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.frozen == old && s.primary == old {
		s.primary = -1
		s.promote()
	}
}

// roguish is for how long an old primary that is not fenced takes writes before
// it notices that there is another.
const roguish = time.Second

// Resume implements [sut.Pauser]. A primary that was deposed meanwhile follows
// the new one, unless nothing fences it.
func (s *Sim) Resume(_ context.Context, node string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.notify()
	if state := s.stateOf(node); state != nil {
		*state = sut.Running
		return nil
	}
	i, err := s.index(node)
	if err != nil || s.frozen != i {
		return err
	}
	s.frozen = -1
	if s.cfg.Unfenced && s.primary >= 0 && s.nodes[i].timeline < s.nodes[s.primary].timeline {
		s.rogue = i
		s.wg.Go(func() { s.notice(i) })
		return nil
	}
	s.rejoin(i)
	return nil
}

// notice ends the time of an old primary that was not fenced.
func (s *Sim) notice(i int) {
	if !s.sleep(roguish) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rogue == i {
		s.rogue = -1
		s.rejoin(i)
		s.notify()
	}
}

// sleep waits and reports whether the simulation still lives.
func (s *Sim) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// A task is the background work of a write.
type task struct {
	id   string
	done time.Time // zero if it was never done
}

const (
	workEvery   = 20 * time.Millisecond
	confirmTime = time.Second // how long the broker takes to learn that work is done
)

// work lets the worker do what waits.
func (s *Sim) work() {
	for s.sleep(workEvery) {
		s.mu.Lock()
		s.workOff()
		s.mu.Unlock()
	}
}

func (s *Sim) workOff() {
	if s.worker != sut.Running {
		return
	}
	now := time.Now()
	s.unconfirmed = slices.DeleteFunc(s.unconfirmed, func(t task) bool { return now.Sub(t.done) > confirmTime })
	for _, t := range s.waiting {
		t.done = now
		s.unconfirmed = append(s.unconfirmed, t)
		for _, d := range s.nodes {
			if w, ok := d.writes[t.id]; ok && (w.Jobs == 0 || s.cfg.Repeats) {
				w.Jobs++
				d.writes[t.id] = w
			}
		}
	}
	s.waiting = nil
}

// Settled returns when no work waits, which takes a worker that runs.
func (s *Sim) Settled(ctx context.Context) error {
	for {
		s.mu.Lock()
		left := len(s.waiting)
		s.mu.Unlock()
		if left == 0 {
			return nil
		}
		select {
		case <-time.After(workEvery):
		case <-ctx.Done():
			return fmt.Errorf("wait for background work: %d left: %w", left, context.Cause(ctx))
		}
	}
}

// append writes into a node's books.
func (s *Sim) append(d *database, t Write) {
	t.Count = 1
	if s.cfg.Double && len(d.order)%100 == 99 {
		t.Count = 2
	}
	if queued := slices.ContainsFunc(s.waiting, func(w task) bool { return w.id == t.ID }); !s.cfg.NoJobs && !queued {
		s.waiting = append(s.waiting, task{id: t.ID})
	}
	d.order = append(d.order, t.ID)
	d.writes[t.ID] = t
	s.bytes["replication:"+d.name].in += 100
}
