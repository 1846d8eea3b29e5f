// Package cache breaks Redis by its own commands.
//
// Whatever is injected ends by itself, also when nobody is left to undo it: what
// is done again and again is done by a process whose time ends, and a setting is
// set back by a process that is left beside the server. What is changed is in the
// memory of the server, and so dies with it.
package cache

import (
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// Kinds returns the faults of this package.
func Kinds() []chaos.Kind {
	return []chaos.Kind{
		pauseWrites().Bounded(),
		flush().Bounded(every()),
		killClients().Bounded(every()),
		slow().Bounded(chaos.Between("delay", 10*time.Millisecond, 2*time.Second)),
		full().Bounded(),
		evict().Bounded(chaos.SizeUpTo("size", 64<<20)),
		readOnly().Bounded(),
		masterDown().Bounded(),
		loading().Bounded(),
		failover(),
	}
}

// What these faults touch of their targets.
const (
	touchesData    = "keys"
	touchesClients = "clients"
	touchesMemory  = "maxmemory"
	touchesRole    = "replication"
)

func onCaches() []sut.Role { return []sut.Role{sut.RoleCache} }

// everyParam says how often something is done again.
func everyParam() chaos.Param {
	return chaos.Param{Name: "every", Measure: chaos.Duration, Default: "500ms", About: "how often"}
}

func every() chaos.Bound { return chaos.Between("every", 100*time.Millisecond, 5*time.Second) }

const (
	// shellRedis defines cli, which sends one command, within some seconds, and
	// fails if the answer is an error, and probe, which does so as a client would,
	// within a part of a second.
	shellRedis = `
cli() { out=$(timeout 5 redis-cli -h 127.0.0.1 "$@" 2>&1) || { echo "${out:-no answer}"; return 1; }; echo "$out"
	case "$out" in ERR*|OOM*|*" Redis is loading"*|NOAUTH*|"Could not connect"*) return 1 ;; esac; }
probe() { p=$(timeout 0.4 redis-cli -h 127.0.0.1 "$@" 2>&1) || p="${p:-no answer within 0.4 s}"; echo "$* is answered by: $p"; }
seconds() { printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)); }
`
	// shellOver wants the fault to have left no process.
	shellOver = `(` + chaos.ShellEnded + `) || exit 1
` + shellRedis

	// shellAgain defines again, which leaves a process that sends a command each
	// P_EVERY.
	shellAgain = shellRedis + chaos.ShellMarked + `
again() { leave sh -c 'pause=$1; shift; while :; do redis-cli -h 127.0.0.1 "$@"; sleep "$pause"; done' again "$(seconds "$P_EVERY")" "$@"; }
`
)

// Statements about how a fault ends.
const (
	endingAgain   = "The process that does it again and again is killed; it ends by itself when the time is over."
	endingSetting = "Redis is told so; by a process left on its node when the time is over, or by its end."
)

const (
	// write is what a client finds out that writes.
	write = `probe set proofload:probe 1 px 500
`
	written = write + `[ "$p" = OK ]`
)

// pauseWrites holds back what changes something.
func pauseWrites() chaos.Script {
	return chaos.Script{
		Kind: chaos.Kind{
			Name:    "redis-pause-writes",
			About:   "Holds all writes to Redis back (CLIENT PAUSE): they wait, and so does what their clients send after them; reads are answered.",
			Undone:  "Redis is told to go on; it does so by itself when the time is over.",
			Touches: []string{touchesClients},
		},
		Roles:  onCaches(),
		Inject: shellRedis + `cli client pause $((TTL * 1000)) write`,
		Look:   shellRedis + write + `case "$p" in "no answer"*) ;; *) exit 1 ;; esac`,
		Undo:   shellRedis + `cli client unpause`,
		Gone:   shellRedis + written,
		By:     "a write of the probe",
	}
}

// flush forgets everything.
func flush() chaos.Script {
	const twice = `
probe set "proofload:kept:$ID" 1 px 60000
sleep "$(seconds $((P_EVERY * 2)))"
probe exists "proofload:kept:$ID"
`
	return chaos.Script{
		Kind: chaos.Kind{
			Name:    "redis-flush",
			About:   "Deletes all keys of Redis, again and again: nothing is found there for long. What was deleted does not come back.",
			Undone:  endingAgain,
			Touches: []string{touchesData},
			Params:  []chaos.Param{everyParam()},
		},
		Roles:  onCaches(),
		Inject: shellAgain + `again flushall async`,
		Look:   shellRedis + twice + `[ "$p" = 0 ]`,
		Undo:   chaos.ShellEnd,
		Gone:   shellOver + twice + `[ "$p" = 1 ]`,
		By:     "a key of the probe",
	}
}

// killClients closes all connections.
func killClients() chaos.Script {
	// A connection of the probe, which says nothing, and hears of its end.
	const idle = `
exec 3<>/dev/tcp/127.0.0.1/6379 || exit 1
read -r -t "$(seconds $((P_EVERY * 2 + 200)))" answer <&3; code=$?
`
	const connection = shellRedis + `export P_EVERY
code=$(bash -c 'seconds() { printf "%d.%03d" $(($1 / 1000)) $(($1 % 1000)); }` + idle + `echo $code')
[ "$code" -gt 128 ] && said="lived as long as it was wanted" || said="was closed"
echo "a connection of the probe $said"
`
	return chaos.Script{
		Kind: chaos.Kind{
			Name:    "redis-kill-clients",
			About:   "Closes all connections of clients to Redis, again and again: they have to connect anew.",
			Undone:  endingAgain,
			Touches: []string{touchesClients},
			Params:  []chaos.Param{everyParam()},
		},
		Roles:  onCaches(),
		Inject: shellAgain + `again client kill type normal` + "\n" + `again client kill type pubsub`,
		Look:   connection + `[ "$said" = "was closed" ]`,
		Undo:   chaos.ShellEnd,
		Gone:   `(` + chaos.ShellEnded + `) || exit 1` + connection + `[ "$said" != "was closed" ]`,
		By:     "a connection of the probe",
	}
}

// slow keeps the one thread of Redis busy.
func slow() chaos.Script {
	const ping = `
begin=$(date +%s%N)
redis-cli -h 127.0.0.1 ping >/dev/null || exit 1
ms=$((($(date +%s%N) - begin) / 1000000))
echo "a ping took $ms ms"
`
	return chaos.Script{
		Kind: chaos.Kind{
			Name: "redis-slow",
			About: "Keeps the one thread of Redis busy for a while, again and again, as commands over many keys do: whatever comes meanwhile waits. " +
				"It takes most of a processor.",
			Undone:  endingAgain,
			Touches: []string{touchesClients, chaos.TouchesCPU},
			Params: []chaos.Param{
				{Name: "delay", Measure: chaos.Duration, Default: "200ms", About: "for how long each time; it is idle for a quarter of that in between"},
			},
		},
		Roles: onCaches(),
		Inject: shellRedis + chaos.ShellMarked + `
leave sh -c 'while :; do
	redis-cli -h 127.0.0.1 eval "
		local function now() local t = redis.call(\"time\"); return t[1] * 1000 + t[2] / 1000 end
		local over = now() + ARGV[1]
		while now() < over do end" 0 "$P_DELAY"
	sleep "$1"
done' slow "$(seconds $((P_DELAY / 4)))"`,
		// Of several one comes while it is busy.
		Look: shellRedis + `most=0; for i in 1 2 3 4; do ` + ping + `[ "$ms" -le "$most" ] || most=$ms; done; [ "$most" -ge $((P_DELAY / 2)) ]`,
		Undo: chaos.ShellEnd,
		Gone: shellOver + ping,
		By:   "pings of the probe",
	}
}
