// Package chaostest holds faults to the promises of package chaos.
package chaostest

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// The bounds on the steps, for slow environments.
const (
	injectTimeout  = 30 * time.Second
	settleTimeout  = 30 * time.Second
	recoverTimeout = 2 * time.Minute
	effectTimeout  = 30 * time.Second
	goneTimeout    = 300 * time.Millisecond // that what is in effect is not seen to be gone
)

// A Probe tells whether the target of a fault is broken now, as somebody who
// uses it would find out: by a request, not by asking the mechanism of the
// fault. An error means that the probe itself failed and ends the test. The
// probe should take less than a second, and reach the target by name where the
// fault may make it move.
type Probe func(ctx context.Context) (broken bool, err error)

// TestFault takes a kind of fault through its life against a real environment,
// which must be whole when it begins and is whole when it ends:
//
//   - Check and New accept the parameters, Prepare breaks nothing, and healing
//     what was only prepared is harmless
//   - inject: it is seen in effect, by the fault's own observation and by probe
//   - recover: it is seen gone, in the same two ways; the target stays whole
//     when it is recovered and healed again
//   - crash: what a process injected that is no more is healed by another one
//     that has only the journal; doing so again is harmless
//   - cancellation: armed under a context that is done, nothing is left broken
//
// The parameters are used several times, so that p.Target must be something
// that exists each time, such as a node's name. It takes as long as six
// injections and recoveries at most.
//
// A probe for a link might be a round trip through it, one for a node a
// connection to it.
func TestFault(t *testing.T, env sut.Environment, kind chaos.Kind, p chaos.Params, probe Probe) {
	t.Helper()
	f := &faultTest{env: env, kind: kind, params: p, probe: probe, catalog: chaos.NewCatalog([]chaos.Kind{kind})}
	if kind.About == "" || kind.Needs == "" {
		t.Errorf("kind %s does not say what it is about and what it needs", kind.Name)
	}
	if err := kind.Check(p); err != nil {
		t.Fatalf("check parameters: %v", err)
	}
	f.expect(t, false, "before anything was done")
	ok := t.Run("prepare", f.testPrepare) &&
		t.Run("recover", f.testRecover) &&
		t.Run("crash", f.testCrash) &&
		t.Run("cancellation", f.testCancellation)
	if !ok {
		t.Logf("the steps after the one that failed were left out")
	}
}

