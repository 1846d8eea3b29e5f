package postgres

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos/chaostest"
)

// TestReplica takes the fault of a replica through its life on one.
func TestReplica(t *testing.T) {
	s := newServer(t)
	replica := server{filepath.Join(s.dir, "replica")}
	run := func(argv ...string) *exec.Cmd {
		c := exec.CommandContext(context.WithoutCancel(t.Context()), argv[0], argv[1:]...)
		c.Dir, c.SysProcAttr, c.Stderr = s.dir, &syscall.SysProcAttr{Credential: nobody(t, s.dir)}, t.Output()
		return c
	}
	err := run("pg_basebackup", "-h", s.dir, "-U", "postgres", "-D", replica.dir, "-R", "--checkpoint=fast", "--no-sync").Run()
	if err != nil {
		t.Fatal(err)
	}
	c := run("postgres", "-D", replica.dir, "-k", replica.dir)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGQUIT) // it may have ended
		_ = c.Wait()                          // says by what it was ended
	})
	behind := func(ctx context.Context) (bool, error) {
		written, err := s.sql(ctx, "ledger", "insert into transfers values (0)", "select count(*) from transfers")
		if err != nil {
			return false, err
		}
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		for ctx.Err() == nil {
			if read, err := replica.sql(ctx, "ledger", "select count(*) from transfers"); err == nil && read == written {
				return false, nil
			}
		}
		return true, nil
	}
	s.await(t, func(ctx context.Context) error {
		if old, err := behind(ctx); err != nil || old {
			return errors.Join(errors.New("the replica does not follow"), err)
		}
		return nil
	})
	chaostest.TestFault(t, replica, kind(t, "pg-pause-replay"), replica.params(nil, time.Minute), behind)
}
