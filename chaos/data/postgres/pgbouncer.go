package postgres

import "github.com/proofload/proofload/chaos"

const (
	// shellConsole defines console, which tells the pooler something, and client,
	// which runs a statement through it within a time.
	shellConsole = shellSQL + `
at() { psql -XqAtw -h 127.0.0.1 -p 6432 -U postgres "$@" 2>&1; }
console() { at -d pgbouncer -c "$1"; }
client() { timeout "$1" psql -XqAtw -h 127.0.0.1 -p 6432 -U postgres -d "$P_DATABASE" -c 'select 1' 2>&1; }
`
	wantPool = shellConsole + `
console 'show databases' | cut -d '|' -f 1 | grep -qx "$P_DATABASE" || { echo "the pooler has no database $P_DATABASE"; exit 1; }
`
	// resumed ends a pause; that there is none is no error.
	resumed = shellConsole + `
out=$(console "resume $P_DATABASE") || case "$out" in *"not paused"*) ;; *) echo "$out"; exit 1 ;; esac`

	enabled = shellConsole + `console "enable $P_DATABASE"`

	// waits and served are what becomes of a client.
	waits = shellConsole + `
out=$(client 1); code=$?
echo "a statement through the pooler: ${out:-no answer within 1 s}"; [ "$code" -eq 124 ]`

	served = `(` + chaos.ShellEnded + `) || exit 1
` + shellConsole + `
out=$(client 2)
echo "a statement through the pooler: ${out:-no answer within 2 s}"; [ "$out" = 1 ]`
)

// console makes a fault that the console of the pooler is told to make and to
// end.
func console(k chaos.Kind, command, undo, look string) chaos.Script {
	k.Undone = "The pooler is told so; by a process left on its node when the time is over."
	k.Touches = []string{touchesPools}
	k.Params = []chaos.Param{databaseParam()}
	return chaos.Script{
		Kind: k, Roles: onPoolers(),
		Save:   wantPool,
		Inject: shellConsole + chaos.ShellLater(undo) + command,
		Look:   look,
		Undo:   chaos.ShellEnd + undo,
		Gone:   served,
		By:     "a statement of the probe through the pooler",
	}
}

// poolerPause holds all statements back.
func poolerPause() chaos.Script {
	return console(chaos.Kind{
		Name:  "pgbouncer-pause",
		About: "Pauses a database of PgBouncer: transactions that have begun may end, all others wait.",
	}, `
# It answers when all transactions have ended, which need not be waited for.
out=$(timeout 2 psql -XqAtw -h 127.0.0.1 -p 6432 -U postgres -d pgbouncer -c "pause $P_DATABASE" 2>&1)
code=$?; echo "$out"; [ "$code" -eq 0 ] || [ "$code" -eq 124 ]`, resumed, waits)
}

// poolerKill drops all connections of a database.
func poolerKill() chaos.Script {
	return console(chaos.Kind{
		Name:  "pgbouncer-kill",
		About: "Drops all connections of a database of PgBouncer at once, those of clients and those to the server; who connects again waits.",
	}, `console "kill $P_DATABASE"`, resumed, waits)
}

// poolerDisable turns new clients away.
func poolerDisable() chaos.Script {
	return console(chaos.Kind{
		Name:  "pgbouncer-disable",
		About: "Makes PgBouncer turn away who connects to a database; who is connected already goes on.",
	}, `console "disable $P_DATABASE"`, enabled, shellConsole+`
out=$(client 2); echo "a login at the pooler: $out"
case "$out" in *"is disabled"*|*"not allow connections"*) ;; *) exit 1 ;; esac`)
}

// poolerShrink leaves too few connections to the server.
func poolerShrink() chaos.Script {
	const pool = `
size=$(at -d pgbouncer -P tuples_only=off -c 'show databases' | awk -F '|' -v db="$P_DATABASE" '
	NR == 1 { for (i = 1; i <= NF; i++) if ($i == "pool_size") c = i }
	$1 == db { print $c }')
servers=$(console 'show servers' | awk -F '|' -v db="$P_DATABASE" '$3 == db' | wc -l)
echo "the pool of $P_DATABASE may have $size connections, and has $servers"
`
	const restore = shellConsole + `console "set default_pool_size = $SAVED"`
	s := console(chaos.Kind{
		Name:  "pgbouncer-shrink-pool",
		About: "Leaves the pools of PgBouncer fewer connections to the server: clients wait for one another. A database with a pool size of its own keeps it.",
	}, `console "set default_pool_size = $P_SIZE"`, restore, shellConsole+pool+`[ "$size" = "$P_SIZE" ] && [ "$servers" -le "$P_SIZE" ]`)
	s.Params = append(s.Params, chaos.Param{Name: "size", Measure: chaos.Count, Default: "1", About: "how many connections each pool may have"})
	s.Save = wantPool + `console 'show config' | awk -F '|' '$1 == "default_pool_size" { print $2 }'`
	s.Gone = `(` + chaos.ShellEnded + `) || exit 1
` + shellConsole + pool + `[ "$size" = "$SAVED" ]`
	s.By = "pools as the pooler lists them"
	return s
}
