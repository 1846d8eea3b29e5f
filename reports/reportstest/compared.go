package reportstest

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
)

// Slower is what a run is beside its baseline that is 10 % slower, on a machine
// with fewer cores.
func Slower() *reports.Comparison {
	began := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	return &reports.Comparison{
		To: "baseline/main", Outcome: check.Fail, Sentence: "peak p50 22.1 ms, before 20.0 ms: +10.5 %, allowed +5 %",
		Before: reports.Side{Run: "6b90", Scenario: "steady-gate", Target: "stack/ledger", Git: "0123456789abcdef0123", Began: began},
		After:  reports.Side{Run: "7f3c", Scenario: "steady-gate", Target: "stack/ledger", Git: "fedcba98765432100123", Began: began.Add(24 * time.Hour)},
		Differences: []reports.Difference{
			{Phase: "peak", Metric: "p50", Unit: "ms", Before: 20, After: 22.1, Change: 10.5, Allowed: 5, P: 1e-9, Worse: true},
			{Phase: "peak", Metric: "p99", Unit: "ms", Before: 118, After: 121, Change: 2.5, Allowed: 10, P: 0.21},
			{Phase: "peak", Op: "get-account", Metric: "p50", Unit: "ms", Before: 8, After: 7, Change: -12.5, Allowed: 5, P: 2e-6, Better: true},
			{Phase: "peak", Op: "get-account", Metric: "errors", Unit: "percent", Before: 0.1, After: 0.1, Allowed: 0.1, P: 0.8},
		},
		Skipped: []string{"after p99: 3 and 60 windows, 12 are needed"},
		Notes:   []string{"cores of the machine: 8 before, 2 after"},
		Shapes:  []reports.Shape{{Phase: "peak", Before: latencies(20), After: latencies(22.1)}},
	}
}

// latencies is a histogram of microseconds, encoded as in a result, of operations
// that took about a median of milliseconds.
func latencies(median float64) string {
	h := hdrhistogram.New(1, 60_000_000, 3)
	const operations = 4000
	for i := range operations {
		share := (float64(i) + 0.5) / operations
		if err := h.RecordValue(int64(1000 * median * math.Pow(share/(1-share), 0.35))); err != nil {
			panic(err)
		}
	}
	encoded, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}
