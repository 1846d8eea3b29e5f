//go:build integration

package main

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
)

// noted is a log of PostgreSQL as the engine gives it, made of lines.
func noted(lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString("2026-11-24T15:51:26.123456789Z " + line + "\n")
	}
	return b.String()
}

func TestReadStatementTimes(t *testing.T) {
	const prefix = "2026-11-24 15:51:26.123 UTC [71] ledger@ledger LOG:  duration: "
	got, err := readStatementTimes(strings.NewReader(noted(
		"2026-11-24 15:51:26.123 UTC [71] LOG:  checkpoint starting: time",
		prefix+"0.100 ms  parse <unnamed>: SELECT a",
		"\t  FROM t",
		prefix+"0.300 ms  parse <unnamed>: SELECT a",
		"\t  FROM t",
		prefix+"0.010 ms  execute <unnamed>: SELECT a FROM t",
		"2026-11-24 15:51:26.123 UTC [71] ledger@ledger DETAIL:  parameters: $1 = '1'",
		prefix+"2.500 ms  statement: COMMIT; SELECT b",
		prefix+"9.000 ms",
	)))
	if err != nil {
		t.Fatal(err)
	}
	want := statementTimes{
		"SELECT a FROM t":  {"parse": {Sum: 0.4, N: 2, Ms: 0.2}, "execute": {Sum: 0.01, N: 1, Ms: 0.01}},
		"COMMIT; SELECT b": {"statement": {Sum: 2.5, N: 1, Ms: 2.5}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
}

func TestStatementTimesOf(t *testing.T) {
	one := func(ms float64) map[string]*mean { return map[string]*mean{"statement": {Sum: ms, N: 1}} }
	times := statementTimes{
		"SELECT p": {"parse": {Sum: 8, N: 2}, "bind": {Sum: 4, N: 8}, "execute": {Sum: 4, N: 8}}, "SELECT q": {"parse": {Sum: 8, N: 2}},
		"BEGIN": one(1), "SELECT a": one(10), "SELECT a; SELECT b": one(100), "INSERT INTO t VALUES (1, 2, 3)": one(1000),
	}
	for statements, want := range map[string]float64{
		"BEGIN":                             1,
		"BEGIN; SELECT a":                   11,
		"SELECT a; SELECT b":                100,
		"BEGIN; SELECT a; SELECT b":         101,
		"BEGIN; INSERT INTO t VALUES (1...": 1001,
		"BEGIN; SELECT p":                   3, // it was parsed in one of four executions
	} {
		if got, ok := times.of(statements); !ok || got != want {
			t.Errorf("of(%q) = %v, %t; want %v", statements, got, ok, want)
		}
	}
	for _, statements := range []string{"BEGIN; SELECT c", "SELECT", "SELECT q", "INSERT INTO t VALUES (1"} {
		if got, ok := times.of(statements); ok {
			t.Errorf("of(%q) = %v; want that it is not known", statements, got)
		}
	}
}

func TestSplitLayers(t *testing.T) {
	const ms = time.Millisecond
	client := otlp.Span_SPAN_KIND_CLIENT
	traces := map[string][]span{
		"written": {
			{id: "root", kind: otlp.Span_SPAN_KIND_SERVER, correlation: "c-1", begin: 10 * ms, end: 20 * ms},
			{id: "1", parent: "root", name: "acquire connection", begin: 11 * ms, end: 12 * ms},
			{id: "2", parent: "root", kind: client, system: "postgresql", statements: "BEGIN", begin: 12 * ms, end: 15 * ms},
			{id: "3", parent: "root", kind: client, system: "postgresql", statements: "COMMIT", begin: 15 * ms, end: 16 * ms},
			{id: "4", parent: "root", kind: client, system: "redis", begin: 16 * ms, end: 18 * ms},
			{id: "5", parent: "root", kind: otlp.Span_SPAN_KIND_CONSUMER, begin: 12 * ms, end: 30 * ms},
			{id: "6", parent: "5", kind: client, system: "postgresql", statements: "BEGIN", begin: 13 * ms, end: 14 * ms},
		},
		"read": {
			{id: "root", kind: otlp.Span_SPAN_KIND_SERVER, correlation: "c-2", begin: 0, end: 4 * ms},
			{id: "1", parent: "root", kind: client, system: "redis", hit: true, begin: ms, end: 2 * ms},
			{id: "2", parent: "root", kind: client, system: "postgresql", statements: "?", begin: 2 * ms, end: 3 * ms},
		},
		"of another": {{id: "root", kind: otlp.Span_SPAN_KIND_SERVER, correlation: "c-3"}},
	}
	calls := map[string]clientCall{"c-1": {op: "write", took: 12 * ms}, "c-2": {op: "read", took: 5 * ms}}
	got := splitLayers(traces, calls, statementTimes{"BEGIN": {"execute": {Sum: 4, N: 2}}, "COMMIT": {"statement": {Sum: 0.5, N: 1}}})
	want := []*layerSplit{
		{Op: "read", Cached: true, Traces: 1, Client: 5, Balancer: 1, Handler: 2, Cache: 1, Pooler: 1, Trips: 1, MaxTrips: 1, Unmatched: 1},
		{
			Op: "write", Traces: 1, Client: 12, Balancer: 2, Handler: 3, Cache: 2, Pool: 1, Pooler: 1.5, Postgres: 2.5, Commit: 0.5,
			Trips: 2, MaxTrips: 2,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
}

// TestByCorrelation counts the arrivals of the warm-up, too.
func TestByCorrelation(t *testing.T) {
	s := stretch{rate: 10, warmUp: 2 * time.Second, measure: time.Second}
	calls := map[time.Duration]clientCall{7: {op: "b", ok: true}, 5: {op: "a", ok: true}, 6: {op: "failed"}}
	got, err := byCorrelation(3, s, calls)
	if err != nil {
		t.Fatal(err)
	}
	// 2 s from 5 to 10 a second are 15 arrivals.
	want := map[string]string{"proofload-3-15": "a", "proofload-3-17": "b"}
	ops := map[string]string{}
	for id := range maps.Keys(got) {
		ops[id] = got[id].op
	}
	if diff := cmp.Diff(want, ops); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestSaturation(t *testing.T) {
	for _, limit := range []float64{0, 7, 30, 299, 300, 412, 5000} {
		tries := 0
		got, err := saturation(300, func(rate float64) (bool, error) {
			tries++
			return rate <= limit && tries != 1, nil // the first try is a hiccup
		})
		if err != nil || got > limit || got < limit*(1-2*searchWithin) && limit > 2*searchLeast || tries > 40 {
			t.Errorf("saturation at %g = %g, %v after %d tries", limit, got, err, tries)
		}
	}
}

func TestFlat(t *testing.T) {
	const mib = 1 << 20
	for _, tt := range []struct {
		first, last float64
		want        bool
	}{{100 * mib, 100 * mib, true}, {100 * mib, 114 * mib, true}, {20 * mib, 27 * mib, true}, {100 * mib, 116 * mib, false}, {20 * mib, 29 * mib, false}} {
		if got := isFlat(tt.first, tt.last); got != tt.want {
			t.Errorf("isFlat(%g, %g) = %t", tt.first, tt.last, got)
		}
	}
	m := measures()[0]
	samples := []sample{{At: 0, Resident: 1}, {At: 30 * time.Minute, Resident: 2}, {At: time.Hour, Resident: 3}}
	if got := slope(samples, m); got < 1.999 || got > 2.001 {
		t.Errorf("slope = %g an hour; want 2", got)
	}
	s := &soak{window: 31 * time.Minute, Figures: soakFigures{Samples: map[string][]sample{"api-1": samples}}}
	first, last := s.windows("api-1")
	if average(first, m) != 1.5 || average(last, m) != 2.5 {
		t.Errorf("windows have means of %g and %g; want 1.5 and 2.5", average(first, m), average(last, m))
	}
}

func TestReadMetrics(t *testing.T) {
	got, err := readMetrics(strings.NewReader("# HELP a What it is.\n# TYPE a gauge\na 3\nb{pool=\"x y\",state=\"idle\"} 2\nb{pool=\"z\",state=\"in_use\"} 1.5e+1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]float64{"a": 3, "b": 17}, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}
