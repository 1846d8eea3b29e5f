package postgres

import "github.com/proofload/proofload/chaos"

// terminate ends the sessions of the application.
func terminate() chaos.Script {
	// As a client finds out: its session does not live for long.
	const client = `
out=$(psql -XqAtw -U "$P_ROLE" -d "$P_DATABASE" -c "select pg_sleep($P_EVERY * 2 / 1000.0)" 2>&1)
`
	return chaos.Script{
		Kind: chaos.Kind{
			Name:    "pg-terminate",
			About:   "Terminates all sessions of a role on a Postgres node, again and again: their clients get an error and have to connect anew.",
			Undone:  "The session that terminates the others is ended; it ends by itself when the time is over.",
			Touches: []string{touchesSessions},
			Params: []chaos.Param{
				roleParam("whose sessions are terminated"), databaseParam(),
				{Name: "every", Measure: chaos.Duration, Default: "500ms", About: "how often"},
			},
		},
		Roles: onServers(),
		Save:  wantRole,
		// Each round is a transaction of its own: it sees who is there now.
		Inject: shellSession + `
session -c "do \$\$ begin loop
	perform pg_terminate_backend(pid) from pg_stat_activity where usename = '$P_ROLE' and pid <> pg_backend_pid();
	commit;
	perform pg_sleep($P_EVERY / 1000.0);
end loop; end \$\$"`,
		Look: shellSQL + client + `
echo "a session of $P_ROLE: ${out:-ended when it was done}"
case "$out" in *"administrator command"*) ;; *) exit 1 ;; esac`,
		Undo: chaos.ShellEnd,
		Gone: shellOver + client + `
echo "a session of $P_ROLE: ${out:-ended when it was done}"; [ -z "$out" ]`,
		By: "a session of the probe",
	}
}

// exhaustConnections takes all connections that there are.
func exhaustConnections() chaos.Script {
	return chaos.Script{
		Kind: chaos.Kind{
			Name: "pg-exhaust-connections",
			About: "Takes all connections of a Postgres node that are not reserved for superusers, those of the application too, by sessions " +
				"that do nothing: nobody else can connect.",
			Undone:  "The process that holds the connections is killed; it ends by itself when the time is over.",
			Touches: []string{touchesSessions},
			Params:  []chaos.Param{roleParam("as whom connections are taken, and whose are taken away"), databaseParam()},
		},
		Roles: onServers(),
		Save: wantRole + `
python3 -c 'import psycopg2' || { echo "the node has no Python with psycopg2"; exit 1; }`,
		// What others free is taken again.
		Inject: chaos.ShellMarked + shellSQL + `
leave python3 -c '
import os, time, psycopg2
role, at = os.environ["P_ROLE"], {"dbname": os.environ["P_DATABASE"], "application_name": os.environ["ID"]}
admin = psycopg2.connect(user="postgres", **at)
admin.autocommit = True
held = []
while True:
    try:
        held.append(psycopg2.connect(user=role, **at))
    except psycopg2.OperationalError:
        admin.cursor().execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = %s and application_name <> %s",
            (role, os.environ["ID"]))
        time.sleep(0.1)
'`,
		Look: shellSQL + `
out=$(psql -XqAtw -U "$P_ROLE" -d "$P_DATABASE" -c 'select 1' 2>&1)
echo "a login as $P_ROLE: $out"
case "$out" in *"connection slots"*|*"too many clients"*) ;; *) exit 1 ;; esac`,
		Undo: chaos.ShellEnd,
		Gone: shellOver + `
out=$(psql -XqAtw -U "$P_ROLE" -d "$P_DATABASE" -c 'select 1' 2>&1)
echo "a login as $P_ROLE: $out"; [ "$out" = 1 ]`,
		By: "a login of the probe",
	}
}

// lockTable locks out everybody.
func lockTable() chaos.Script {
	const statement = `
out=$(sql -c "set lock_timeout = 300" -c "select from $P_TABLE limit 0" 2>&1)
echo "a statement on $P_TABLE: ${out:-done}"
`
	return chaos.Script{
		Kind: chaos.Kind{
			Name:    "pg-lock-table",
			About:   "Locks a table on the primary against everybody (ACCESS EXCLUSIVE), as a forgotten migration does: each statement on it waits.",
			Undone:  endingItself,
			Touches: []string{touchesTables},
			Params:  []chaos.Param{tableParam(), databaseParam()},
		},
		Roles:  onServers(),
		Save:   wantTable,
		Inject: shellSession + `session -c "begin; lock table $P_TABLE in access exclusive mode; select pg_sleep($TTL)"`,
		Look:   shellSQL + statement + `case "$out" in *"lock timeout"*) ;; *) exit 1 ;; esac`,
		Undo:   chaos.ShellEnd,
		Met:    shellSQL + waiters,
		Gone:   shellOver + statement + `[ -z "$out" ]`,
		By:     "a statement of the probe",
	}
}

