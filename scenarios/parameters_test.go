package scenarios

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestGateWithoutTime has people answer within half an hour.
func TestGateWithoutTime(t *testing.T) {
	const text = `proofload: scenario/v1
name: drill
target: stack/ledger
load:
  workload: ledger/mixed
  phases:
    - {name: steady, for: 1m, rate: 200/s}
verify: [balances]
timeline:
  - {at: steady + 10s, gate: Start the outage?}
  - {at: steady + 20s, gate: Seen enough?, within: 5m}
`
	sc, err := Parse("drill.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := []time.Duration{sc.Timeline[0].For, sc.Timeline[1].For}; !slices.Equal(got, []time.Duration{30 * time.Minute, 5 * time.Minute}) {
		t.Errorf("gates are open for %v", got)
	}
}

// TestParametersInsideTheVerb reads the same entries in both forms that there
// are, as the editor's schema does.
func TestParametersInsideTheVerb(t *testing.T) {
	const head = `proofload: scenario/v1
name: drill
target: stack/ledger
load:
  workload: ledger/mixed
  phases:
    - {name: steady, for: 1m, rate: 200/s}
verify: [balances]
timeline:
`
	const inside = `  - {at: steady + 10s, latency: {on: link:cache, delay: 300ms, share: 50%}, for: 10s}
  - at: steady + 20s
    scale:
      on: app
      nodes: 1
  - {at: steady + 30s, kill: {on: redis}}
`
	const beside = `  - {at: steady + 10s, latency: link:cache, with: {delay: 300ms, share: 50%}, for: 10s}
  - {at: steady + 20s, scale: app, with: {nodes: 1}}
  - {at: steady + 30s, kill: redis}
`
	entries := func(text string) []Event {
		t.Helper()
		if err := validate(t, []byte(head+text)); err != nil {
			t.Error(err)
		}
		sc, err := Parse("drill.yaml", []byte(head+text), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range sc.Timeline {
			e := &sc.Timeline[i]
			e.Pos, e.VerbPos, e.TargetPos, e.WithPos, e.WithSpots = Pos{}, Pos{}, Pos{}, Pos{}, nil
		}
		return sc.Timeline
	}
	if diff := cmp.Diff(entries(beside), entries(inside)); diff != "" {
		t.Errorf("(-beside +inside):\n%s", diff)
	}
}
