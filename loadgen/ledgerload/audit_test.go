package ledgerload

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// TestAuditThatCannotRead checks that an audit which finds nobody says so in
// the history and ends in time.
func TestAuditThatCannotRead(t *testing.T) {
	var file bytes.Buffer
	rec, err := history.NewRecorder(&file)
	if err != nil {
		t.Fatal(err)
	}
	noPrimary := errors.New("no leader")
	err = Audit(t.Context(), AuditConfig{
		Databases: map[string]string{"pg-1": "postgres://u@127.0.0.1:1/x"},
		Primary:   func(context.Context) (string, error) { return "", noPrimary },
		Workload:  newWorkload(t, 1),
		Drill:     2,
		Recorder:  rec,
		Quiesce:   10 * time.Millisecond,
	})
	if !errors.Is(err, noPrimary) {
		t.Errorf("Audit = %v, want %v", err, noPrimary)
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for e, err := range history.Read(&file) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if e.By != history.ByAudit || e.Op != history.AuditDone || e.Kind != history.Fail || e.Drill != 2 || !strings.Contains(e.Text, "no leader") {
			t.Errorf("event %+v, want a failed end of the audit", e)
		}
	}
	if n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}
