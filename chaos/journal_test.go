package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/sut"
)

func openJournal(t *testing.T, file string) *Journal {
	t.Helper()
	j, err := OpenJournal(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// targets lists what is pending, by target and state.
func targets(j *Journal) []string {
	var list []string
	for _, e := range j.Pending() {
		list = append(list, e.Undo.Target+" "+string(e.State))
	}
	return list
}

// unopposed has nothing against a fault.
func unopposed([]Entry) error { return nil }

func arm(t *testing.T, j *Journal, target string) string {
	t.Helper()
	id, _, err := j.arm(Undo{Kind: "fake", Target: target, Data: json.RawMessage(`{"x":1}`), Manual: []string{"mend " + target}}, unopposed)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestJournalSurvives(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal")
	j := openJournal(t, file)
	arm(t, j, "a")
	healed := arm(t, j, "b")
	failed := arm(t, j, "c")
	for _, err := range []error{j.mark(healed, nil), j.mark(failed, errors.New("no")), j.mark(healed, errors.New("late"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"a armed", "c failed"}
	if diff := cmp.Diff(want, targets(j)); diff != "" {
		t.Errorf("pending (-want +got):\n%s", diff)
	}
	again := openJournal(t, file)
	if diff := cmp.Diff(j.Pending(), again.Pending()); diff != "" {
		t.Errorf("pending after opening again (-before +after):\n%s", diff)
	}
	if id := arm(t, again, "d"); id == healed || id == failed {
		t.Errorf("id %s is given twice", id)
	}
}

// TestJournalTorn cuts the file at every byte, as a crash would, and goes on
// with what is left.
func TestJournalTorn(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "whole")
	j := openJournal(t, file)
	first := arm(t, j, "a")
	armedFirst := size(t, file)
	arm(t, j, "b")
	armedSecond := size(t, file)
	if err := j.mark(first, nil); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) + 1 {
		torn := filepath.Join(dir, "torn")
		if err := os.WriteFile(torn, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		var want []string
		if n >= armedFirst-1 && n < len(whole)-1 { // a record without its newline is whole
			want = append(want, "a armed")
		}
		if n >= armedSecond-1 {
			want = append(want, "b armed")
		}
		j := openJournal(t, torn)
		if diff := cmp.Diff(want, targets(j)); diff != "" {
			t.Fatalf("pending of the first %d bytes (-want +got):\n%s", n, diff)
		}
		arm(t, j, "z")
		want = append(want, "z armed")
		if diff := cmp.Diff(want, targets(openJournal(t, torn))); diff != "" {
			t.Fatalf("pending of the first %d bytes and one more (-want +got):\n%s", n, diff)
		}
	}
}

func size(t *testing.T, file string) int {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Size())
}

func TestOpenJournalErrors(t *testing.T) {
	dir := t.TempDir()
	for file, want := range map[string]string{
		dir:                              "is a directory",
		filepath.Join(dir, "no", "such"): "no such file",
	} {
		if _, err := OpenJournal(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("open %s: %v, want %q", file, err, want)
		}
	}
}

// fakeFault notes what is done to it, in order, and fails where it should.
type fakeFault struct {
	name    string
	log     *[]string
	journal *Journal
	fail    map[string]error // by step
}

func (f *fakeFault) step(name string) error {
	*f.log = append(*f.log, name+" "+f.name)
	return f.fail[name]
}

func (f *fakeFault) String() string { return "fake " + f.name }

func (f *fakeFault) Prepare(context.Context) (Undo, error) {
	return Undo{Kind: "fake", Target: f.name, Data: json.RawMessage("null")}, f.step("prepare")
}

func (f *fakeFault) Inject(context.Context) (Injection, error) {
	if last := f.journal.Pending(); len(last) == 0 || last[len(last)-1].Undo.Target != f.name {
		*f.log = append(*f.log, "not journalled")
	}
	if err := f.step("inject"); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *fakeFault) Settle(context.Context) (Evidence, error) { return Evidence{}, f.step("settle") }
func (f *fakeFault) Recover(context.Context) error            { return f.step("recover") }
func (f *fakeFault) Recovered(context.Context) (Evidence, error) {
	return Evidence{}, f.step("recovered")
}

// fakeCatalog heals fakes by noting it, unless told to fail for a target.
func fakeCatalog(log *[]string, fail map[string]error) Catalog {
	return NewCatalog([]Kind{{Name: "fake", Heal: func(ctx context.Context, _ sut.Environment, u Undo) error {
		*log = append(*log, "heal "+u.Target)
		return errors.Join(fail[u.Target], ctx.Err())
	}}})
}

func TestArm(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name     string
		fail     map[string]error
		failHeal error
		log      []string
		pending  []string
	}{
		{
			name: "recovers",
			log:  []string{"prepare x", "injecting x", "inject x", "recover x", "recovered x"},
		},
		{
			name:    "is not seen whole",
			fail:    map[string]error{"recovered": broken},
			log:     []string{"prepare x", "injecting x", "inject x", "recover x", "recovered x"},
			pending: []string{"x failed"},
		},
		{
			name: "cannot be prepared",
			fail: map[string]error{"prepare": broken},
			log:  []string{"prepare x"},
		},
		{
			name: "cannot be injected",
			fail: map[string]error{"inject": broken},
			log:  []string{"prepare x", "injecting x", "inject x", "heal x"},
		},
		{
			name:     "cannot be injected or healed",
			fail:     map[string]error{"inject": broken},
			failHeal: sut.ErrUnsupported,
			log:      []string{"prepare x", "injecting x", "inject x", "heal x"},
			pending:  []string{"x failed"},
		},
		{
			name:    "cannot be recovered",
			fail:    map[string]error{"recover": broken},
			log:     []string{"prepare x", "injecting x", "inject x", "recover x"},
			pending: []string{"x failed"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log []string
			j := openJournal(t, filepath.Join(t.TempDir(), "journal"))
			ctx, cancel := context.WithCancel(t.Context())
			f := &fakeFault{name: "x", log: &log, journal: j, fail: tt.fail}
			catalog := fakeCatalog(&log, map[string]error{"x": tt.failHeal})
			active, err := Arm(ctx, j, catalog, nil, f, func(u Undo) {
				log = append(log, "injecting "+u.Target)
				cancel() // healing must not mind
			})
			if err == nil {
				err = active.Recover(t.Context())
			}
			if err == nil {
				_, err = active.Recovered(t.Context())
			}
			if want := len(tt.fail) > 0; want != errors.Is(err, broken) || want != (err != nil) {
				t.Errorf("error %v, want one: %t", err, want)
			}
			if want := tt.failHeal != nil; want != errors.Is(err, ErrLeft) {
				t.Errorf("error %v, want it to say that a fault is left: %t", err, want)
			}
			if diff := cmp.Diff(tt.log, log); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.pending, targets(j)); diff != "" {
				t.Errorf("pending (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHealAll(t *testing.T) {
	var log []string
	j := openJournal(t, filepath.Join(t.TempDir(), "journal"))
	for _, target := range []string{"a", "b", "c"} {
		arm(t, j, target)
	}
	stuck := map[string]error{"b": sut.ErrUnsupported} // is not tried again
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := HealAll(ctx, fakeCatalog(&log, stuck), nil, j)
	if !errors.Is(err, ErrLeft) || !strings.Contains(err.Error(), "heal fake b") {
		t.Errorf("error %v, want it to name b", err)
	}
	if diff := cmp.Diff([]string{"heal c", "heal b", "heal a"}, log); diff != "" {
		t.Errorf("healed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"b failed"}, targets(j)); diff != "" {
		t.Errorf("pending (-want +got):\n%s", diff)
	}
	if err := HealAll(ctx, fakeCatalog(&log, nil), nil, j); err != nil || len(j.Pending()) > 0 {
		t.Errorf("second attempt: %v, pending %v", err, targets(j))
	}
}

// TestHealAllSees wants what is mended to be seen gone, and only once all is mended:
// what one fault broke may not come back before another one is undone.
func TestHealAllSees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		c := fakeCatalog(&log, nil)
		k := c["fake"]
		k.Gone = func(ctx context.Context, _ sut.Environment, u Undo) error {
			log = append(log, "gone "+u.Target)
			if u.Target != "a" {
				return nil
			}
			return Watch(ctx, func(context.Context) error { return errors.New("a is paused") })
		}
		c["fake"] = k
		j := openJournal(t, filepath.Join(t.TempDir(), "journal"))
		arm(t, j, "a")
		arm(t, j, "b")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := HealAll(ctx, c, nil, j)
		if !errors.Is(err, ErrLeft) || !strings.Contains(err.Error(), "heal fake a: undone, but not seen to be gone") || !strings.Contains(err.Error(), "a is paused") {
			t.Errorf("error %v, want what was seen of a", err)
		}
		if diff := cmp.Diff([]string{"heal b", "heal a", "gone b", "gone a"}, log); diff != "" {
			t.Errorf("done (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"a failed"}, targets(j)); diff != "" {
			t.Errorf("pending (-want +got):\n%s", diff)
		}
	})
}

// TestUndone has a fault that is undone and not seen gone yet: it is pending, and
// does not speak against another one of the same target.
func TestUndone(t *testing.T) {
	var log []string
	j := openJournal(t, filepath.Join(t.TempDir(), "journal"))
	c := fakeCatalog(&log, nil)
	f := &fakeFault{name: "x", log: &log, journal: j}
	active, err := Arm(t.Context(), j, c, nil, f, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Arm(t.Context(), j, c, nil, f, nil); !errors.Is(err, ErrConflict) {
		t.Errorf("the same once more: %v", err)
	}
	if err := active.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Arm(t.Context(), j, c, nil, f, nil); err != nil {
		t.Errorf("after it was undone: %v", err)
	}
	if diff := cmp.Diff([]string{"x undone", "x armed"}, targets(j)); diff != "" {
		t.Errorf("pending (-want +got):\n%s", diff)
	}
}

// TestArmAudited injects nothing of which there would be no trace.
func TestArmAudited(t *testing.T) {
	full := errors.New("no space left on the disk of the audit log")
	for missing, injected := range map[string]bool{"armed": false, "injected": true, "settled": true} {
		var log []string
		j := openJournal(t, filepath.Join(t.TempDir(), "journal"))
		j.Observe(func(action string, _ Undo, _ string) error {
			if action == missing {
				return full
			}
			return nil
		})
		f := &fakeFault{name: "x", log: &log, journal: j}
		active, err := Arm(t.Context(), j, fakeCatalog(&log, nil), nil, f, nil)
		if injected != slices.Contains(log, "inject x") || injected != (active != nil) || injected == errors.Is(err, full) {
			t.Errorf("%s cannot be noted: %v after %q", missing, err, log)
		}
		if !injected && len(j.Pending()) > 0 {
			t.Errorf("%s cannot be noted: pending %v", missing, targets(j))
		}
	}
}

func TestInsist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var at []time.Duration
		begin := time.Now()
		err := Insist(ctx, time.Minute, func(ctx context.Context) error {
			at = append(at, time.Since(begin))
			if len(at) < 4 {
				return errors.New("not yet")
			}
			return ctx.Err()
		})
		if err != nil || len(at) != 4 || at[3] < 200*time.Millisecond || at[3] > 2*time.Second {
			t.Errorf("tried at %v: %v", at, err)
		}

		begin = time.Now()
		last := errors.New("never")
		err = Insist(ctx, time.Minute, func(context.Context) error { return last })
		if took := time.Since(begin); !errors.Is(err, last) || took != time.Minute {
			t.Errorf("gave up after %s: %v", took, err)
		}
	})
}

// TestWatch wants the complaint that matters, not that the look which the
// deadline cut short failed.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		broken := errors.New("still broken")
		looks := 0
		err := Watch(ctx, func(ctx context.Context) error {
			looks++
			if looks < 4 {
				return broken
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, broken) || !errors.Is(err, context.DeadlineExceeded) || looks != 4 {
			t.Errorf("after %d looks: %v", looks, err)
		}
		if err := Watch(ctx, func(context.Context) error { return nil }); err != nil {
			t.Error(err)
		}
	})
}

func TestTargetsNames(t *testing.T) {
	targets := NewTargets(nil)
	sel := sut.Selection{Ref: "app[*]", Nodes: []sut.Node{{Name: "api-1"}, {Name: "api-2"}}}
	names, err := targets.Names(t.Context(), sel)
	if err != nil || !slices.Equal(names, []string{"api-1", "api-2"}) {
		t.Errorf("names %v, %v", names, err)
	}
	if _, err := targets.Names(t.Context(), sut.Selection{Ref: "app[*]"}); err == nil {
		t.Error("no nodes are resolved without an error")
	}
}
