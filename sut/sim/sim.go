// Package sim is a ledger in memory with a primary, two replicas and defects
// that can be switched on. It exists to test the harness itself: it answers on
// a real port of the loopback interface and can be stalled, killed and started
// like a real environment, in milliseconds and with no container.
package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/proofload/proofload/sut"
)

// A Config says how the simulated system behaves.
type Config struct {
	Sync     bool          // a write waits for a standby, as with synchronous replication
	Failover time.Duration // from the loss of the primary to a new one; 0 is 300 ms
	Latency  time.Duration // of every answer
	Double   bool          // defect: every hundredth write has its effect twice
	NoJobs   bool          // defect: background jobs never run
	Stale    bool          // defect: a read from a replica does not wait for what its reader has seen
}

// Options turns the options of a target into a configuration, or says which
// are unknown.
func Options(given map[string]string) (Config, error) {
	c := Config{Sync: true}
	var errs []error
	for name, value := range given {
		switch {
		case name == "replication" && (value == "sync" || value == "async"):
			c.Sync = value == "sync"
		case name == "defect" && value == "double":
			c.Double = true
		case name == "defect" && value == "no-jobs":
			c.NoJobs = true
		case name == "defect" && value == "stale":
			c.Stale = true
		default:
			errs = append(errs, fmt.Errorf("sim/ledger has no option %s=%s: allowed are replication=sync|async, defect=double|no-jobs|stale", name, value))
		}
	}
	return c, errors.Join(errs...)
}

// Topology is the shape of the simulated system.
func Topology() sut.Topology {
	t := sut.Topology{Name: "sim/ledger", Nodes: []sut.Node{
		{Name: "api-1", Role: sut.RoleService, Zone: "a"},
		{Name: "worker-1", Role: sut.RoleWorker, Zone: "b"},
	}}
	for i, zone := range []string{"a", "b", "c"} {
		name := fmt.Sprintf("pg-%d", i+1)
		t.Nodes = append(t.Nodes, sut.Node{Name: name, Role: sut.RoleDatabase, Zone: zone})
		t.Links = append(t.Links, sut.Link{Name: "replication:" + name, From: name, To: "*", Carries: sut.TrafficReplication})
	}
	return t
}

// A Write is one transfer or refund in a node's books.
type Write struct {
	ID       string
	From, To int64
	Amount   int64
	Currency string
	RefundOf string // the transfer that it gives back; empty of transfers
	Count    int64  // how many times its effect is there
	Jobs     int64
}

// A database is one simulated database node.
type database struct {
	name     string
	down     bool
	timeline int
	order    []string // ids as they were written
	writes   map[string]Write
}

// A Sim is a running simulation.
type Sim struct {
	cfg    Config
	server *http.Server
	addr   string
	ctx    context.Context //nolint:containedctx // the life of the simulation, which outlives the call that began it
	stop   context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	nodes   []*database
	primary int                // index into nodes, -1 while there is none
	stalled map[string][]toxic // replication links by name
	changed chan struct{}      // closed and replaced when anything above changes
	bytes   map[string]*counters
}

// counters imitate those of a link proxy.
type counters struct{ in, out int64 }

// Start starts a simulation that lives until it is closed.
func Start(ctx context.Context, cfg Config) (*Sim, error) {
	if cfg.Failover == 0 {
		cfg.Failover = 300 * time.Millisecond
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start simulation: %w", err)
	}
	s := &Sim{cfg: cfg, addr: l.Addr().String(), stalled: map[string][]toxic{}, changed: make(chan struct{}), bytes: map[string]*counters{}}
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, n := range Topology().ByRole(sut.RoleDatabase) {
		s.nodes = append(s.nodes, &database{name: n.Name, timeline: 1, writes: map[string]Write{}})
		s.bytes["replication:"+n.Name] = &counters{}
	}
	s.server = &http.Server{Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second}
	s.wg.Go(func() { _ = s.server.Serve(l) }) // returns when it is closed
	return s, nil
}

