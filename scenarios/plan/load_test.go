package plan_test

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/scenarios/plan"
)

// files opens files that are strings.
func files(all map[string]string) func(string) (io.ReadCloser, error) {
	return func(name string) (io.ReadCloser, error) {
		text, ok := all[name]
		if !ok {
			return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
		}
		return io.NopCloser(strings.NewReader(text)), nil
	}
}

func TestProfiles(t *testing.T) {
	src, err := os.ReadFile("testdata/profiles.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sc := parse(t, "profiles.yaml", src)
	p := build(t, sc, plan.Options{Seed: 42, Open: files(map[string]string{"./arrivals.txt": "0\n1.5\n1.5\n9.999\n"})})
	golden(t, "testdata/profiles.golden", render(t, p, 100))

	const s = time.Second
	want := []loadgen.Phase{
		{Name: "ramp", For: 30 * s, From: 20, To: 200},
		{Name: "steps", For: 50 * s, Profile: loadgen.Step, From: 100, To: 500, Steps: 5},
		{Name: "spike", For: 60 * s, Profile: loadgen.Spike, From: 200, To: 2000, SpikeAt: 20 * s, Width: 5 * s},
		{Name: "sine", For: 240 * s, Profile: loadgen.Sine, From: 100, To: 300, Period: 120 * s},
		{Name: "pause", For: 10 * s},
		{Name: "recorded", For: 10 * s, Profile: loadgen.Replay, Offsets: []time.Duration{0, 1500e6, 1500e6, 9999e6}},
		{Name: "users", For: 60 * s, Profile: loadgen.Closed, Users: loadgen.Users{From: 10, To: 50, ThinkLeast: s / 2, ThinkMost: 2 * s}},
		{Name: "hurried", For: 60 * s, Profile: loadgen.Closed, Users: loadgen.Users{From: 5, To: 5}},
	}
	if diff := cmp.Diff(want, p.Phases); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
	var planned []float64
	var users []int
	for _, f := range p.Spec.Phases {
		planned = append(planned, f.Planned)
		users = append(users, f.Users)
	}
	if diff := cmp.Diff([]int{0, 0, 0, 0, 0, 0, 50, 5}, users); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]float64{0, 15_000, 21_000, 48_000, 0, 4, 0, 0}, planned); diff != "" {
		t.Errorf("planned (-want +got):\n%s", diff)
	}
	if got := p.Spec.Phases[5]; got != (check.Phase{Name: "recorded", Start: 390 * s, For: 10 * s, Score: true, Planned: 4}) {
		t.Errorf("spec of a replay = %+v", got)
	}
	if p.Operations() != 3300+15_000+21_000+48_000+4 || p.Peak() != 2000 {
		t.Errorf("%d operations, peak %g", p.Operations(), p.Peak())
	}
}

// TestReplayProblems checks that what is wrong with a file of arrivals is said
// at the place that names it.
func TestReplayProblems(t *testing.T) {
	src := []byte(`proofload: scenario/v1
name: replay
target: stack/ledger
load:
  workload: ledger/mixed
  phases:
    - {name: recorded, for: 10s, replay: a.txt}
verify: [balances]
`)
	for text, want := range map[string]string{
		"1\n2\nx":      `cannot replay a.txt: line 3: "x" is not a time in seconds`,
		"2\n1":         `cannot replay a.txt: line 2: 1 is before 2`,
		"":             `cannot replay a.txt: no arrivals`,
		"1\n10.25":     `the last arrival of a.txt is at 10.25s, but recorded lasts 10s`,
		"(no file)":    `cannot replay a.txt: open a.txt: file does not exist`,
		"(no library)": `cannot replay a.txt: this scenario has no files beside it`,
	} {
		opts := plan.Options{Open: files(map[string]string{"a.txt": text})}
		switch text {
		case "(no file)":
			opts.Open = files(nil)
		case "(no library)":
			opts.Open = nil
		}
		_, err := plan.Build(parse(t, "replay.yaml", src), topology(), catalog(), workloads(), opts)
		if err == nil || !strings.Contains(err.Error(), "replay.yaml:7:42: "+want) {
			t.Errorf("%q: error = %v\nwant one with %q at 7:42", text, err, want)
		}
	}
}
