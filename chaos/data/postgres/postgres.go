// Package postgres breaks PostgreSQL and PgBouncer by their own means: sessions
// that hold what others need, settings, and the console of the pooler.
//
// Whatever is injected ends by itself, also when nobody is left to undo it. A
// session ends with its client, which ends when its time is over; its server
// notices within a tenth of a second. A setting is set back by a process that is
// left beside the server.
package postgres

import (
	"regexp"
	"slices"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// Kinds returns the faults of this package.
func Kinds() []chaos.Kind {
	return []chaos.Kind{
		checked(terminate(), chaos.Between("every", 50*time.Millisecond, 5*time.Second)),
		checked(exhaustConnections()),
		checked(lockTable()),
		checked(slowQueries(), chaos.Between("delay", 50*time.Millisecond, 5*time.Second)),
		checked(idleInTransaction(), chaos.UpTo("rows", 10_000)),
		checked(fillSlot(), chaos.SizeUpTo("size", 1<<30)),
		checked(checkpointStorm(), chaos.Between("every", 100*time.Millisecond, 5*time.Second)),
		checked(pauseReplay()),
		checked(readOnly()),
		checked(syncStandbyMissing()),
		checked(slowCommits(), chaos.Between("delay", 10*time.Millisecond, 100*time.Millisecond)),
		checked(failArchiving()),
		checked(switchover()),
		checked(corruptBackup()),
		checked(removeSegment(), chaos.OneOf(paramSegment, segmentOfEnd, segmentBeyond)),
		checked(poolerPause()),
		checked(poolerKill()),
		checked(poolerDisable()),
		checked(poolerShrink(), chaos.UpTo("size", 100)),
	}
}

// What these faults touch of their targets.
const (
	touchesSessions = "sessions"
	touchesTables   = "tables"
	touchesCommits  = "commits"
	touchesPools    = "pools"
)

// The parameters that say where statements are run.
func databaseParam() chaos.Param {
	return chaos.Param{Name: "database", Measure: chaos.Text, Default: "ledger", About: "the database"}
}

func roleParam(about string) chaos.Param {
	return chaos.Param{Name: "role", Measure: chaos.Text, Default: "ledger", About: about}
}

func tableParam() chaos.Param {
	return chaos.Param{Name: "table", Measure: chaos.Text, About: "the table, for example transfers"}
}

// onServers and onPoolers are the nodes that scripts act on.
func onServers() []sut.Role { return []sut.Role{sut.RoleDatabase} }

func onPoolers() []sut.Role { return []sut.Role{sut.RolePooler} }

const (
	// shellSQL defines sql, which runs statements as the superuser, and want,
	// which refuses the target with a reason unless a condition holds.
	shellSQL = `
for bin in /usr/lib/postgresql/*/bin; do PATH="$bin:$PATH"; done # the wrapper in front of them takes longer than a statement
export PGHOST="${PGHOST:-/var/run/postgresql}" PGCONNECT_TIMEOUT=5
sql() { psql -XqAtw -v ON_ERROR_STOP=1 -U postgres -d "${P_DATABASE:-postgres}" "$@"; }
want() { is=$(sql -c "select $1") || exit 1; [ "$is" = t ] || { echo "$2"; exit 1; }; }
replica() { [ "$(sql -c 'select pg_is_in_recovery()')" = t ]; }
`
	// shellSession defines session, which leaves a session of the superuser that
	// carries out what it is given. It holds up nobody by what it writes.
	shellSession = shellSQL + chaos.ShellMarked + `
export PGAPPNAME="$ID" PGOPTIONS="-c client_connection_check_interval=100 -c statement_timeout=${TTL}s
-c idle_in_transaction_session_timeout=${TTL}s -c default_transaction_read_only=off -c synchronous_commit=off"
session() { leave psql -XqAtw -v ON_ERROR_STOP=1 -U postgres -d "${P_DATABASE:-postgres}" "$@"; }
`
	// shellOver wants the fault to have left no process.
	shellOver = `(` + chaos.ShellEnded + `) || exit 1
` + shellSQL

	wantPrimary = shellSQL + `want "not pg_is_in_recovery()" "it is a replica, and only the primary can do this"
`
	wantTable = wantPrimary + `want "to_regclass('$P_TABLE') is not null" "there is no table $P_TABLE in the database $P_DATABASE"
`
	wantRole = shellSQL + `want "exists (select from pg_roles where rolname = '$P_ROLE' and rolcanlogin)" "there is no role $P_ROLE that can log in"
`
)

// endingItself is how the faults of sessions are undone.
const endingItself = "The session is ended, and what it holds with it; it ends by itself when the time is over."

// checked makes the catalogue entry of a script whose parameters are bounded,
// and whose texts are names.
func checked(s chaos.Script, bounds ...chaos.Bound) chaos.Kind {
	for _, param := range s.Params {
		chosen := slices.ContainsFunc(bounds, func(b chaos.Bound) bool { return b.Param == param.Name })
		if param.Measure == chaos.Text && !chosen {
			bounds = append(bounds, chaos.Like(param.Name, name, "a name, for example public.orders"))
		}
	}
	return s.Bounded(bounds...)
}

// name is what the scripts take for a name: nothing that had to be quoted.
var name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)
