//go:build integration

package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/stack"
)

// heldFor is how long the benchmark holds a fault. No scenario undoes a fault the
// moment it is in effect, and an engine is still taking down what was killed then.
const heldFor = time.Second

// BenchmarkFaults times, for each fault of packets and processes on the real
// stack, the inject call until it is seen in effect and, after it was held for
// [heldFor], the recover call until the node is seen whole. Faults of links are
// timed in chaos/netfault. One kind is timed by -bench=BenchmarkFaults/KIND.
func BenchmarkFaults(b *testing.B) {
	program := installed{dir: b.TempDir()}
	if out, err := program.run(b.Context(), "up"); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	b.Cleanup(func() {
		if out, err := program.run(context.WithoutCancel(b.Context()), "down"); err != nil {
			b.Errorf("%v: %s", err, out)
		}
	})
	s, err := stack.Attach(b.Context(), stack.Config{Name: stack.LedgerName, AsIs: true})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Detach() }() // all was asked
	journal, err := chaos.OpenJournal(filepath.Join(program.dir, "journal"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = journal.Close() }()
	for _, r := range conformanceRows(s) {
		if r.Family != "packets" && r.Family != "process" && r.Family != "host" {
			continue
		}
		b.Run(r.Kind, func(b *testing.B) { benchFault(b, s, journal, r) })
	}
	// The service takes two seconds to drain when it is told to stop; Redis has
	// nothing to drain, so that its time is that of the fault alone.
	for _, kind := range []string{"stop", "restart"} {
		r := chaostest.Row{Kind: kind, Family: "process", Target: "redis", Probe: besideNode(s, "api-1", redisEcho("redis:6379"))}
		b.Run(kind+"-redis", func(b *testing.B) { benchFault(b, s, journal, r) })
	}
}

// benchFault times the fault of one row.
func benchFault(b *testing.B, env *stack.Stack, journal *chaos.Journal, r chaostest.Row) {
	b.Helper()
	const rounds = 20
	var settled, whole []time.Duration
	for range rounds {
		in, out, err := comeAndGo(b.Context(), env, journal, r)
		if errors.Is(err, sut.ErrUnsupported) {
			b.Skipf("left out: needs %s", r.Needs)
		}
		if err != nil {
			b.Fatal(err)
		}
		settled, whole = append(settled, in), append(whole, out)
	}
	b.Logf("%-14s of %-7s in effect p95 of %d: %s, whole p95: %s", r.Kind, r.Target, rounds, chaostest.P95(settled), chaostest.P95(whole))
}

// traffic is what meets the fault of a row. Names are looked up without a pause,
// as a service under load does: a process for each would take longer to start than
// the fault to come.
func traffic(s *stack.Stack, r chaostest.Row) chaostest.Probe {
	if strings.HasPrefix(r.Kind, "dns-") {
		return besideNode(s, "api-1", "while :; do getent hosts redis; sleep .05; done")
	}
	return r.Probe
}

// keepBusy has a probe at work, twice at a time, until the returned function is
// called, so that there is traffic to break.
func keepBusy(ctx context.Context, probe chaostest.Probe) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				_, _ = probe(ctx) // what it finds does not matter
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

// comeAndGo injects the fault of a row and recovers it, and returns how long it
// took to see it in effect and to see the target whole.
func comeAndGo(ctx context.Context, env *stack.Stack, journal *chaos.Journal, r chaostest.Row) (settled, whole time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	p := chaos.Params{For: time.Minute, Values: map[string]string{}}
	if p.Target, err = env.Topology().Select(r.Target); err != nil {
		return 0, 0, err
	}
	for _, v := range r.Values {
		name, value, _ := strings.Cut(v, "=")
		p.Values[name] = value
	}
	c := catalog()
	fault, err := c.New(r.Kind, env, chaos.NewTargets(env), p)
	if err != nil {
		return 0, 0, err
	}
	defer keepBusy(ctx, traffic(env, r))()
	active, err := chaos.Arm(ctx, journal, c, env, fault, nil)
	if err != nil {
		return 0, 0, err
	}
	in, err := active.Settle(ctx)
	if err != nil {
		return 0, 0, errors.Join(err, chaos.Insist(ctx, injectRecover, active.Recover))
	}
	select { // a time to hold, nothing to wait for
	case <-time.After(heldFor):
	case <-ctx.Done():
	}
	err = active.Recover(ctx)
	if err != nil {
		return 0, 0, err
	}
	out, err := active.Recovered(ctx)
	return in.Took, out.Took, err
}
