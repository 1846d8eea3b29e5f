package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/stack"
)

// backupRows are the faults of backups. There has to be a backup first, which
// their probes see to. They look at what a restore would read: one that fails
// takes pgBackRest longer than a fault may take to be gone, since it tries again.
func backupRows(s *stack.Stack) []chaostest.Row {
	const primary = "postgres.primary"
	return []chaostest.Row{
		{Kind: "backup-corrupt", Family: "backups", Target: primary, Lasts: 6 * time.Second, Probe: backedUp(s, `
diff -rq "$repo/backup/ledger" /var/lib/pgbackrest/backup/ledger >/dev/null || echo broken`)},
		{Kind: "backup-remove-wal", Family: "backups", Target: primary, Lasts: 6 * time.Second, Probe: backedUp(s, `
label=$(ls "$repo/backup/ledger" | grep -E '^[0-9]{8}-[0-9]{6}F' | sort | tail -n 1)
segment=$(sed -n 's/^backup-archive-stop="\(.*\)"$/\1/p' "$repo/backup/ledger/$label/backup.manifest")
ls "$repo"/archive/ledger/*/*/"$segment"-* >/dev/null 2>&1 || echo broken`)},
	}
}

// backedUp is a probe that finds a backup broken if a script on a database node
// says so of the repository that is restored from.
func backedUp(s *stack.Stack, script string) chaostest.Probe {
	there := false
	return func(ctx context.Context) (bool, error) {
		node, err := s.Primary(ctx)
		if err != nil {
			return false, err
		}
		if !there {
			// What is broken is an incremental one, which restores need beside the full one.
			for _, kind := range []sut.BackupKind{sut.BackupFull, sut.BackupIncremental} {
				if _, backupErr := s.Backup(ctx, kind); backupErr != nil {
					return false, fmt.Errorf("take the backup to break: %w", backupErr)
				}
			}
			there = true
		}
		const repository = `repo=$(ls -d /var/lib/pgbackrest/copy-* 2>/dev/null | head -n 1); repo=${repo:-/var/lib/pgbackrest}`
		out, err := s.NodeExec(ctx, node.Name, nil, "sh", "-c", repository+script)
		return strings.Contains(out, "broken"), err
	}
}
