package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/proofload/proofload/reports/history"
)

// Stats says whether the load that was asked for was really offered. Send lag
// is how long after its scheduled moment an operation was handed to the
// transport, or shed.
type Stats struct {
	Planned   int64   `json:"planned"`   // arrivals of the schedule
	Offered   int64   `json:"offered"`   // arrivals that came before the load ended or was stopped
	Sent      int64   `json:"sent"`      // of these, handed to the transport
	Completed int64   `json:"completed"` // of these, answered to the end
	Shed      int64   `json:"shed"`      // offered and never sent
	LagP50    float64 `json:"lag_p50_ms"`
	LagP99    float64 `json:"lag_p99_ms"`
	LagMax    float64 `json:"lag_max_ms"`
	Schedule  string  `json:"arrivals_sha256"`
}

// Drive sends the load of one drill and returns when its last operation has
// ended. Every operation is recorded once when it ends, and a write also just
// before it is sent.
//
// When ctx is cancelled, no further operation is sent, those in flight may end
// within Config.Drain, and the error wraps the cause of the cancellation. The
// stats are returned in any case.
func Drive(ctx context.Context, c Config) (Stats, error) {
	if c.Workload == nil || c.Recorder == nil {
		return Stats{}, errors.New("send load: no workload or no recorder")
	}
	c = c.withDefaults()
	if err := c.checkTarget(); err != nil {
		return Stats{}, err
	}
	schedule, err := c.Schedule()
	if err != nil {
		return Stats{}, err
	}
	requests, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	e := &engine{
		Config:    c,
		transport: newTransport(c),
		requests:  requests,
		stopped:   ctx.Done(),
		schedule:  schedule,
		jobs:      make(chan job, 1024),
		lag:       hdrhistogram.New(history.MinLatency.Microseconds(), history.MaxLatency.Microseconds(), 3),
	}
	defer e.transport.CloseIdleConnections()
	ended := make(chan struct{})
	var stopper sync.WaitGroup
	stopper.Go(func() {
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		if wait(ended, c.Drain) {
			cancel(errStop)
		}
	})
	e.attack(ctx)
	close(ended)
	stopper.Wait()
	if ctx.Err() != nil {
		err = fmt.Errorf("send load: %w", context.Cause(ctx))
	}
	return e.result(), err
}

// wait waits for d and reports whether it passed before done was closed.
func wait(done <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-done:
		return false
	}
}

// An engine sends the load of one drill.
type engine struct {
	Config

	transport *http.Transport
	requests  context.Context // of all operations; outlives the caller's by Config.Drain
	stopped   <-chan struct{} // closed when no further operation may be sent
	schedule  *Schedule
	jobs      chan job // from the pacer to the workers
	inFlight  atomic.Int64

	mu    sync.Mutex
	stats Stats
	lag   *hdrhistogram.Histogram // in µs
}

// A job is an operation that is due.
type job struct {
	seq   uint64
	sched time.Duration // on the recorder's clock
	phase string
	op    Operation
	step  int // of a journey, from 0
	end   End // once it was performed
}

// attack sends all load and returns when its last operation has ended.
//
// What Vegeta gives is a dispatcher that calls the pacer once for each arrival
// and starts another worker whenever none is free. Its targets, results and
// metrics are not used: each worker takes the job that the pacer has queued
// and carries it out with the engine's own transport.
func (e *engine) attack(ctx context.Context) {
	attacker := vegeta.NewAttacker(vegeta.Client(&http.Client{Transport: e}))
	target := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: "http://job.invalid/"})
	pacer := &pacer{engine: e, ctx: ctx, cursor: e.schedule.Cursor()}
	for range attacker.Attack(target, pacer, 0, "") {
		continue // a result says nothing that its job has not recorded
	}
}

// RoundTrip carries out the next job. The request is Vegeta's and is not sent;
// the answer tells it only that there is nothing to do.
func (e *engine) RoundTrip(*http.Request) (*http.Response, error) {
	j := <-e.jobs
	for next := &j; next != nil; next = e.follow(next) {
		e.perform(next)
	}
	return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody}, nil
}

// A pacer blocks until the next arrival is due. It waits by itself, since
// Vegeta's own wait cannot be interrupted.
type pacer struct {
	*engine

	ctx    context.Context // of the drill
	cursor *Cursor
}

// Pace implements [vegeta.Pacer]. It is called from one goroutine, once for
// each arrival, so the workload is asked in the order of the schedule.
func (p *pacer) Pace(time.Duration, uint64) (time.Duration, bool) {
	a, more := p.cursor.Next()
	if !more || p.ctx.Err() != nil {
		return 0, true
	}
	j := job{
		seq:   a.Seq,
		sched: p.Start + a.At,
		phase: p.schedule.Phase(a.Phase),
		op:    p.Workload.Next(p.Drill, a.Seq),
	}
	if d := j.sched - p.Recorder.Now(); d > 0 && !wait(p.ctx.Done(), d) {
		return 0, true
	}
	// Each job in the queue has a worker on the way to take it, so a full
	// queue is only a matter of scheduling goroutines.
	p.jobs <- j
	return 0, false
}

// Rate implements [vegeta.Pacer]; Vegeta only asks it for its own reports.
func (p *pacer) Rate(time.Duration) float64 { return 0 }

// result returns the statistics once all jobs have ended.
func (e *engine) result() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.stats
	ms := func(q float64) float64 { return float64(e.lag.ValueAtQuantile(q)) / 1e3 }
	s.LagP50, s.LagP99, s.LagMax = ms(50), ms(99), ms(100)
	s.Planned = int64(e.schedule.Len())
	s.Schedule = e.schedule.Hash()
	return s
}