// Whole waits until a probe finds nothing broken. On a machine that is busy what
// is whole may take longer to answer than a probe waits.
func Whole(t *testing.T, probe Probe) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := chaos.Watch(ctx, func(ctx context.Context) error {
		broken, err := probe(ctx)
		if err == nil && broken {
			err = errors.New("the probe says that it is broken")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// NotInEffect wants an injection not to be taken for one in effect, and to be told
// why. A machine that is busy gets longer for the first look.
func NotInEffect(t *testing.T, in chaos.Injection, want string) {
	t.Helper()
	for patience := time.Second; ; patience *= 4 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		seen, err := in.Settle(ctx)
		cancel()
		switch {
		case err == nil:
			t.Fatalf("it is seen in effect: %+v", seen)
		case strings.Contains(err.Error(), want):
			return
		case patience > time.Minute:
			t.Fatalf("it is not in effect: %v; want %q", err, want)
		}
	}
}

// A faultTest is what the steps of one test have in common.
type faultTest struct {
	env     sut.Environment
	kind    chaos.Kind
	params  chaos.Params
	probe   Probe
	catalog chaos.Catalog
}

// fault makes the fault anew, as each run does.
func (f *faultTest) fault(t *testing.T) chaos.Fault {
	t.Helper()
	fault, err := f.catalog.New(f.kind.Name, f.env, chaos.NewTargets(f.env), f.params)
	if err != nil {
		t.Fatal(err)
	}
	if fault.String() == "" {
		t.Error("the fault has no name")
	}
	return fault
}

// expect waits until the probe agrees.
func (f *faultTest) expect(t *testing.T, broken bool, when string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), effectTimeout)
	defer cancel()
	for {
		got, err := f.probe(ctx)
		if err != nil {
			t.Fatalf("probe %s: %v", when, err)
		}
		if got == broken {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s the probe says broken: %t, want %t", when, got, broken)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// journal opens the journal of a test and closes it at the end.
func (f *faultTest) journal(t *testing.T, file string) *chaos.Journal {
	t.Helper()
	j, err := chaos.OpenJournal(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() }) // it may be closed already
	return j
}

// pending checks how many entries of a journal are not healed.
func (f *faultTest) pending(t *testing.T, j *chaos.Journal, want int, when string) {
	t.Helper()
	if got := j.Pending(); len(got) != want {
		t.Fatalf("%s the journal has %d pending entries, want %d: %v", when, len(got), want, got)
	}
}

// arm injects the fault and sees it in effect. Should the test fail while it
// is, it is healed.
func (f *faultTest) arm(t *testing.T, j *chaos.Journal) *chaos.Active {
	t.Helper()
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		if err := chaos.HealAll(t.Context(), f.catalog, f.env, j); err != nil {
			t.Logf("heal after the failure: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), injectTimeout)
	defer cancel()
	injecting := 0
	active, err := chaos.Arm(ctx, j, f.catalog, f.env, f.fault(t), func(chaos.Undo) { injecting++ })
	if err != nil {
		t.Fatal(err)
	}
	if injecting != 1 {
		t.Errorf("the moment of injection was told %d times, want once", injecting)
	}
	f.pending(t, j, 1, "after injection")
	ctx, cancel = context.WithTimeout(t.Context(), settleTimeout)
	defer cancel()
	seen, err := active.Settle(ctx)
	if err != nil {
		t.Fatalf("settle: %v", err)
	}
	f.observed(t, "in effect", seen)
	f.expect(t, true, "after injection")
	return active
}

// observed checks that an observation says something.
func (f *faultTest) observed(t *testing.T, what string, e chaos.Evidence) {
	t.Helper()
	t.Logf("%s: seen %s by %s after %s: %s", f.kind.Name, what, e.By, e.Took.Round(time.Millisecond), e.Saw)
	if e.By == "" || e.Saw == "" || e.Took < 0 {
		t.Errorf("the observation says too little: %+v", e)
	}
}

func (f *faultTest) testPrepare(t *testing.T) {
	undo, err := f.fault(t).Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if undo.Kind != f.kind.Name || undo.Target == "" || !json.Valid(undo.Data) || len(undo.Manual) == 0 {
		t.Errorf("the undo data lacks something: %+v", undo)
	}
	f.expect(t, false, "after preparation")
	if err := f.catalog.Heal(t.Context(), f.env, undo); err != nil {
		t.Errorf("heal what was only prepared: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), recoverTimeout)
	defer cancel()
	if err := f.catalog.Gone(ctx, f.env, undo); err != nil {
		t.Errorf("what was only prepared is not gone: %v", err)
	}
	f.expect(t, false, "after healing what was only prepared")
}

func (f *faultTest) testRecover(t *testing.T) {
	j := f.journal(t, filepath.Join(t.TempDir(), "journal"))
	active := f.arm(t, j)
	looking, end := context.WithTimeout(t.Context(), goneTimeout)
	defer end()
	if err := f.catalog.Gone(looking, f.env, active.Undo); err == nil {
		t.Error("seen gone from the undo data while it is in effect")
	}
	ctx, cancel := context.WithTimeout(t.Context(), recoverTimeout)
	defer cancel()
	for _, when := range []string{"after recovery", "after the second recovery"} {
		if err := active.Recover(ctx); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		seen, err := active.Recovered(ctx)
		if err != nil {
			t.Fatalf("recovered: %v", err)
		}
		f.observed(t, "gone", seen)
		f.expect(t, false, when)
		f.pending(t, j, 0, when)
	}
	if err := f.catalog.Heal(ctx, f.env, active.Undo); err != nil {
		t.Errorf("heal what has recovered: %v", err)
	}
	f.expect(t, false, "after healing what has recovered")
}

// testCrash forgets the injection and closes the journal, as the end of the
// process would.
func (f *faultTest) testCrash(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal")
	before := f.journal(t, file)
	f.arm(t, before)
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}

	after := f.journal(t, file)
	f.pending(t, after, 1, "after the crash")
	for _, when := range []string{"after healing from the journal", "after healing from it again"} {
		if err := chaos.HealAll(t.Context(), f.catalog, f.env, after); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		f.expect(t, false, when)
		f.pending(t, after, 0, when)
	}
	f.pending(t, f.journal(t, file), 0, "read again,")
}

// testCancellation arms the fault under a context that is done. It may still
// succeed, and is recovered then.
func (f *faultTest) testCancellation(t *testing.T) {
	j := f.journal(t, filepath.Join(t.TempDir(), "journal"))
	done, cancel := context.WithCancel(t.Context())
	cancel()
	active, err := chaos.Arm(done, j, f.catalog, f.env, f.fault(t), nil)
	if err == nil {
		if err := chaos.Insist(done, recoverTimeout, active.Recover); err != nil {
			t.Fatal(err)
		}
		f.pending(t, j, 1, "undone, but not seen gone,")
		ctx, cancel := context.WithTimeout(t.Context(), recoverTimeout)
		defer cancel()
		if _, err := active.Recovered(ctx); err != nil {
			t.Fatal(err)
		}
	}
	f.pending(t, j, 0, "after the cancellation")
	f.expect(t, false, "after the cancellation")
}
