//go:build integration

package stack

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/sut"
)

// commit carries out a statement on the primary.
func commit(t *testing.T, s *Stack, statement string) {
	t.Helper()
	primary, err := s.Primary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.NodeExec(t.Context(), primary.Name, nil, "psql", "-Xqw", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "ledger", "-c", statement); err != nil {
		t.Fatal(err)
	}
}

// putRow commits a row.
func putRow(t *testing.T, s *Stack, n int) {
	t.Helper()
	commit(t, s, fmt.Sprintf("insert into restore_test values (%d)", n))
}

// expectRestored restores a copy on a node that is not the primary.
func expectRestored(t *testing.T, s *Stack, to time.Time, want ...string) {
	t.Helper()
	primary, err := s.Primary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	nodes := slices.DeleteFunc(databaseNodes(), func(n string) bool { return n == primary.Name })
	began := time.Now()
	got, err := s.Restore(t.Context(), nodes[0], to, "select n, 'row' from restore_test order by n")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Rows, want) || got.Bytes == 0 || !got.Archived {
		t.Errorf("restored to %v: %+v; want the rows %q, all that was written archived", to, got, want)
	}
	t.Logf("restored %d bytes in %s", got.Bytes, time.Since(began).Round(time.Millisecond))
	left, err := s.NodeExec(t.Context(), nodes[0], nil, "sh", "-c", "ls -d /var/lib/postgresql/restored.* 2>/dev/null || true")
	if err != nil || left != "" {
		t.Errorf("left of the copy: %q, %v", left, err)
	}
}

// takeBackup takes a backup of a kind.
func takeBackup(t *testing.T, s *Stack, kind sut.BackupKind) sut.Backup {
	t.Helper()
	began := time.Now()
	b, err := s.Backup(t.Context(), kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s backup %s: %d bytes of %d copied, %d stored, in %s", b.Kind, b.Label, b.Copied, b.Bytes, b.Stored, time.Since(began).Round(time.Millisecond))
	if b.Kind != kind || b.Copied == 0 || b.Stored == 0 {
		t.Errorf("asked for a backup that is %s: %+v", kind, b)
	}
	return b
}

// testBackup takes backups and restores them, to a moment and as far as it goes.
func testBackup(t *testing.T, s *Stack) {
	t.Helper()
	primary, err := s.Primary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = s.Restore(t.Context(), primary.Name, time.Time{}, "select 1"); err == nil {
		t.Error("a restore without a backup went well")
	}
	if _, err = s.Backup(t.Context(), sut.BackupIncremental); err == nil || !strings.Contains(err.Error(), "take a full one before") {
		t.Errorf("an incremental backup without one before: %v", err)
	}
	commit(t, s, "create table restore_test (n int)")
	putRow(t, s, 1)
	full := takeBackup(t, s, sut.BackupFull)
	if full.Label == "" || full.Base != "" || full.Copied != full.Bytes || full.Stored >= full.Bytes {
		t.Errorf("full backup %+v", full)
	}
	putRow(t, s, 2)
	more := takeBackup(t, s, sut.BackupIncremental)
	if more.Base != full.Label || more.Label == full.Label || more.Copied >= full.Copied/2 || more.Stored >= full.Stored/2 {
		t.Errorf("incremental backup %+v on %+v", more, full)
	}
	commit(t, s, "select pg_sleep(1)") // pgBackRest counts seconds, and takes a backup only from before the moment
	moment := time.Now()
	putRow(t, s, 3)
	expectRestored(t, s, moment, "1|row", "2|row")
	expectRestored(t, s, time.Time{}, "1|row", "2|row", "3|row")
}

// testBackupOutlives sees that another primary goes on archiving into the same
// repository, and that a restore follows it.
func testBackupOutlives(t *testing.T, s *Stack) {
	t.Helper()
	putRow(t, s, 4)
	expectRestored(t, s, time.Time{}, "1|row", "2|row", "3|row", "4|row")
	if _, ok := sut.Environment(s).(sut.Restorer); !ok {
		t.Error("a stack is no sut.Restorer")
	}
}
