package explain

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
)

var began = time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)

func stamp(s float64) string {
	return began.Add(time.Duration(s * float64(time.Second))).Format(time.RFC3339Nano)
}

// result is one in which an instance does not notice that the primary is
// another one.
func result() *reports.Result {
	return &reports.Result{
		Run: "r1", Began: began, TookMS: 90_000,
		Judgement: check.Judgement{
			Objectives: []check.ObjectiveResult{
				{Subject: "steady", Metric: "p99", Outcome: check.Pass, Note: "100 operations"},
				{Subject: "after", Metric: "errors", Outcome: check.Fail, Reason: "errors in after were 50 % (limit 0.1 %)"},
			},
			Checks: []check.Verdict{{
				Check: "instances-recover", Outcome: check.Fail, Reason: "api-2 served 0 of 50 operations well at the end of drill 1 (status_5xx)",
				Groups: []check.Group{{
					Op: "create-transfer", Count: 12, Since: 22_000, Until: 63_500, ByNode: map[string]int{"api-2": 12},
					Cases: []check.Case{
						{At: 22_000, ID: "t-0000001", Node: "api-2", Correlation: "proofload-1-4", Text: "api-2 refused"},
						{At: 60_000, Correlation: "proofload-1-45", Worst: true, Text: "api-2 waited"},
					},
				}},
				Causes: []string{"api-2 answered 12 times with status_5xx, and no other instance so late"},
			}},
			Recoveries: []check.Recovery{{Event: "after", Drill: 1, Injected: 20_000, Impact: 100, Noticed: -1, Promoted: 3000, Rerouted: -1, FirstOK: -1, Steady: 9000}},
			Windows:    []check.Window{{Phase: "after", Op: "create-transfer", Count: 100, Errors: 50, ByErr: map[string]int64{"status_5xx": 48, "timeout": 2}}},
			Faults:     []check.FaultWindow{{Name: "primary-lost", From: 20_000, To: 50_000}},
		},
	}
}

func logs() fs.FS {
	readOnly := func(s float64) string {
		return fmt.Sprintf(`{"time":%q,"msg":"write failed","correlation_id":"proofload-1-4","error":"read-only (SQLSTATE 25006)"}`+"\n", stamp(s))
	}
	return fstest.MapFS{
		"api-1.log": {Data: []byte(`{"time":"` + stamp(-500) + `","error":"(SQLSTATE 25006)"}` + "\n")}, // of a run before
		"api-2.log": {Data: []byte(readOnly(24) + readOnly(63) + `{"correlation_id":"proofload-1-45"}` + "\x1b[31m\n" + `{"correlation_id":"proofload-1-456"}`)},
		"pg-1.log":  {Data: []byte("plain text about t-0000001\n")},
		"notes.txt": {Data: []byte("t-0000001")},
	}
}

func explain(t *testing.T, r *reports.Result, logs fs.FS, verdict string) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, r, logs, verdict); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCheck(t *testing.T) {
	want := `FAIL  instances-recover
  api-2 served 0 of 50 operations well at the end of drill 1 (status_5xx)

  create-transfer: 12 since 22.0 s (2.00 s after primary-lost), until 63.5 s
    by instance: api-2 12
    first: api-2 refused
      answered by api-2, correlation id proofload-1-4
      api-2: {"time":"2026-01-02T03:04:24Z","msg":"write failed","correlation_id":"proofload-1-4","error":"read-only (SQLSTATE 25006)"}
      api-2: {"time":"2026-01-02T03:05:03Z","msg":"write failed","correlation_id":"proofload-1-4","error":"read-only (SQLSTATE 25006)"}
      pg-1: plain text about t-0000001
    worst: api-2 waited
      correlation id proofload-1-45
      api-2: {"correlation_id":"proofload-1-45"}[31m

  probable cause:
    - api-2 logged SQLSTATE 25006 2 times: writes were sent to a server that is no primary; the last 40.0 s after the promotion, and api-1 did not: a pool of connections that did not notice
    - api-2 answered 12 times with status_5xx, and no other instance so late
`
	if diff := cmp.Diff(want, explain(t, result(), logs(), "instances-recover")); diff != "" {
		t.Errorf("explanation (-want +got):\n%s", diff)
	}
}

func TestObjective(t *testing.T) {
	want := "FAIL  after errors\n" + `  errors in after were 50 % (limit 0.1 %)
  drill 1: clients noticed after 100 ms, promoted after 3.00 s, served again after 9.00 s
  create-transfer: 50 of 100 failed: status_5xx 48, timeout 2
`
	if diff := cmp.Diff(want, explain(t, result(), nil, "after errors")); diff != "" {
		t.Errorf("explanation (-want +got):\n%s", diff)
	}
}

func TestAll(t *testing.T) {
	got := explain(t, result(), nil, "")
	if !strings.Contains(got, "FAIL  after errors\n") || !strings.Contains(got, "FAIL  instances-recover\n") || strings.Contains(got, "p99") {
		t.Errorf("explanation of all:\n%s", got)
	}
	sound := &reports.Result{Judgement: check.Judgement{Checks: []check.Verdict{{Check: "balances", Outcome: check.Pass}}}}
	if want, got := "All 1 verdicts are a pass: there is nothing to explain.\n", explain(t, sound, nil, ""); got != want {
		t.Errorf("explanation of a pass %q, want %q", got, want)
	}
	if got := explain(t, result(), nil, "steady p99"); got != "PASS  steady p99\n  100 operations\n" {
		t.Errorf("explanation of a pass that was asked for: %q", got)
	}
}

func TestNoSuchVerdict(t *testing.T) {
	err := Write(&strings.Builder{}, result(), nil, "p99")
	if want := `no verdict "p99" in run r1: there are "steady p99", "after errors", "instances-recover"`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

// FuzzLogs says that nothing that a system has logged can break an explanation, or
// steer a terminal.
func FuzzLogs(f *testing.F) {
	f.Add([]byte("{\"time\":\"2026-01-02T03:04:24Z\",\"correlation_id\":\"proofload-1-4\"} SQLSTATE 25006\n"))
	f.Add([]byte("\x1b[2J proofload-1-4\r\n\"time\":\"x\" SQLSTATE=\"08006\"\xff"))
	f.Fuzz(func(t *testing.T, log []byte) {
		got := explain(t, result(), fstest.MapFS{"api-2.log": {Data: log}}, "")
		if i := strings.IndexFunc(got, func(r rune) bool { return r < ' ' && r != '\n' }); i >= 0 {
			t.Errorf("the explanation has a control character: %q", got[i:])
		}
	})
}

// TestWriteDiagnoses says that what was found beside the verdicts is told after
// them, and not where one verdict is asked for.
func TestWriteDiagnoses(t *testing.T) {
	r := result()
	r.Objectives, r.Checks = r.Objectives[:1], nil
	r.Diagnoses = []check.Diagnosis{{
		Sign: "cache-missed", Node: "api-1", Text: "api-1 finds 20 % of what it asks its cache for",
		Evidence: []string{"20 hits and 80 misses"}, Next: "see whether keys repeat",
	}}
	for verdict, want := range map[string]string{
		"": `All 1 verdicts are a pass: there is nothing to explain.

FOUND  cache-missed
  api-1 finds 20 % of what it asks its cache for
  seen: 20 hits and 80 misses
  next: see whether keys repeat
`,
		"steady p99": `PASS  steady p99
  100 operations
`,
	} {
		var b strings.Builder
		if err := Write(&b, r, fstest.MapFS{}, verdict); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", verdict, diff)
		}
	}
}
