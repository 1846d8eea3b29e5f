package stack

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/proofload/proofload/sut"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wait returns a step that takes a while.
func wait(name string, d time.Duration, after ...string) step {
	return step{name, after, func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}}
}

func TestRunSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		parts, err := runSteps(t.Context(), []step{
			wait("c", 1*time.Second, "a", "b"),
			wait("a", 2*time.Second),
			wait("b", 3*time.Second),
		})
		if err != nil {
			t.Fatal(err)
		}
		// a and b at once, then c.
		if took := time.Since(began); took != 4*time.Second {
			t.Errorf("all steps took %s; want 4s", took)
		}
		got := map[string]time.Duration{}
		for _, p := range parts {
			got[p.Name] = p.Took
		}
		want := map[string]time.Duration{"a": 2 * time.Second, "b": 3 * time.Second, "c": time.Second}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("parts (-want +got):\n%s", diff)
		}
		if parts[2].Name != "c" {
			t.Errorf("the last part is %s; want c", parts[2].Name)
		}
	})
}

func TestRunStepsStopsAtFirstError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		began := time.Now()
		_, err := runSteps(t.Context(), []step{
			{"a", nil, func(context.Context) error { return broken }},
			wait("b", time.Hour),
			wait("c", time.Second, "b"),
		})
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), "a: ") {
			t.Errorf("error = %v; want the first, with the name of its step", err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the other steps went on for %s", took)
		}
	})
}

func TestRunStepsUnknown(t *testing.T) {
	if _, err := runSteps(t.Context(), []step{wait("a", 0, "z")}); err == nil || !strings.Contains(err.Error(), "z") {
		t.Errorf("error = %v; want one that names the step that does not exist", err)
	}
}

// TestStackSteps checks that no step of the real stack waits for one that does
// not exist or, through others, for itself.
func TestStackSteps(t *testing.T) {
	s := &Stack{topology: topology(t)}
	steps := s.steps(func(string) {})
	for i := range steps {
		steps[i].do = func(context.Context) error { return nil }
	}
	synctest.Test(t, func(t *testing.T) { // a circle would be a deadlock, which it reports
		parts, err := runSteps(t.Context(), steps)
		if err != nil || len(parts) != len(steps) {
			t.Errorf("%d of %d steps were done: %v", len(parts), len(steps), err)
		}
	})
}

func TestPollTellsWhatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Stack{topology: sut.Topology{}}
		other := errors.New("another node failed")
		ctx, cancel := context.WithCancelCause(t.Context())
		asked := 0
		err := s.poll(ctx, "x", pollEvery, func(context.Context) (string, error) {
			asked++
			if asked == 3 {
				cancel(other)
			}
			return "", errors.New("not yet")
		})
		if !errors.Is(err, other) || asked != 3 {
			t.Errorf("poll = %v after %d questions; want the cause after 3", err, asked)
		}
	})
}

func TestFreePorts(t *testing.T) {
	ports, err := freePorts(t.Context(), "some-stack", 20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, p := range ports {
		if p < firstPort || p > lastPort || seen[p] {
			t.Errorf("port %d is out of bounds or given twice", p)
		}
		seen[p] = true
	}
	if len(ports) != 20 {
		t.Errorf("%d ports; want 20", len(ports))
	}
}

func TestLastLines(t *testing.T) {
	for _, tt := range []struct {
		text string
		n    int
		want string
	}{
		{"a\nb\nc\n", 2, "b\nc"},
		{"a\n", 5, "a"},
		{"", 3, ""},
	} {
		if got := lastLines(tt.text, tt.n); got != tt.want {
			t.Errorf("lastLines(%q, %d) = %q; want %q", tt.text, tt.n, got, tt.want)
		}
	}
}
