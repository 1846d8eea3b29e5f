// Package run carries out a plan: it applies load and timeline together, mends
// what it broke whatever happens, has the state of the system read at the end,
// and leaves a run directory from which everything else is made.
//
//	gate -> phases ∥ timeline -> mend -> quiesce and final reads   (for each drill)
//	-> logs -> judge the history file -> result and reports
package run

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

// leadIn is how far ahead of its first arrival a drill is announced, so that
// load and timeline both start from the same moment.
const leadIn = 250 * time.Millisecond

// drain is how long operations in flight may go on once a drill was stopped.
const drain = time.Second

// A Rig is what a plan is carried out with.
type Rig struct {
	Env      sut.Environment
	Catalog  chaos.Catalog
	Journal  *chaos.Journal
	Recorder *history.Recorder
	Workload loadgen.Workload
	BaseURL  string // of the system's entry point for clients; empty: it speaks no HTTP

	AllowHosts []string // that load may be sent to, beside this machine

	// Secret returns a secret that a header of such a request names. Nil: there
	// are none.
	Secret func(name string) (value string, ok bool)

	// NodeHeader and TimelineHeader are the headers of answers that say who gave
	// them; empty are those of [loadgen.Config].
	NodeHeader, TimelineHeader string

	// Client sends the requests of the timeline, to hosts that load may be sent to.
	Client *http.Client

	// Gate returns when the system is healthy enough for a drill to begin.
	Gate func(ctx context.Context) error
	// Clear says what speaks against breaking anything, before each drill. Nil:
	// nothing does.
	Clear func(ctx context.Context) error
	// Watch observes the nodes beside the load until ctx is done.
	Watch func(ctx context.Context)
	// Alarms block until something beside the load demands that the run stops,
	// and say what, or until ctx is done, and return nil.
	Alarms []func(ctx context.Context) error
	// Ask asks people whether to go on, until ctx is done. Who says so is part
	// of the answer. Without it, nobody is there to be asked.
	Ask func(ctx context.Context, g Gate) (Answer, error)
	// Holdings say what to ask a restored copy of the database, by drill.
	// Without it nothing can be restored.
	Holdings func(drill int) Holdings
	// Audit waits until the system is quiet and records its final state.
	Audit func(ctx context.Context, f FinalReads) error
}

// FinalReads say what to read once the system is quiet.
type FinalReads struct {
	Drill int // that is over

	// Earlier asks for the writes of all drills before this one again: what a
	// later drill did to them is not known otherwise. It is the last one.
	Earlier bool
}

// errAborted is the cause with which an abort condition cancels a drill.
var errAborted = errors.New("abort condition met")

// A Gate is a question of the timeline.
type Gate struct {
	ID    string // of its entry
	Drill int
	Text  string
	For   time.Duration // how long it is open
}

// An Answer is what people say to a gate.
type Answer struct {
	GoOn bool
	By   string
}

// errGate is the cause with which a gate that was not passed cancels a drill.
var errGate = errors.New("the gate was not passed")

// Run carries out all drills of p. Whatever happens, it returns only after
// everything it broke was mended, or is listed in the ending.
func (r *Rig) Run(ctx context.Context, p *plan.Plan) Ending {
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() { defer close(watched); r.Watch(watching) }()
	defer func() { stop(); <-watched }()

	r.recordTopology()
	var end Ending
	for _, d := range p.Drills {
		if err := r.Gate(ctx); err != nil {
			r.noteGate(ctx, d, "the system was not healthy before the drill", err, &end)
			return end
		}
		if err := r.clear(ctx); err != nil {
			end.Stopped = fmt.Errorf("%w: %w", errAborted, err)
			r.record(history.RunAbort, d.N, end.Stopped.Error())
			break
		}
		r.drill(ctx, p, d, &end)
		if errors.Join(end.NotReady, end.Stopped, end.Failed) != nil || len(end.Left) > 0 || ctx.Err() != nil {
			break
		}
	}
	end.Canceled = ctx.Err() != nil
	return end
}

// clear says what speaks against a drill, if anything can.
func (r *Rig) clear(ctx context.Context) error {
	if r.Clear == nil {
		return nil
	}
	return r.Clear(ctx)
}

// noteGate records why a drill was not begun. Before the first drill that is
// the environment's failure; later it leaves the run unfinished.
func (r *Rig) noteGate(ctx context.Context, d plan.Drill, why string, err error, end *Ending) {
	switch {
	case ctx.Err() != nil:
		end.Canceled = true
	case d.N == 1:
		end.NotReady = err
	default:
		end.Failed = fmt.Errorf("begin drill %d: %w", d.N, err)
	}
	r.record(history.RunAbort, d.N, why+": "+err.Error())
}

