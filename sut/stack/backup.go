package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/proofload/proofload/sut"
)

// The bounds on what a backup and a restore may take. The log has a bound of its
// own: one that cannot be archived must not keep anybody from restoring what was.
const (
	backupTimeout  = 5 * time.Minute
	archiveTimeout = 10 * time.Second
)

// restoreSeconds bounds the life of a restored copy, whatever becomes of whoever
// asked for it.
const restoreSeconds = "600"

// backupScript makes the repository, unless it is there, and a backup in it. In
// place of an incremental backup that has none to begin at, pgBackRest would make
// a full one without a word, which is not what was asked for.
const backupScript = `
pgbackrest() { runuser -u postgres -- pgbackrest --stanza=ledger "$@"; }
pgbackrest stanza-create || exit 1
[ "$KIND" = full ] || pgbackrest info --output=json | grep -q '"label"' ||
	{ echo "there is no backup that an incremental one could begin at: take a full one before"; exit 1; }
pgbackrest --type="$KIND" backup && pgbackrest info --output=json`

// archiveScript has the log archived that was written until now. The transaction
// is for a restore to a moment, which stops only at one that is past it.
const archiveScript = `
sql() { psql -XAtqw -U postgres -d postgres "$@"; }
last=$(sql -c "select pg_current_xact_id()" -c "select pg_walfile_name(pg_switch_wal())" | tail -n 1)
until [ "$(sql -c "select left(last_archived_wal, 24) collate \"C\" >= '$last' from pg_stat_archiver")" = t ]; do sleep 0.1; done`

// restoreScript restores into a directory of its own, serves that on a socket
// which nobody else knows, lets a replica follow it, and removes all of it. Nothing
// is tried twice: what cannot be read from a disk is not there a quarter of a minute
// later either. What is restored archives nothing, or it would put a history of its own into the
// repository, and waits for no standby. Where a fault has made a damaged copy of
// the repository, that is what it restores from.
const restoreScript = `
dir=$(runuser -u postgres -- mktemp -d /var/lib/postgresql/restored.XXXXXX) || exit 1
bin=/usr/lib/postgresql/15/bin
as() { runuser -u postgres -- "$@"; }
sql() { as psql -XAtqw -v ON_ERROR_STOP=1 -h "$dir" -U postgres -d ledger "$@"; }
end() {
	trap '' EXIT INT TERM
	for d in replica data; do as $bin/pg_ctl -D "$dir/$d" -m immediate stop >/dev/null 2>&1; done
	rm -rf "$dir"
}
trap end EXIT
trap 'exit 1' INT TERM
serve() { # DIRECTORY PORT SETTINGS
	as $bin/pg_ctl -D "$dir/$1" -l "$dir/$1.log" -o "-k $dir -c listen_addresses= -c port=$2 -c hba_file=$dir/hba \
		-c ident_file=$dir/data/pg_ident.conf -c shared_buffers=64MB -c archive_mode=off -c synchronous_standby_names= -c primary_slot_name= $3" \
		start >/dev/null 2>&1
}
lives() { # DIRECTORY WHAT
	as $bin/pg_ctl -D "$dir/$1" status >/dev/null && return
	echo "the $2 ended:"
	grep -E 'FATAL|PANIC' "$dir/$1.log" | grep -v 'the database system is' | tail -n 3
	exit 1
}
as install -d -m 0700 "$dir/data"
printf 'local %s all trust\n' all replication >"$dir/hba" && chown postgres "$dir/hba" || exit 1
repo=$(ls -d /var/lib/pgbackrest/copy-* 2>/dev/null | head -n 1)
set -- --stanza=ledger --repo1-path="${repo:-/var/lib/pgbackrest}" --pg1-path="$dir/data"
[ -z "$TO" ] || set -- "$@" --type=time --target="$TO" --target-action=promote
as pgbackrest "$@" --job-retry=0 restore || exit 1
serve data 5432 "-c hot_standby=off -c primary_conninfo="
until [ "$(sql -c "select pg_is_in_recovery()" 2>/dev/null)" = f ]; do lives data "restored server"; sleep 0.1; done
as $bin/pg_basebackup -h "$dir" -U postgres -D "$dir/replica" -R --checkpoint=fast --no-sync --no-manifest || exit 1
serve replica 5433 "-c hot_standby=on -c restore_command= -c recovery_target_time="
sql -c "create table proofload_writable ()" || exit 1
n=0
until [ "$(sql -p 5433 -c "select to_regclass('proofload_writable') is not null and pg_is_in_recovery()" 2>/dev/null)" = t ]; do
	lives replica "replica of the restored server"
	n=$((n+1)); [ "$n" -lt 300 ] || { echo "a replica does not follow the restored server"; exit 1; }
	sleep 0.1
done
sql -c "drop table proofload_writable" || exit 1
sql -c "select pg_database_size(current_database())" || exit 1
sql -F '|' -c "$QUERY"`