// waiters counts the clients that wait for the table. The probe, whose statement
// is over, is none of them.
const waiters = `
n=$(sql -c "select count(*) from pg_locks l join pg_stat_activity a using (pid) where l.relation = '$P_TABLE'::regclass
	and not l.granted and a.backend_type = 'client backend'") || exit 1
echo "$n clients wait for $P_TABLE"; [ "$n" -gt 0 ]
`

// slowQueries makes statements wait, and then succeed.
func slowQueries() chaos.Script {
	const statement = `
ms=$(sql <<END
select clock_timestamp() as began \gset
select from $P_TABLE limit 0;
select round(extract(epoch from clock_timestamp() - :'began') * 1000);
END
)
ms=$(echo "$ms" | tail -n 1)
echo "a statement on $P_TABLE took $ms ms"
`
	return chaos.Script{
		Kind: chaos.Kind{
			Name: "pg-slow-queries",
			About: "Makes statements on a table of the primary slow: a session locks it, lets those that wait through, and locks it again. " +
				"A statement takes up to the delay longer, and none fails by it.",
			Undone:  endingItself,
			Touches: []string{touchesTables},
			Params: []chaos.Param{
				tableParam(), databaseParam(),
				{Name: "delay", Measure: chaos.Duration, Default: "500ms", About: "how long the table is locked each time; it is free for a quarter of that in between"},
			},
		},
		Roles: onServers(),
		Save:  wantTable,
		Inject: shellSession + `
session -c "do \$\$ begin loop
	lock table $P_TABLE in access exclusive mode;
	perform pg_sleep($P_DELAY / 1000.0);
	commit;
	perform pg_sleep($P_DELAY / 4000.0);
end loop; end \$\$"`,
		Look: shellSQL + statement + `[ "$ms" -ge $((P_DELAY / 4)) ]`,
		Undo: chaos.ShellEnd,
		Gone: shellOver + statement + `[ -n "$ms" ]`,
		By:   "a statement of the probe",
	}
}

// idleInTransaction forgets to commit.
func idleInTransaction() chaos.Script {
	const statement = `
out=$(sql -c "begin; set local synchronize_seqscans = off; select from $P_TABLE limit 1 for key share nowait; rollback" 2>&1)
echo "a lock of the first row of $P_TABLE: ${out:-had}"
`
	return chaos.Script{
		Kind: chaos.Kind{
			Name: "pg-idle-in-transaction",
			About: "Leaves a transaction open on the primary that has locked rows of a table and does nothing: changes of these rows wait, " +
				"and nothing that was deleted since can be vacuumed.",
			Undone:  endingItself,
			Touches: []string{touchesTables},
			Params: []chaos.Param{
				tableParam(), databaseParam(),
				{Name: "rows", Measure: chaos.Count, Default: "100", About: "how many rows: the first that a scan finds"},
			},
		},
		Roles: onServers(),
		Save:  wantTable + `want "exists (select from $P_TABLE)" "there is no row in $P_TABLE"`,
		// The client waits for its next statement, and so does the server. Who loses
		// to a deadlock begins again.
		Inject: shellSession + `
leave sh -c 'while :; do
	{ echo "begin; set local synchronize_seqscans = off; select count(*) from (select from $P_TABLE limit $P_ROWS for update) rows;"; sleep "$TTL"; } |
		psql -XqAtw -v ON_ERROR_STOP=1 -U postgres -d "$P_DATABASE"
	sleep 0.2
done'`,
		Look: shellSQL + statement + `case "$out" in *"could not obtain lock"*) ;; *) exit 1 ;; esac`,
		Undo: chaos.ShellEnd,
		Gone: shellOver + `replica && { echo "it is a replica now"; exit 0; }` + statement + `[ -z "$out" ]`,
		By:   "a lock of the probe",
	}
}