// drill runs the phases of one drill beside its timeline.
func (r *Rig) drill(ctx context.Context, p *plan.Plan, d plan.Drill, end *Ending) {
	loading, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	tl := newTimeline(r, d, p.Steps)
	tl.bound(p)
	if err := tl.warm(loading); err != nil {
		r.noteGate(ctx, d, "what the timeline does cannot be done to the system", err, end)
		return
	}

	start := r.Recorder.Now() + leadIn
	r.Recorder.Record(history.Event{At: start, Kind: history.Info, By: history.ByRun, Op: history.RunDrill, Drill: d.N})
	inFlight := new(atomic.Int64)
	if p.Scenario.Abort != nil {
		defer r.abortOn(p.Scenario.Abort, inFlight.Load, cancel)()
	}
	defer r.heed(loading, cancel)()
	tl.begin(loading, start, func(err error) { cancel(err) })

	stats, err := r.drive(loading, p, d, start, tl, inFlight)
	if err != nil && loading.Err() == nil {
		end.Failed = errors.Join(end.Failed, fmt.Errorf("drive drill %d: %w", d.N, err))
	}
	r.noteStats(d, stats)
	cause := context.Cause(loading)
	cancel(nil)
	// Of a load that was stopped nobody may say that it fell short: only one
	// that ran to the end of its schedule is said to have ended.
	whole := err == nil
	if whole {
		r.record(history.RunLoadEnd, d.N, "")
	} else {
		r.record(history.RunAbort, d.N, stopped(ctx, cmp.Or(cause, err)))
		if errors.Is(cause, errAborted) || errors.Is(cause, errGate) || errors.Is(cause, chaos.ErrEngaged) {
			end.Stopped = cause
		}
	}

	tl.wait()
	end.Failed = errors.Join(end.Failed, tl.mend(ctx))
	end.Left = undone(r.Journal)
	if ctx.Err() != nil {
		if whole {
			r.record(history.RunAbort, d.N, stopped(ctx, nil))
		}
		return
	}
	// The final reads also follow a drill that was stopped: what was lost by
	// then is worth knowing.
	if err := r.Audit(ctx, FinalReads{Drill: d.N, Earlier: d.N > 1 && (!whole || d.N == len(p.Drills))}); err != nil && ctx.Err() == nil {
		end.Failed = errors.Join(end.Failed, fmt.Errorf("audit drill %d: %w", d.N, err))
	}
	tl.ask(ctx, p.Queries)
	if whole {
		r.record(history.RunDrillEnd, d.N, "")
	}
}

// stopped says why a drill did not run to its end.
func stopped(ctx context.Context, cause error) string {
	if ctx.Err() != nil {
		return "interrupted"
	}
	return cause.Error()
}

// drive sends the plan's load.
func (r *Rig) drive(
	ctx context.Context, p *plan.Plan, d plan.Drill, start time.Duration, tl *timeline, inFlight *atomic.Int64,
) (loadgen.Stats, error) {
	return loadgen.Drive(ctx, r.load(p, d, start, tl, inFlight))
}

// load is what the load engine is told of a drill. What is within the budget for
// the send lag is sent: shed, it would be an error that nobody has allowed for.
func (r *Rig) load(p *plan.Plan, d plan.Drill, start time.Duration, tl *timeline, inFlight *atomic.Int64) loadgen.Config {
	return loadgen.Config{
		BaseURL:     r.BaseURL,
		AllowHosts:  r.AllowHosts,
		Phases:      p.Phases,
		Arrivals:    p.Arrivals,
		Holds:       tl.holds(),
		Cuts:        tl.cuts,
		Seed:        d.Seed,
		Drill:       d.N,
		Start:       start,
		Workload:    r.Workload,
		Recorder:    r.Recorder,
		MaxInFlight: p.Scenario.Load.MaxInFlight,
		MaxLag:      max(loadgen.DefaultMaxLag, p.Scenario.Load.SendLag),
		Protocol:    p.Client.Version.Over(r.BaseURL),
		Connections: p.Client.Connections,
		TLS:         p.Client.TLS,
		Resolve:     p.Client.Resolve,
		Timeouts:    p.Client.Timeouts,
		Drain:       drain,
		InFlight:    inFlight,

		NodeHeader: r.NodeHeader, TimelineHeader: r.TimelineHeader,
	}
}

// noteStats records what the engine says about itself.
func (r *Rig) noteStats(d plan.Drill, stats loadgen.Stats) {
	text, err := json.Marshal(stats)
	if err != nil {
		text = []byte(err.Error())
	}
	r.record(history.RunGenerator, d.N, string(text))
}

// record writes an event about the run itself.
func (r *Rig) record(op string, drill int, text string) {
	r.Recorder.Record(history.Event{Kind: history.Info, By: history.ByRun, Op: op, Drill: drill, Text: text})
}

// heed cancels the drill on the first alarm. The returned function ends that.
func (r *Rig) heed(ctx context.Context, cancel context.CancelCauseFunc) (stop func()) {
	ctx, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, alarm := range r.Alarms {
		wg.Go(func() {
			if err := alarm(ctx); err != nil {
				cancel(fmt.Errorf("%w: %w", errAborted, err))
			}
		})
	}
	return func() { end(); wg.Wait() }
}
