package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

// TestCombinations refuses faults that would undo each other, and only them.
func TestCombinations(t *testing.T) {
	for _, tt := range []struct {
		name    string
		entries []string
		want    string
	}{
		{"one node twice", []string{`{at: steady, kill: "app[1]", for: 20s, as: a}`, `{at: steady + 10s, pause: api-1, for: 5s}`}, "pause both change the process of api-1"},
		{"one after the other", []string{`{at: steady, kill: "app[1]", for: 10s, as: a}`, `{at: steady + 10s, pause: api-1, for: 5s}`}, ""},
		{"after it was ended", []string{`{at: steady, kill: "app[1]", as: a}`, `{at: steady + 5s, start: api-1}`, `{at: steady + 6s, pause: api-1, for: 5s}`}, ""},
		{"with no end", []string{`{at: steady, kill: "app[1]", as: a}`, `{at: steady + 50s, kill: api-1, for: 5s}`}, "a lasts to the end"},
		{"another node", []string{`{at: steady, kill: "app[1]", as: a}`, `{at: steady + 5s, pause: api-2, for: 5s}`}, ""},
		{"another primary by then", []string{`{at: steady, kill: postgres.primary, as: a}`, `{at: steady + 30s, kill: postgres.primary}`}, ""},
		{"again and again", []string{`{at: steady, kill: "app[1]", for: 5s, repeat: {times: 3, every: 20s, jitter: 10s}}`, `{at: steady + 52s, pause: api-1, for: 5s}`}, "kill-1#3 lasts until"},
		{"again and again, elsewhere", []string{`{at: steady, kill: "app[1]", for: 5s, repeat: {times: 3, every: 20s, jitter: 10s}}`, `{at: steady + 59s, pause: api-1, for: 5s}`}, ""},
		{"no such parameter", []string{`{at: steady, kill: "app[1]", for: 5s, with: {hard: 1}}`}, `combined.yaml:9:50: kill has no parameter "hard": it has none`},
		{"no such link", []string{`{at: steady, stall: "link:api-1->kafka", for: 5s}`}, "= there are: link:app->redis"},
		{"too long", []string{`{at: steady, kill: "app[1]", for: 61m}`}, "a fault lasts 1h0m0s at most"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := fmt.Sprintf(`proofload: scenario/v1
name: combined
target: stack/ledger
load:
  workload: ledger/mixed
  phases:
    - {name: steady, for: 2h, rate: 1/s}
timeline:
  - %s
objectives:
  steady: {errors: 1%%}
`, strings.Join(tt.entries, "\n  - "))
			_, err := plan.Build(parse(t, "combined.yaml", []byte(src)), topology(), catalog(), workloads(), plan.Options{})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestPermitInThePlan refuses in the plan what a permit would refuse when it is
// injected, each at its place, and says when a run may begin.
func TestPermitInThePlan(t *testing.T) {
	policy := chaos.Policy{Active: 2, Quorum: []sut.Role{sut.RoleDatabase}}
	build := func(policy chaos.Policy) (*plan.Plan, error) {
		return plan.Build(parse(t, "permit.yaml", []byte(`proofload: scenario/v1
name: permit
target: stack/ledger
load:
  workload: ledger/mixed
  phases:
    - {name: steady, for: 10m, rate: 1/s}
timeline:
  - {at: steady, pause: "app[1]", for: 30s}
  - {at: steady + 10s, pause: redis, for: 10s}
  - {at: steady + 15s, pause: lb, for: 10s}
  - {at: steady + 35s, pause: postgres, for: 10s}
objectives:
  steady: {errors: 1%}
repeat: {times: 2}
`)), topology(), catalog(), workloads(), plan.Options{Policy: policy})
	}
	_, err := build(policy)
	for _, want := range []string{"permit.yaml:11:31: pause lb: the target does not allow it: 2 in effect by then", "permit.yaml:12:31: pause postgres: the target does not allow it: of postgres 3 of 3", "2 problems"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	window, err := chaos.ParseWindow("09:00-10:00")
	if err != nil {
		t.Fatal(err)
	}
	policy = chaos.Policy{Windows: []chaos.Window{window}}
	p, err := build(policy)
	if err != nil {
		t.Fatal(err)
	}
	for at, opens := range map[string]bool{"09:00": true, "09:30": true, "09:50": false, "08:59": false, "23:00": false} {
		now, err := time.Parse("15:04", at)
		if err != nil {
			t.Fatal(err)
		}
		if err = p.Opens(policy, now); (err == nil) != opens {
			t.Errorf("at %s: %v, want it to open: %t", at, err, opens)
		}
	}
}

// TestAgain repeats an entry: in the order of time, differently for each seed.
func TestAgain(t *testing.T) {
	build := func(seed uint64) []plan.Step {
		t.Helper()
		p, err := plan.Build(parse(t, "again.yaml", []byte(`proofload: scenario/v1
name: again
target: stack/ledger
load:
  workload: ledger/mixed
  phases:
    - {name: steady, for: 2m, rate: 1/s}
timeline:
  - {at: steady + 1s, kill: "app[1]", for: 5s, repeat: {times: 4, every: 20s, jitter: 10s}, as: api}
  - {at: steady + 40s, note: Half.}
objectives:
  steady: {errors: 1%}
abort: {p99: 2s, for: 10s}
`)), topology(), catalog(), workloads(), plan.Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Spec.Events) != len(p.Steps) || !strings.Contains(render(t, p, 100), "abort      p99 over 2s for 10s") {
			t.Errorf("the plan lacks something:\n%s", render(t, p, 100))
		}
		return p.Steps
	}
	steps := build(7)
	var names []string
	for i, s := range steps {
		if i > 0 && s.Entry.At < steps[i-1].Entry.At {
			t.Errorf("%s comes before %s", s.Entry.Name, steps[i-1].Entry.Name)
		}
		names = append(names, s.Entry.Name)
	}
	if got := strings.Join(names, " "); !strings.Contains(got, "api#2") || !strings.Contains(got, "api#4") || len(steps) != 5 {
		t.Errorf("steps %s", got)
	}
	if first := steps[0].Entry.At; first < time.Second || first >= 11*time.Second {
		t.Errorf("the first is at %s, want 1s and up to 10s more", first)
	}
	again, other := build(7), build(8)
	if again[0].Entry.At != steps[0].Entry.At || other[0].Entry.At == steps[0].Entry.At {
		t.Errorf("the first is at %s, with the same seed %s, with another %s", steps[0].Entry.At, again[0].Entry.At, other[0].Entry.At)
	}
}
