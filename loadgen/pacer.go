package loadgen

import (
	"context"
	"time"
)

// A pacer blocks until the next operation is due: an arrival of the schedule or
// of a hold, or a user who has thought enough. It waits by itself, since Vegeta's own wait
// cannot be interrupted.
type pacer struct {
	*engine

	ctx    context.Context // of the drill
	cursor *Cursor
	timer  *time.Timer
	hash   *arrivalHash // of all arrivals so far, those of other engines as well

	arrival Arrival // the next one of this engine's share
	more    bool    // there is one
	made    *job    // the operation of it, if it was made already
	extra   uint64  // number of the next operation that is none of the schedule

	turned time.Duration // when the answers had their turn, on the recorder's clock
	since  int           // operations since then
}

// When to give way to answers: after so long, if at least so many operations
// wait for theirs, and a pacer that is so much behind after so many operations.
const (
	giveWayAfter    = 500 * time.Microsecond
	giveWayInFlight = 16
	giveWayBehind   = time.Millisecond
	giveWayEvery    = 8
)

func newPacer(ctx context.Context, e *engine) *pacer {
	p := &pacer{
		engine: e, ctx: ctx, cursor: e.schedule.Cursor(), timer: time.NewTimer(0), hash: newArrivalHash(),
		extra: uint64(e.schedule.Len() + e.Share.Index), //nolint:gosec // neither is negative
	}
	p.advance()
	return p
}

// advance goes on to the next arrival.
func (p *pacer) advance() {
	for {
		if p.arrival, p.more = p.cursor.Next(); p.more {
			p.hash.add(p.arrival.At)
		}
		if !p.more || p.arrival.Seq%uint64(p.Share.Of) == uint64(p.Share.Index) { //nolint:gosec // neither is negative
			return
		}
	}
}

// Pace implements [vegeta.Pacer]. It is called from one goroutine, once for
// each operation, so the workload is asked in the order of the schedule.
func (p *pacer) Pace(time.Duration, uint64) (time.Duration, bool) {
	j := p.next()
	if j == nil {
		p.timer.Stop()
		if !p.more {
			p.sum = p.hash.sum(p.schedule)
		}
		return 0, true
	}
	// Each job in the queue has a worker on the way to take it, so a full
	// queue is only a matter of scheduling goroutines.
	p.jobs <- j
	return 0, false
}

// Rate implements [vegeta.Pacer]; Vegeta only asks it for its own reports.
func (p *pacer) Rate(time.Duration) float64 { return 0 }

// next waits for the next job. It is nil when there are no more, or the load
// was stopped.
func (p *pacer) next() *job {
	for p.ctx.Err() == nil {
		now := p.Recorder.Now()
		if j := p.due(now); j != nil {
			p.giveWay(now, now-j.sched)
			return j
		}
		at, ok := p.wakes()
		if !ok {
			return nil
		}
		p.prepare(at)
		p.wait(at - p.Recorder.Now())
	}
	return nil
}

// giveWay lets answers be taken in. The scheduler asks the network when nothing
// can run, and otherwise every 10 ms. On a busy processor there is always the
// pacer to run, or an operation that it has started: answers lie where they are,
// which lengthens their time and leaves no connection free, so each operation
// dials one of its own, which costs several times what an operation costs. A
// stall of 10 ms would grow until the cap on operations in flight ended it.
func (p *pacer) giveWay(now, lag time.Duration) {
	p.since++
	long := now-p.turned >= giveWayAfter && p.InFlight.Load() >= giveWayInFlight
	late := lag >= giveWayBehind && p.since >= giveWayEvery
	if long || late {
		p.turn.wait()
		p.turned, p.since = p.Recorder.Now(), 0
	}
}

// due returns the job that is due by now, if there is one.
func (p *pacer) due(now time.Duration) *job {
	p.holds.hear()
	if sched := p.holds.sched(p.arrival); p.more && sched <= now && sched < p.holds.cutAt() {
		j := p.makeJob()
		p.made = nil
		p.advance()
		return j
	}
	p.cut(now)
	if j := p.held(now); j != nil || p.users == nil {
		return j
	}
	p.users.advance(p.holds.clock(now))
	if user, at, phase, ok := p.users.next(now, p.holds.from()); ok {
		return p.another(at, phase, user)
	}
	return nil
}

// held returns the job of a hold that is due by now, if there is one, and goes
// on with the schedule when the hold is over.
func (p *pacer) held(now time.Duration) *job {
	h := p.holds
	h.begin(now)
	h.listen()
	for {
		at, n, ok := h.take(now)
		if !ok {
			break
		}
		if n%p.Share.Of == p.Share.Index {
			return p.another(at, p.schedule.Phase(h.phase), nobody)
		}
	}
	from := h.from()
	if lasted, ok := h.end(now); ok && p.users != nil {
		p.users.later(from, lasted)
	}
	return nil
}

// another returns a job that is none of the schedule. Its number is that of no
// other.
func (p *pacer) another(at time.Duration, phase string, user int) *job {
	seq := p.extra
	p.extra += uint64(p.Share.Of) //nolint:gosec // at least 1
	return &job{seq: seq, sched: at, phase: phase, op: p.Workload.Next(p.Drill, seq), user: user}
}

// wakes returns when the next job may be due, and false if there is none.
func (p *pacer) wakes() (at time.Duration, ok bool) {
	at = p.holds.wakes()
	if p.users != nil {
		at = min(at, p.users.wakes(p.holds.from()))
	}
	if p.more {
		at = min(at, p.holds.sched(p.arrival))
	}
	return at, at < forever || p.holds.open
}

// prepare makes the operation that is due at that moment ahead of it.
func (p *pacer) prepare(at time.Duration) {
	if p.more && at < forever && p.holds.sched(p.arrival) == at {
		p.made = p.makeJob()
	}
}

// makeJob returns the job of the next arrival.
func (p *pacer) makeJob() *job {
	if p.made != nil {
		return p.made
	}
	a := p.arrival
	return &job{
		seq: a.Seq, sched: p.holds.sched(a), phase: p.schedule.Phase(a.Phase), user: nobody,
		op: p.Workload.Next(p.Drill, a.Seq),
	}
}

// wait waits for d, less if the operation of a user ends, a hold is over, a phase
// is to end early or the load is stopped.
func (p *pacer) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	var done chan ended
	if p.users != nil {
		done = p.users.done
	}
	p.timer.Reset(d)
	select {
	case <-p.timer.C:
	case e := <-done:
		p.users.ended(e)
	case until := <-p.holds.over:
		p.holds.say(until)
	case c := <-p.holds.cuts:
		p.holds.cut = &c
	case <-p.ctx.Done():
	}
	if d >= giveWayAfter {
		p.turned, p.since = p.Recorder.Now(), 0
	}
}
