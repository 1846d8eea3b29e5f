package check

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/history"
)

// countsOf are what an instance counts, at n seconds, by counter.
func countsOf(from, to int, of func(second int) map[string]int64) (list []history.Event) {
	for s := from; s < to; s++ {
		now := of(s)
		for _, name := range slices.Backward(slices.Sorted(maps.Keys(now))) {
			list = append(list, countedBy(float64(s), "api-1", name, now[name]))
		}
	}
	return list
}

func TestDiagnosis(t *testing.T) {
	const minute = 60
	used := func(n, most int64) func(int) map[string]int64 {
		return func(int) map[string]int64 {
			return map[string]int64{history.CounterPoolUsed: n, history.CounterPoolMax: most, history.CounterInFlight: 1}
		}
	}
	rate := func(by map[string]int64) func(int) map[string]int64 {
		return func(s int) map[string]int64 {
			now := map[string]int64{}
			for name, n := range by {
				now[name] = n * int64(s)
			}
			return now
		}
	}
	heap := func(start, perSecond int64) func(int) map[string]int64 {
		return func(s int) map[string]int64 {
			return map[string]int64{history.CounterHeap: start + perSecond*int64(s) + int64(s%7)<<20}
		}
	}
	ended := run(minute, history.RunLoadEnd)
	broken := []history.Event{faultStep(0, history.FaultInject)}
	for _, tt := range []struct {
		name   string
		events []history.Event
		want   []string // signs
		text   string   // of the first
	}{
		{"pool all in use", countsOf(0, minute, used(8, 8)), []string{"pool-saturated"}, "api-1 has too few connections to its database: all 8 were in use in 60 of 60 looks while nothing was broken"},
		{"pool not all in use", countsOf(0, minute, used(7, 8)), nil, ""},
		{"pool all in use while something is broken", join(broken, countsOf(0, minute, used(8, 8))), nil, ""},
		{"pool waited for", countsOf(0, minute, rate(map[string]int64{history.CounterPoolWaits: 30, history.CounterAttempts: 100})), []string{"pool-saturated"}, ""},
		{"connections held", join(countsOf(0, minute, used(3, 8)), ended, countsOf(minute+3, minute+9, used(3, 8))), []string{"connections-held"}, "api-1 holds 3 connections though nobody asks it for anything: they were not given back"},
		{"connections given back", join(countsOf(0, minute, used(3, 8)), ended, countsOf(minute, minute+1, used(3, 8)), countsOf(minute+3, minute+9, used(1, 8))), nil, ""},
		{"heap grows", countsOf(0, 20*minute, heap(40<<20, 100<<10)), []string{"heap-grows"}, "api-1 needs more and more memory: from 40 MiB to 128 MiB after each collection"},
		{"heap is steady", countsOf(0, 20*minute, heap(40<<20, 0)), nil, ""},
		{"heap grows for too short", countsOf(0, 5*minute, heap(40<<20, 1<<20)), nil, ""},
		{"cache missed", countsOf(0, minute, rate(map[string]int64{history.CounterCacheHits: 20, history.CounterCacheMisses: 80})), []string{"cache-missed"}, "api-1 finds 20 % of what it asks its cache for"},
		{"cache good", countsOf(0, minute, rate(map[string]int64{history.CounterCacheHits: 80, history.CounterCacheMisses: 20})), nil, ""},
		{"cache hardly asked", countsOf(0, minute, rate(map[string]int64{history.CounterCacheHits: 1, history.CounterCacheMisses: 9})), nil, ""},
		{"many queries", countsOf(0, minute, rate(map[string]int64{history.CounterRequests: 100, history.CounterAttempts: 1200})), []string{"many-queries"}, "api-1 asks its database 12 times for each request"},
		{"few queries", countsOf(0, minute, rate(map[string]int64{history.CounterRequests: 100, history.CounterAttempts: 300})), nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := judge(t, Spec{}, join(drillNo(0, 1), tt.events))
			var signs []string
			for _, d := range j.Diagnoses {
				signs = append(signs, d.Sign)
				if d.Node != "api-1" || len(d.Evidence) == 0 || d.Next == "" {
					t.Errorf("not whole: %+v", d)
				}
			}
			if diff := cmp.Diff(tt.want, signs); diff != "" {
				t.Fatalf("signs (-want +got):\n%s", diff)
			}
			if tt.text != "" && j.Diagnoses[0].Text != tt.text {
				t.Errorf("says %q, want %q", j.Diagnoses[0].Text, tt.text)
			}
		})
	}
}

// TestDiagnosisOfALawfulRun says that nothing is found where nothing is.
func TestDiagnosisOfALawfulRun(t *testing.T) {
	w := lawful()
	if j := judge(t, w.spec(), w.history()); len(j.Diagnoses) != 0 {
		t.Errorf("found %+v", j.Diagnoses)
	}
}

func TestDiagnosisOfStatements(t *testing.T) {
	statement := func(calls, fastest, pages, rows int64) history.Event {
		return history.Event{By: history.ByAudit, Kind: history.Info, Op: history.AuditStatement, Drill: 1, Node: "pg-1", Text: "SELECT a FROM t WHERE b = $1", Count: calls, Value: fastest, Amount: pages, Jobs: rows}
	}
	scan := func(times, rows int64) history.Event {
		return history.Event{By: history.ByAudit, Kind: history.Info, Op: history.AuditScan, Drill: 1, Node: "pg-1", Target: "t", Count: times, Value: rows, Amount: 120_000}
	}
	for _, tt := range []struct {
		name  string
		event history.Event
		sign  string // of the only finding; empty: none
		text  string
	}{
		{"slow at best", statement(1200, 25_000, 10, 1), "slow-statement", "pg-1 needs 25 ms and more for a statement that it was asked 1,200 times"},
		{"fast at best", statement(1200, 19_999, 10, 1), "", ""},
		{"asked seldom", statement(99, 25_000, 2300, 1), "", ""},
		{"reads much for little", statement(1200, 900, 2300, 1), "slow-statement", "pg-1 reads 2,300 pages for 1 row, 1,200 times"},
		{"reads much for much", statement(1200, 900, 2300, 5000), "", ""},
		{"no row", statement(1200, 900, 2300, 0), "slow-statement", "pg-1 reads 2,300 pages for 0 rows, 1,200 times"},
		{"read from end to end", scan(5200, 118_000), "missing-index", "pg-1 reads the table t from end to end over and over: 5,200 times"},
		{"read a little", scan(5200, 9_999), "", ""},
		{"read by the audit alone", scan(40, 118_000), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := judge(t, Spec{}, join(drillNo(0, 1), []history.Event{tt.event}))
			var signs, texts []string
			for _, d := range j.Diagnoses {
				signs, texts = append(signs, d.Sign), append(texts, d.Text)
				if d.Node != "pg-1" || len(d.Evidence) == 0 || d.Next == "" {
					t.Errorf("not whole: %+v", d)
				}
			}
			var wantSigns, wantTexts []string
			if tt.sign != "" {
				wantSigns, wantTexts = []string{tt.sign}, []string{tt.text}
			}
			if d := cmp.Diff(wantSigns, signs); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(wantTexts, texts); d != "" {
				t.Error(d)
			}
		})
	}
}
