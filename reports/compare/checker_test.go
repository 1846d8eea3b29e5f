package compare

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
)

// judge judges a made-up run against a baseline, as the run command does.
func judge(t *testing.T, m made, baseline *Profile, worseBy map[string]float64) (*check.Judgement, *reports.Comparison) {
	t.Helper()
	manifest := manifest()
	manifest.Spec.Compare = &check.Compare{To: "baseline/main", WorseBy: worseBy}
	c := NewChecker(manifest, baseline)
	j, err := check.Judge(manifest.Spec, m.events(), c)
	if err != nil {
		t.Fatal(err)
	}
	return j, c.Comparison()
}

// TestGate judges runs against a baseline: 10 % slower at 200 operations a second
// over five minutes fails where 5 % is allowed, the same again does not.
func TestGate(t *testing.T) {
	baseline := made{seed: 1}.profile(t)
	for name, tt := range map[string]struct {
		run      made
		worseBy  map[string]float64
		outcome  check.Outcome
		sentence string
	}{
		"slower":            {made{seed: 2, slower: 0.1}, map[string]float64{"p50": 5, "p99": 20}, check.Fail, "peak p50 22.1 ms, before 20.1 ms: +10.2 %"},
		"the same":          {made{seed: 2}, map[string]float64{"p50": 5, "p99": 20}, check.Pass, "not worse in any of 6 comparisons"},
		"as slow as it may": {made{seed: 2, slower: 0.1}, map[string]float64{"p50": 20}, check.Pass, "not worse in any of 3 comparisons"},
		"errors":            {made{seed: 2, failed: 0.02}, map[string]float64{"errors": 0.5}, check.Fail, "peak errors 1.98 %, before 0 %: +1.98 points, allowed +0.5 points"},
		"too short":         {made{seed: 2, length: 40 * 1e9}, map[string]float64{"p50": 5}, check.Inconclusive, "8 windows, 12 are needed"},
	} {
		j, c := judge(t, tt.run, baseline, tt.worseBy)
		if len(j.Checks) != 1 || j.Checks[0].Outcome != tt.outcome || c.Outcome != tt.outcome || !strings.Contains(c.Sentence, tt.sentence) {
			t.Errorf("%s: %+v\n%s; want %s and %q", name, j.Checks, c.Sentence, tt.outcome, tt.sentence)
		}
	}
}

func TestGateWithoutBaseline(t *testing.T) {
	j, c := judge(t, made{seed: 1, length: 1e9}, nil, map[string]float64{"p50": 5})
	if j.Checks[0].Outcome != check.Inconclusive || !strings.Contains(j.Checks[0].Reason, "proofload baseline set made main") || c != nil {
		t.Errorf("got %+v and %+v", j.Checks, c)
	}
}

// TestOtherLoad does not compare latencies at different loads.
func TestOtherLoad(t *testing.T) {
	baseline := made{seed: 1}.profile(t)
	baseline.Phases[1].From, baseline.Phases[1].To = 100, 100
	j, c := judge(t, made{seed: 2}, baseline, map[string]float64{"p50": 5})
	if c.Outcome != check.Inconclusive || !strings.Contains(j.Checks[0].Reason, "peak: 100/s before, 0/s after") {
		t.Errorf("got %+v", j.Checks)
	}
}

// TestProfileIsKept writes and reads a profile, which has to stay small.
func TestProfileIsKept(t *testing.T) {
	p := made{seed: 1}.profile(t)
	var b bytes.Buffer
	if err := p.Encode(&b); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 20_000 {
		t.Errorf("five minutes of two operations take %d bytes", b.Len())
	}
	got, err := Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("what was read (-want +got):\n%s", diff)
	}
	for _, bad := range []string{`{"schema":"baseline/v2"}`, `{`, ``} {
		if _, err := Decode(strings.NewReader(bad)); err == nil {
			t.Errorf("Decode(%q) is taken", bad)
		}
	}
}
