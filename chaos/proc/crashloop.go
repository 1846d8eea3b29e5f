package proc

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

const kindCrashLoop = "crash-loop"

// The bounds on a crash loop: how long a node stays down before it is started
// again, the longest life between two crashes, so that the next one is seen
// while the fault is held, and how long the engine may take for one order.
const (
	crashPause  = time.Second
	longestLife = 8 * time.Second
	orderTime   = 10 * time.Second
)

// crashLoopKind is the catalogue entry of crash loops.
func crashLoopKind() chaos.Kind {
	k := chaos.Kind{
		Name: kindCrashLoop,
		About: "Crashes a node with SIGKILL, starts it " + crashPause.String() + " later, and crashes it again after every short life, " +
			"as a service that cannot stand its own data.",
		Needs:   "an environment that can kill and start nodes",
		Undone:  "Nobody crashes it any more and it is started if it is down; by the guard if the run died, and the loop with it.",
		Touches: []string{chaos.TouchesProcess},
		Ends:    chaos.Always,
		Down:    true,
		Params: []chaos.Param{{
			Name: "every", Measure: chaos.Duration, Default: "3s",
			About: "how long the node lives between its start and the next crash", Limits: "up to " + longestLife.String(),
		}},
	}
	entry := k
	k.Check = func(p chaos.Params) error {
		if d := entry.Duration(p, "every"); d > longestLife {
			return fmt.Errorf("%s: the parameter every=%s: want %s or less", kindCrashLoop, d, longestLife)
		}
		return needsNodes(kindCrashLoop, p)
	}
	k.New = func(env sut.Environment, targets *chaos.Targets, p chaos.Params) (chaos.Fault, error) {
		killer, ok := env.(sut.Killer)
		if !ok {
			return nil, fmt.Errorf("killing nodes: %w", sut.ErrUnsupported)
		}
		return &crashLoop{
			every: entry.Duration(p, "every"), ttl: p.TTL() + loopMargin,
			fault: fault{
				kind: kindCrashLoop, env: env, killer: killer, targets: targets, target: p.Target,
				broken: sut.Down, saw: "crashed", breaks: killer.Kill, mends: startNode, manual: startByHand,
			},
		}, nil
	}
	k.Heal = func(ctx context.Context, env sut.Environment, u chaos.Undo) error {
		return heal(ctx, env, u, startForGood)
	}
	k.Gone = isNot(sut.Down)
	return k
}

// loopMargin is how much longer than its time a loop goes on, should nobody end it
// before: it has to be seen in effect right until then.
const loopMargin = 10 * time.Second

// A crashLoop is a kill that is done again and again.
type crashLoop struct {
	fault

	every time.Duration // from start to crash
	ttl   time.Duration // after which the loop ends by itself
}

// Inject implements [chaos.Fault]. The loop outlives the call, but not this
// process.
func (f *crashLoop) Inject(ctx context.Context) (chaos.Injection, error) {
	in, err := f.inject(ctx)
	if err != nil {
		return nil, err
	}
	looping, end := context.WithTimeout(context.WithoutCancel(ctx), f.ttl)
	l := &crashes{injection: in, end: end}
	for _, node := range in.nodes {
		l.loops.Go(func() { f.loop(looping, node) })
	}
	return l, nil
}

// loop starts and crashes a node until ctx is done. An order that was begun is
// waited for, and one that fails is given again in the next turn.
func (f *crashLoop) loop(ctx context.Context, node string) {
	order := func(do func(context.Context, string) error) {
		waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), orderTime)
		defer cancel()
		_ = do(waiting, node) // what became of the node is observed by others
	}
	for passes(ctx, crashPause) {
		order(f.killer.Start)
		if !passes(ctx, f.every) {
			return
		}
		order(f.killer.Kill)
	}
}

// passes reports whether a time passes before ctx is done.
func passes(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// The crashes of some nodes are going on.
type crashes struct {
	*injection

	end   context.CancelFunc
	loops sync.WaitGroup
}

// Recover implements [chaos.Injection]. It starts nodes when nobody crashes
// them any more.
func (c *crashes) Recover(ctx context.Context) error {
	c.end()
	c.loops.Wait()
	return c.injection.Recover(ctx)
}