// Backup implements [sut.Restorer], with pgBackRest, on the primary.
func (s *Stack) Backup(ctx context.Context, kind sut.BackupKind) (sut.Backup, error) {
	ctx, cancel := context.WithTimeout(ctx, backupTimeout)
	defer cancel()
	primary, err := s.Primary(ctx)
	if err != nil {
		return sut.Backup{}, fmt.Errorf("back up: %w", err)
	}
	variable := "KIND=" + map[sut.BackupKind]string{sut.BackupFull: backrestFull, sut.BackupIncremental: backrestIncremental}[kind]
	out, err := s.NodeExec(ctx, primary.Name, []string{variable}, "sh", "-c", backupScript)
	if err != nil {
		return sut.Backup{}, fmt.Errorf("back up: %w", err)
	}
	b, err := newestBackup(out)
	if err != nil {
		return sut.Backup{}, fmt.Errorf("back up: %w", err)
	}
	return b, nil
}

// What pgBackRest calls the kinds of backups.
const (
	backrestFull        = "full"
	backrestIncremental = "incr"
)

// newestBackup reads what pgBackRest says about its repository.
func newestBackup(info string) (sut.Backup, error) {
	var stanzas []struct {
		Backup []struct {
			Label string `json:"label"`
			Type  string `json:"type"`
			Prior string `json:"prior"`
			Error bool   `json:"error"`
			Info  struct {
				Size       int64 `json:"size"`
				Delta      int64 `json:"delta"`
				Repository struct {
					Delta int64 `json:"delta"`
				} `json:"repository"`
			} `json:"info"`
		} `json:"backup"`
	}
	if err := json.Unmarshal([]byte(info), &stanzas); err != nil {
		return sut.Backup{}, fmt.Errorf("read what pgBackRest says: %w", err)
	}
	if len(stanzas) == 0 || len(stanzas[0].Backup) == 0 {
		return sut.Backup{}, errors.New("there is none afterwards")
	}
	last := stanzas[0].Backup[len(stanzas[0].Backup)-1]
	if last.Error {
		return sut.Backup{}, fmt.Errorf("%s has pages that do not fit their checksums", last.Label)
	}
	kind := sut.BackupFull
	if last.Type != backrestFull {
		kind = sut.BackupIncremental
	}
	return sut.Backup{
		Label: last.Label, Kind: kind, Base: last.Prior,
		Bytes: last.Info.Size, Copied: last.Info.Delta, Stored: last.Info.Repository.Delta,
	}, nil
}

// Restore implements [sut.Restorer]. The copy uses memory and disk of the node.
func (s *Stack) Restore(ctx context.Context, node string, to time.Time, query string) (sut.Restored, error) {
	ctx, cancel := context.WithTimeout(ctx, backupTimeout)
	defer cancel()
	archived := s.archive(ctx) == nil
	if err := ctx.Err(); err != nil {
		return sut.Restored{}, fmt.Errorf("restore on %s: %w", node, err)
	}
	variables := []string{"TO=", "QUERY=" + query}
	if !to.IsZero() {
		variables[0] += to.UTC().Format("2006-01-02 15:04:05.000000+00")
	}
	out, err := s.NodeExec(ctx, node, variables, "timeout", restoreSeconds, "sh", "-c", restoreScript)
	if err != nil {
		return sut.Restored{}, fmt.Errorf("restore on %s: %w", node, err)
	}
	r, err := readRestored(out)
	if err != nil {
		return sut.Restored{}, fmt.Errorf("restore on %s: %w", node, err)
	}
	r.Archived = archived
	return r, nil
}

// archive has the log archived that was written until now.
func (s *Stack) archive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, archiveTimeout)
	defer cancel()
	primary, err := s.Primary(ctx)
	if err != nil {
		return err
	}
	seconds := strconv.Itoa(int(archiveTimeout.Seconds()))
	_, err = s.NodeExec(ctx, primary.Name, nil, "timeout", seconds, "sh", "-c", archiveScript)
	return err
}

// readRestored reads what the script of a restore prints: the size of the copy,
// and the rows.
func readRestored(out string) (sut.Restored, error) {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	size, err := strconv.ParseInt(lines[0], 10, 64)
	if err != nil {
		return sut.Restored{}, fmt.Errorf("read the restored copy: %q is no size", lines[0])
	}
	return sut.Restored{Rows: lines[1:], Bytes: size}, nil
}
