package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	vegeta "github.com/tsenart/vegeta/v12/lib"
)

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
	if err := c.check(); err != nil {
		return Stats{}, err
	}
	schedule, err := c.Schedule()
	if err != nil {
		return Stats{}, err
	}
	standing, err := newHolds(schedule, c.Start, c.Holds)
	if err != nil {
		return Stats{}, err
	}
	standing.cuts = c.Cuts
	requests, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	turn, err := newTurn()
	if err != nil {
		return Stats{}, fmt.Errorf("send load: %w", err)
	}
	defer func() { _ = turn.close() }() // nobody waits for one any more
	transport, err := newTransport(requests, c, turn)
	if err != nil {
		return Stats{}, fmt.Errorf("send load: %w", err)
	}
	defer transport.close()
	beside := c.besides()
	defer beside.CloseIdleConnections()
	e := &engine{
		Config:    c,
		turn:      turn,
		transport: transport,
		beside:    beside,
		requests:  requests,
		load:      ctx,
		schedule:  schedule,
		users:     newUsers(schedule, c.Start, c.Share),
		holds:     standing,
		jobs:      make(chan *job, 1024),
		lag:       newLag(),
		meter:     newMeter(),
		samples:   map[string]int{},
	}
	unwatch := e.watch(ctx, cancel)
	makeRoomForFiles(c.MaxInFlight)
	e.attack(ctx)
	unwatch()
	if ctx.Err() != nil {
		err = fmt.Errorf("send load: %w", context.Cause(ctx))
	}
	stats, resultErr := e.result()
	return stats, errors.Join(err, resultErr)
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

// Wait waits for d and reports whether it passed before ctx was done.
func Wait(ctx context.Context, d time.Duration) bool { return wait(ctx.Done(), d) }

// An engine sends the load of one drill.
type engine struct {
	Config

	turn      *turn
	transport transport       // outlives load by Config.Drain
	beside    *http.Transport // of operations that carry themselves out
	requests  context.Context // of all operations; outlives load by Config.Drain
	load      context.Context // done when the load is to stop
	schedule  *Schedule
	users     *users // of closed phases; nil: none
	holds     *holds
	jobs      chan *job // from the pacer to the workers
	sum       string    // hash of the arrivals; empty of a load that was stopped

	mu    sync.Mutex
	stats Stats
	lag   *hdrhistogram.Histogram // in µs
	meter meter

	samples map[string]int // errors kept as text, by op and class
}

// watch ends what is under way some time after the load was stopped, until it is
// told that the load is over.
func (e *engine) watch(ctx context.Context, cancel context.CancelCauseFunc) (end func()) {
	over := make(chan struct{})
	var stopper sync.WaitGroup
	stopper.Go(func() {
		select {
		case <-over:
			return
		case <-ctx.Done():
		}
		if wait(over, e.Drain) {
			cancel(errStop)
			e.transport.abort()
		}
	})
	return func() {
		close(over)
		stopper.Wait()
	}
}

// A job is an operation that is due.
type job struct {
	seq   uint64
	sched time.Duration // on the recorder's clock
	phase string
	op    Operation
	user  int // of a closed phase, or nobody
	step  int // of a journey, from 0
	end   End // once it was performed

	answered bool // to the end
}

const nobody = -1

// workerEndsEvery is with the job of how many operations a worker ends.
const workerEndsEvery = 64

// attack sends all load and returns when its last operation has ended.
//
// What Vegeta gives is a dispatcher that calls the pacer once for each arrival
// and starts another worker whenever none is free. Its targets, client, results
// and metrics are not used.
func (e *engine) attack(ctx context.Context) {
	for range vegeta.NewAttacker().Attack(e.target, newPacer(ctx, e), 0, "") {
		continue // a result says nothing that its job has not recorded
	}
}

// target is the targeter that each of Vegeta's workers asks once for each hit.
// It carries out the next job of the pacer's queue itself, and then names a
// method that no request can have. With that Vegeta's part of the hit ends at
// once; to take it further, through a client and a reader of answers with
// nothing to do, costs more than the job.
//
// Some workers end with their job. Vegeta never ends one, so that each stall of
// the system would leave the load with all the workers that it needed during
// the stall, and their stacks, for good. Where one is needed, Vegeta starts the
// next one, which is cheap.
func (e *engine) target(t *vegeta.Target) error {
	j := <-e.jobs
	for next := j; next != nil; next = e.follow(next) {
		e.perform(next)
	}
	e.ended(j)
	if j.seq/uint64(e.Share.Of)%workerEndsEvery == 0 { //nolint:gosec // not negative
		runtime.Goexit()
	}
	t.Method = "(done)"
	return nil
}

// shedFor is how long a user waits who was shed, before thinking. It takes no
// time to be shed, so that users who do not think would otherwise be shed again
// and again for as long as the cap is reached, as fast as the engine can.
const shedFor = time.Second

// ended tells the user of a job that it has ended.
func (e *engine) ended(j *job) {
	if j.user == nobody {
		return
	}
	at := e.Recorder.Now()
	if j.end.Class == ClassShed {
		at += shedFor
	}
	e.users.done <- ended{j.user, at}
}