// fillSlot keeps write-ahead log that nobody reads.
func fillSlot() chaos.Script {
	return chaos.Script{
		Kind: chaos.Kind{
			Name: "pg-fill-slot",
			About: "Makes a replication slot on the primary that nobody reads from, and writes log: all of the write-ahead log is kept from " +
				"then on, and fills the disk.",
			Undone:  "The session that owns the slot is ended, and the slot is dropped with it; it ends by itself when the time is over. The next checkpoint removes the log.",
			Touches: []string{"slots"},
			Params: []chaos.Param{
				{Name: "size", Measure: chaos.Size, Default: "64MiB", About: "how much is written beside what others write"},
			},
		},
		Roles: onServers(),
		Save:  wantPrimary,
		Inject: shellSession + `
session -c "select pg_create_physical_replication_slot(translate('$ID', '-', '_'), true, true)" \
	-c "select count(pg_logical_emit_message(false, 'proofload', repeat('x', 1024))) from generate_series(1, $P_SIZE / 1024)" \
	-c "select pg_sleep($TTL)"`,
		Look: shellSQL + `
kept=$(sql -c "select coalesce(max(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn)), 0) from pg_replication_slots where slot_name = translate('$ID', '-', '_')")
echo "the slot keeps $kept bytes"; [ "$kept" -ge "$P_SIZE" ]`,
		Undo: chaos.ShellEnd,
		Gone: shellOver + `
n=$(sql -c "select count(*) from pg_replication_slots where slot_name = translate('$ID', '-', '_')")
echo "$n slots of its left"; [ "$n" = 0 ]`,
		By: "replication slots as the server lists them",
	}
}

// checkpointStorm writes everything to disk all the time.
func checkpointStorm() chaos.Script {
	const last = `sql -c "select checkpoint_lsn from pg_control_checkpoint()"`
	const twice = `
a=$(` + last + `) || exit 1
sql -c "select pg_sleep($P_EVERY * 2 / 1000.0)"
b=$(` + last + `)
echo "the last checkpoint was at $a, and later at $b"
`
	return chaos.Script{
		Kind: chaos.Kind{
			Name: "pg-checkpoint-storm",
			About: "Makes a Postgres node write a checkpoint again and again: its disk is busy, and each page that changes goes to the " +
				"write-ahead log as a whole.",
			Undone:  "The session that asks for checkpoints is ended; it ends by itself when the time is over.",
			Touches: []string{"checkpoints"},
			Params: []chaos.Param{
				{Name: "every", Measure: chaos.Duration, Default: "1s", About: "the pause after each"},
			},
		},
		Roles: onServers(),
		Save:  wantPrimary,
		Inject: shellSession + `
session -c "do \$\$ begin loop
	checkpoint;
	commit;
	perform pg_sleep($P_EVERY / 1000.0);
end loop; end \$\$"`,
		Look: shellSQL + twice + `[ "$a" != "$b" ]`,
		Undo: chaos.ShellEnd,
		Gone: shellOver + twice + `[ "$a" = "$b" ]`,
		By:   "the control file of the server",
	}
}

// pauseReplay lets a replica receive, and not show it. It does not ask the server
// to pause (pg_wal_replay_pause), which an agent such as Patroni ends within a
// second.
func pauseReplay() chaos.Script {
	const resume = `
case "$(tr '\0' ' ' <"/proc/$SAVED/cmdline" 2>/dev/null)" in "postgres: "*startup*) kill -CONT "$SAVED" ;; esac`
	const state = `
state=$(sed 's/.*) //; s/ .*//' "/proc/$SAVED/stat" 2>/dev/null)
behind=$(sql -c "select pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())")
echo "the process that replays is in state ${state:-none}, ${behind:-no} bytes behind what was received"
`
	return chaos.Script{
		Kind: chaos.Kind{
			Name: "pg-pause-replay",
			About: "Stops the process of a replica that replays: the replica goes on to receive and to acknowledge the write-ahead log, and its " +
				"readers are shown what was true when it began.",
			Undone:  "The process goes on; by another one left on the node when the time is over.",
			Touches: []string{"replay"},
		},
		Roles: onServers(),
		Save: shellSQL + `want "pg_is_in_recovery()" "it is the primary, and only a replica replays"
sql -c "select pid from pg_stat_activity where backend_type = 'startup'"`,
		Inject: chaos.ShellLater(resume) + `kill -STOP "$SAVED"`,
		Look:   shellSQL + state + `[ "$state" = T ]`,
		Undo:   chaos.ShellEnd + resume,
		Gone:   shellOver + state + `[ "$state" != T ]`,
		By:     "the state of the process, as the kernel says",
	}
}
