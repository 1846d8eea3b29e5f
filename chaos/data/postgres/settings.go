package postgres

import (
	"fmt"
	"strings"

	"github.com/proofload/proofload/chaos"
)

// A setting is a fault by settings of a server that a reload changes. They are
// set beside its own configuration (ALTER SYSTEM), which is not touched, and so
// survive a crash of the server.
type setting struct {
	chaos.Kind

	names  []string // of the settings
	values []string // theirs, in terms of the shell
	want   string   // what must hold before, beside what the settings need
	then   string   // optional, after the reload
	look   string
	gone   string
	by     string
}

// script makes the script of a setting.
func (s setting) script() chaos.Script {
	var save, set, reset strings.Builder
	for i, name := range s.names {
		fmt.Fprintf(&save, `want "not exists (select from pg_file_settings where name = '%s' and sourcefile like '%%.auto.conf')" \
	"%[1]s was set by ALTER SYSTEM before, which undoing would lose"
want "exists (select from pg_settings where name = '%[1]s' and source <> 'command line')" \
	"%[1]s was set on the command line of the server, and cannot be changed"
`, name)
		fmt.Fprintf(&set, ` -c "alter system set %s = %s"`, name, s.values[i])
		fmt.Fprintf(&reset, ` -c "alter system reset %s"`, name)
	}
	const reload = ` -c "select pg_reload_conf()" >/dev/null`
	undo := shellSQL + "sql" + reset.String() + reload
	s.Undone = "The settings are reset and reloaded; by a process left on the node when the time is over. A node that is down is mended when it is up."
	return chaos.Script{
		Kind: s.Kind, Roles: onServers(), Lasting: true,
		Save:   s.want + save.String(),
		Inject: shellSQL + chaos.ShellLater(undo) + "sql" + set.String() + reload + "\n" + s.then,
		Look:   shellSQL + s.look,
		Undo:   chaos.ShellEnd + undo,
		Gone:   shellOver + `replica && { echo "it is a replica now"; exit 0; }` + s.gone,
		By:     s.by,
	}
}

// readOnly refuses writes.
func readOnly() chaos.Script {
	const write = `
out=$(sql -c "begin; create temporary table proofload_probe (); rollback" 2>&1)
echo "a write: ${out:-done}"
`
	return setting{
		Kind: chaos.Kind{
			Name:    "pg-read-only",
			About:   "Makes all transactions of the primary read-only, as it is when its provider has run out of space for it: writes are refused, reads go on.",
			Touches: []string{touchesCommits},
		},
		names: []string{"default_transaction_read_only"}, values: []string{"on"},
		want: wantPrimary,
		look: write + `case "$out" in *"read-only transaction"*) ;; *) exit 1 ;; esac`,
		gone: write + `[ -z "$out" ]`,
		by:   "a write of the probe",
	}.script()
}

// shellCommit commits something that matters to nobody.
const shellCommit = `
commit() { timeout -s INT "$1" psql -XqAtw -U postgres -d postgres -c "select pg_logical_emit_message(true, 'proofload', 'a commit') is null" 2>&1; }
`

// syncStandbyMissing lets commits wait for ever.
func syncStandbyMissing() chaos.Script {
	return setting{
		Kind: chaos.Kind{
			Name: "pg-sync-standby-missing",
			About: "Names as the synchronous standby of the primary one that does not exist: each commit waits for it, though all of the " +
				"real ones are there.",
			Touches: []string{touchesCommits},
		},
		names: []string{"synchronous_standby_names"}, values: []string{`'\"$ID\"'`},
		want: wantPrimary,
		look: shellCommit + `
out=$(commit 0.5); echo "a commit: $out"
case "$out" in *"canceling wait for synchronous replication"*) ;; *) exit 1 ;; esac`,
		gone: shellCommit + `
out=$(commit 2); echo "a commit: $out"; [ "$out" = f ]`,
		by: "a commit of the probe",
	}.script()
}

// slowCommits makes each commit take longer.
func slowCommits() chaos.Script {
	const commit = `
ms=$(sql <<'END'
select clock_timestamp() as began \gset
select pg_logical_emit_message(true, 'proofload', 'a commit') as lsn \gset
select round(extract(epoch from clock_timestamp() - :'began') * 1000);
END
) || exit 1
echo "a commit took $ms ms"
`
	return setting{
		Kind: chaos.Kind{
			Name:    "pg-slow-commits",
			About:   "Makes the primary wait before it writes the log of a commit to its disk, as a slow disk does (commit_delay).",
			Touches: []string{touchesCommits},
			Params: []chaos.Param{
				{Name: "delay", Measure: chaos.Duration, Default: "100ms", About: "how long; 100ms is the most that Postgres can be told"},
			},
		},
		names: []string{"commit_delay", "commit_siblings"}, values: []string{"$((P_DELAY * 1000))", "0"},
		want: wantPrimary,
		look: commit + `[ "$ms" -ge "$P_DELAY" ]`,
		gone: commit + `[ "$ms" -lt "$P_DELAY" ]`,
		by:   "a commit of the probe",
	}.script()
}

// failArchiving lets no segment of the log be archived.
func failArchiving() chaos.Script {
	const archiver = `
last=$(sql -c "select coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false), failed_count, coalesce(last_archived_wal, 'nothing') from pg_stat_archiver") || exit 1
echo "failed last, failures, archived last: $last"
`
	return setting{
		Kind: chaos.Kind{
			Name:    "pg-fail-archiving",
			About:   "Makes the archiving of write-ahead log fail on the primary: segments are kept until it succeeds, and a backup cannot be restored past them.",
			Touches: []string{"archiving"},
		},
		names: []string{"archive_command"}, values: []string{"'false'"},
		want: wantPrimary + `want "current_setting('archive_mode') <> 'off'" "archiving is off: archive_mode = on takes a restart"
`,
		// A segment is archived when it is full, which may take a while.
		then: `sql -c "select pg_sleep(0.3)" -c "select pg_logical_emit_message(false, 'proofload', 'a segment')" -c "select pg_switch_wal()" >/dev/null`,
		look: archiver + `case "$last" in t*) ;; *) exit 1 ;; esac`,
		gone: archiver + `case "$last" in f*) ;; *) exit 1 ;; esac`,
		by:   "statistics of the archiver",
	}.script()
}
