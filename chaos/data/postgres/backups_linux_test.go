package postgres

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

// askRepository stands in for pgBackRest, of which the faults ask nothing but
// whether a segment is in a repository, and what is wrong with a backup.
const askRepository = `#!/bin/sh
for a in "$@"; do case "$a" in --repo1-path=*) repo=${a#*=} ;; 0*) segment=$a ;; verify)
	grep -rq "###" "$repo/backup" && echo "  backup: 20260102-000000F, status: invalid, total files checked: 3, total valid files: 2"
	exit 0 ;;
esac; done
ls "$repo"/archive/ledger/15-1/*/"$segment"-* >/dev/null 2>&1 || exit 1
`

// A repository is one of pgBackRest, with two backups.
type repository struct{ dir, data, segment, next string }

// newRepository makes a repository, or skips the test where commands do not run
// as they do in a node.
func newRepository(t *testing.T) repository {
	t.Helper()
	if _, err := user.Lookup("postgres"); err != nil || os.Getuid() != 0 {
		t.Skip("needs to be root, and a user postgres")
	}
	dir, err := os.MkdirTemp("/tmp", "proofload-repository-") //nolint:usetesting // postgres has to get into it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	repo := filepath.Join(dir, "repo")
	const backup, archive = "repo/backup/ledger/20260102-000000F", "repo/archive/ledger/15-1/0000000100000000"
	for _, f := range [][2]string{
		{"bin/pgbackrest", askRepository},
		{"pgbackrest.conf", "[global]\nrepo1-path=" + repo + "\n"},
		{"repo/backup/ledger/backup.info", "[backrest]\n"},
		{"repo/backup/ledger/20260101-000000F/backup.manifest", "backup-archive-stop=\"000000010000000000000002\"\n"},
		{backup + "/backup.manifest", "[backup]\nbackup-archive-stop=\"000000010000000000000004\"\n"},
		{backup + "/pg_data/PG_VERSION", "15\n"},
		{backup + "/pg_data/base/1/1255.lz4", string(bytes.Repeat([]byte("data "), 100))},
		{archive + "/000000010000000000000002-aa.lz4", "segment"},
		{archive + "/000000010000000000000004-bb.lz4", "segment"},
		{archive + "/000000010000000000000004.00000028.backup", "label"},
		{archive + "/000000010000000000000005-cc.lz4", "segment"},
		{archive + "/000000010000000000000006-dd.lz4", "segment"},
		{"repo/archive/ledger/archive.info", "[db]\n"},
	} {
		file := filepath.Join(dir, f[0])
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(f[1]), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	t.Setenv("PGBACKREST_CONFIG", filepath.Join(dir, "pgbackrest.conf"))
	return repository{
		dir:     repo,
		data:    "backup/ledger/20260102-000000F/pg_data/base/1/1255.lz4",
		segment: "archive/ledger/15-1/0000000100000000/000000010000000000000004-bb.lz4",
		next:    "archive/ledger/15-1/0000000100000000/000000010000000000000005-cc.lz4",
	}
}

// differs is a probe that finds a file broken if it is not, in what is restored
// from, as it is in the repository, of which nothing may change.
func (r repository) differs(t *testing.T, file string) chaostest.Probe {
	t.Helper()
	want, err := os.ReadFile(filepath.Join(r.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return func(context.Context) (bool, error) {
		if got, err := os.ReadFile(filepath.Join(r.dir, file)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("the repository itself has changed: %v", err)
		}
		copies, err := filepath.Glob(filepath.Join(r.dir, "copy-*"))
		if len(copies) == 0 || err != nil {
			return false, err
		}
		got, err := os.ReadFile(filepath.Join(copies[0], file))
		if errors.Is(err, fs.ErrNotExist) {
			return true, nil
		}
		return !bytes.Equal(got, want), err
	}
}

func TestBackupFaults(t *testing.T) {
	r := newRepository(t)
	env := server{r.dir}
	for _, tt := range []struct {
		kind   chaos.Kind
		values map[string]string
		file   string
	}{
		{checked(corruptBackup()), nil, r.data},
		{checked(removeSegment()), nil, r.segment},
		{checked(removeSegment()), map[string]string{"segment": "next"}, r.next},
	} {
		t.Run(tt.kind.Name+tt.values["segment"], func(t *testing.T) {
			target := sut.Selection{Ref: node, Nodes: env.Topology().Nodes}
			chaostest.TestFault(t, env, tt.kind, chaos.Params{Target: target, Values: tt.values}, r.differs(t, tt.file))
			left, err := filepath.Glob(filepath.Join(r.dir, ".*-proofload-*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left of a copy: %q, %v", left, err)
			}
		})
	}
}

// TestNoSegmentToRemove wants nothing left where no log is archived after a backup.
func TestNoSegmentToRemove(t *testing.T) {
	r := newRepository(t)
	archive := filepath.Dir(filepath.Join(r.dir, r.next))
	for _, name := range []string{"000000010000000000000005-cc.lz4", "000000010000000000000006-dd.lz4"} {
		if err := os.Remove(filepath.Join(archive, name)); err != nil {
			t.Fatal(err)
		}
	}
	env := server{r.dir}
	kind := checked(removeSegment())
	p := chaos.Params{Target: sut.Selection{Ref: node, Nodes: env.Topology().Nodes}, Values: map[string]string{"segment": "next"}}
	f, err := kind.New(env, chaos.NewTargets(env), p)
	if err != nil {
		t.Fatal(err)
	}
	undo, err := f.Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.Inject(t.Context()); err == nil || !strings.Contains(err.Error(), "no log is archived from after 20260102-000000F") {
		t.Errorf("injected: %v", err)
	}
	if err = kind.Heal(t.Context(), env, undo); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(r.dir, "*proofload-*")); len(left) > 0 || err != nil {
		t.Errorf("left: %q, %v", left, err)
	}
}

// TestBackupFaultsNeedABackup wants them refused where there is nothing to break.
func TestBackupFaultsNeedABackup(t *testing.T) {
	r := newRepository(t)
	if err := os.RemoveAll(filepath.Join(r.dir, "backup")); err != nil {
		t.Fatal(err)
	}
	env := server{r.dir}
	kind := checked(corruptBackup())
	f, err := kind.New(env, chaos.NewTargets(env), chaos.Params{Target: sut.Selection{Ref: node, Nodes: env.Topology().Nodes}})
	if err != nil {
		t.Fatal(err)
	}
	if undo, err := f.Prepare(t.Context()); err == nil {
		t.Errorf("prepared without a backup: %+v", undo)
	} else {
		t.Log(err)
	}
}

// TestCorruptBackupIsVerified wants what pgBackRest itself says of the damage.
func TestCorruptBackupIsVerified(t *testing.T) {
	env := server{newRepository(t).dir}
	kind := checked(corruptBackup())
	f, err := kind.New(env, chaos.NewTargets(env), chaos.Params{Target: sut.Selection{Ref: node, Nodes: env.Topology().Nodes}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	active, err := f.Inject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen, err := active.Settle(t.Context())
	if err != nil || !strings.Contains(seen.Saw, "differs") || !strings.Contains(seen.Saw, "status: invalid, total files checked: 3, total valid files: 2") {
		t.Errorf("seen %q, %v", seen.Saw, err)
	}
	if err = active.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen, err = active.Recovered(t.Context())
	if err != nil || !strings.Contains(seen.Saw, "finds nothing wrong with 20260102-000000F") {
		t.Errorf("seen %q, %v", seen.Saw, err)
	}
}