// Topology implements [sut.Environment].
func (s *Sim) Topology() sut.Topology { return Topology() }

// Endpoint implements [sut.Environment]: there is only "api".
func (s *Sim) Endpoint(name string) (string, bool) {
	return "http://" + s.addr, name == "api"
}

// Close implements [sut.Environment].
func (s *Sim) Close(context.Context) error {
	s.stop()
	err := s.server.Close()
	s.wg.Wait()
	return err
}

// Kill implements [sut.Killer]. If the primary dies, the replica that has most
// takes over after the failover time.
func (s *Sim) Kill(_ context.Context, node string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.index(node)
	if err != nil {
		return err
	}
	s.nodes[i].down = true
	s.notify()
	if i == s.primary {
		s.primary = -1
		s.wg.Go(s.failOver)
	}
	return nil
}

// failOver promotes a replica after the failover time.
func (s *Sim) failOver() {
	timer := time.NewTimer(s.cfg.Failover)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	best, timeline := -1, 0
	for i, n := range s.nodes {
		timeline = max(timeline, n.timeline)
		if !n.down && (best < 0 || len(n.order) > len(s.nodes[best].order)) {
			best = i
		}
	}
	if best < 0 || s.primary >= 0 {
		return
	}
	s.primary = best
	s.nodes[best].timeline = timeline + 1
	for i, n := range s.nodes {
		if i != best && !n.down {
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
	i, err := s.index(node)
	if err != nil {
		return err
	}
	s.nodes[i].down = false
	if s.primary >= 0 && i != s.primary {
		s.nodes[i].follow(s.nodes[s.primary])
	}
	s.notify()
	return nil
}

// State implements [sut.Killer].
func (s *Sim) State(_ context.Context, node string) (sut.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.index(node)
	if err != nil {
		return "", err
	}
	if s.nodes[i].down {
		return sut.Down, nil
	}
	return sut.Running, nil
}

// WaitReady implements [sut.Waiter].
func (s *Sim) WaitReady(ctx context.Context, node string) error {
	for {
		s.mu.Lock()
		i, err := s.index(node)
		ready := err != nil || s.primary >= 0 && !s.nodes[i].down && s.nodes[i].timeline == s.nodes[s.primary].timeline
		changed := s.changed
		s.mu.Unlock()
		if ready {
			return nil // what is not a database is always ready
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", node, context.Cause(ctx))
		}
	}
}

// Primary implements [sut.PrimaryFinder].
func (s *Sim) Primary(context.Context) (sut.Node, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.primary < 0 {
		return sut.Node{}, errors.New("find primary: no node is primary")
	}
	n, _ := Topology().Node(s.nodes[s.primary].name)
	return n, nil
}

// LinkControl implements [sut.LinkController].
func (s *Sim) LinkControl(link string) (string, bool) {
	_, ok := s.bytes[link]
	return "http://" + s.addr + "/links/" + url.PathEscape(link), ok
}

// A Node is what an observer sees of a database node.
type Node struct {
	Name     string
	Down     bool
	Primary  bool
	Timeline int
	Writes   []Write // in the order they were written
}

// Nodes returns what an observer sees of all database nodes at one moment.
func (s *Sim) Nodes() []Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	nodes := make([]Node, len(s.nodes))
	for i, d := range s.nodes {
		nodes[i] = Node{Name: d.name, Down: d.down, Primary: i == s.primary, Timeline: d.timeline}
		for _, id := range d.order {
			nodes[i].Writes = append(nodes[i].Writes, d.writes[id])
		}
	}
	return nodes
}

// index returns the position of a database node.
func (s *Sim) index(node string) (int, error) {
	i := slices.IndexFunc(s.nodes, func(d *database) bool { return d.name == node })
	if i < 0 {
		return 0, fmt.Errorf("%s is not a database node of the simulation: %w", node, sut.ErrUnsupported)
	}
	return i, nil
}

// notify wakes everything that waits for a change.
func (s *Sim) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}
