package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
)

// TestMisfits checks that every mistake in the parameters of a fault is one of
// its own, at its key or at its value.
func TestMisfits(t *testing.T) {
	const src = `proofload: scenario/v1
name: misfits
target: stack/ledger
load:
  workload: ledger/mixed
  phases: [{name: steady, for: 1m, rate: 20/s}]
timeline:
  - at: steady
    latency: link:replication
    for: 5s
    with: {delai: 1s, delay: 300 ms}
  - {at: steady + 20s, latency: link:replication, for: 5s, with: {wobble: 1s}}
  - {at: steady + 40s, latency: link:replication, for: 5s}
verify: [balances]
`
	const want = `misfits.yaml:11:12: latency has no parameter "delai": it has delay
  11 |     with: {delai: 1s, delay: 300 ms}
     |            ^^^^^
     = did you mean "delay"?
misfits.yaml:11:30: latency: the parameter delay=300 ms: want a duration above zero, for example 200ms
  11 |     with: {delai: 1s, delay: 300 ms}
     |                              ^^^^^^
     = proofload faults latency says what it takes
misfits.yaml:12:66: latency: the parameter delay is missing: how long data waits
  12 |   - {at: steady + 20s, latency: link:replication, for: 5s, with: {wobble: 1s}}
     |                                                                  ^
     = proofload faults latency says what it takes
misfits.yaml:12:67: latency has no parameter "wobble": it has delay
  12 |   - {at: steady + 20s, latency: link:replication, for: 5s, with: {wobble: 1s}}
     |                                                                   ^^^^^^
     = proofload faults latency says what it takes
misfits.yaml:13:33: latency: the parameter delay is missing: how long data waits
  13 |   - {at: steady + 40s, latency: link:replication, for: 5s}
     |                                 ^^^^^^^^^^^^^^^^
     = proofload faults latency says what it takes
5 problems`
	sc, err := scenarios.Parse("misfits.yaml", []byte(src), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = plan.Build(sc, topology(), catalog(), workloads(), plan.Options{})
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestMisnamed checks parameters that name components, although no system is up
// that could be asked for them.
func TestMisnamed(t *testing.T) {
	cat := chaos.NewCatalog([]chaos.Kind{{
		Name:   "partition",
		Params: []chaos.Param{{Name: "peer", Measure: chaos.Component, Default: "all"}},
	}})
	for peer, want := range map[string]string{
		"all":              "",
		"pg-2":             "",
		"zone:a":           "",
		"postgres.primary": "",
		"nosuch":           `misnamed.yaml:8:50: partition: the parameter peer=nosuch: no component "nosuch" in stack/ledger`,
		"redsi":            `did you mean "redis"?`,
		"zone:z":           `no zone "z" in stack/ledger`,
		"link:replication": "want nodes, and this is a link",
		"app[1]":           "for api-1 that is nobody else",
	} {
		sc, err := scenarios.Parse("misnamed.yaml", fmt.Appendf(nil, `proofload: scenario/v1
name: misnamed
target: stack/ledger
load:
  workload: ledger/mixed
  phases: [{name: steady, for: 1m, rate: 20/s}]
timeline:
  - {at: steady, partition: {on: "app[1]", peer: %q}, for: 5s}
verify: [balances]
`, peer), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = plan.Build(sc, topology(), cat, workloads(), plan.Options{})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("peer %s: %v, want %q", peer, err, want)
		}
	}
}
