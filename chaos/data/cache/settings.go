package cache

import "github.com/proofload/proofload/chaos"

// shellMemory defines value, which reads a setting, and restores both settings of
// memory from what was saved.
const shellMemory = shellRedis + `
value() { redis-cli -h 127.0.0.1 config get "$1" | tail -n 1; }
info() { redis-cli -h 127.0.0.1 info "$1" | tr -d '\r' | awk -F : -v want="$2" '$1 == want { print $2 }'; }
`

// The settings of memory, as they were saved: how much, the policy, and how many
// keys had been evicted.
const (
	saveMemory    = shellMemory + `echo "$(value maxmemory) $(value maxmemory-policy) $(info stats evicted_keys)"`
	restoreMemory = shellMemory + `set -- $SAVED; cli config set maxmemory "$1" maxmemory-policy "$2"`
)

// full leaves no memory for what is new.
func full() chaos.Script {
	return chaos.Script{
		Kind: chaos.Kind{
			Name:    "redis-oom",
			About:   "Lets Redis have no memory left and evict nothing: writes are refused with OOM, reads and deletes go on.",
			Undone:  endingSetting,
			Touches: []string{touchesMemory},
		},
		Roles:  onCaches(),
		Save:   saveMemory,
		Inject: shellMemory + chaos.ShellLater(restoreMemory) + `cli config set maxmemory 1 maxmemory-policy noeviction`,
		Look:   shellRedis + write + `case "$p" in OOM*) ;; *) exit 1 ;; esac`,
		Undo:   chaos.ShellEnd + restoreMemory,
		Gone:   shellOver + written,
		By:     "a write of the probe",
	}
}

// evict leaves less memory than there is data.
func evict() chaos.Script {
	return chaos.Script{
		Kind: chaos.Kind{
			Name: "redis-evict",
			About: "Leaves Redis less memory than it has in use, so that it evicts keys, those first that were not used for long, and one for each " +
				"that comes. It is filled with keys of the fault's own before.",
			Undone:  endingSetting + " The fault's own keys expire or are deleted; others that were evicted do not come back.",
			Touches: []string{touchesMemory, touchesData},
			Params: []chaos.Param{
				{Name: "size", Measure: chaos.Size, Default: "4MiB", About: "how much less than there is in use"},
			},
		},
		Roles: onCaches(),
		Save:  saveMemory,
		Inject: shellMemory + chaos.ShellLater(restoreMemory) + `
cli eval "for i = 1, ARGV[1] do redis.call('set', KEYS[1] .. i, string.rep('x', 16000), 'ex', ARGV[2]) end" 1 "proofload:$ID:" $((P_SIZE / 8192)) "$TTL" &&
cli config set maxmemory $(($(info memory used_memory) - P_SIZE)) maxmemory-policy allkeys-lru`,
		Look: shellMemory + `
set -- $SAVED
n=$(($(info stats evicted_keys) - $3)); echo "$n keys were evicted"; [ "$n" -gt 0 ]`,
		Undo: chaos.ShellEnd + restoreMemory + ` || exit 1
redis-cli -h 127.0.0.1 --scan --pattern "proofload:$ID:*" | xargs -r redis-cli -h 127.0.0.1 unlink >/dev/null`,
		Gone: shellOver + shellMemory + `
before=$(info stats evicted_keys)
` + write + `
n=$(($(info stats evicted_keys) - before)); left=$(redis-cli -h 127.0.0.1 --scan --pattern "proofload:$ID:*" | wc -l)
echo "$n keys were evicted for it, and $left of the fault's own are left"
[ "$p" = OK ] && [ "$n" -eq 0 ] && [ "$left" -eq 0 ]`,
		By: "keys that were evicted, as Redis counts them",
	}
}

// How Redis follows somebody: nobody listens on port 1.
const (
	wantMaster = shellMemory + `[ "$(info replication role)" = master ] || { echo "it is a replica already"; exit 1; }
value replica-serve-stale-data`
	promote = shellMemory + `cli replicaof no one && cli config set replica-serve-stale-data "$SAVED"`
)

// replica makes Redis the replica of a master that is not there.
func replica(k chaos.Kind, stale, look string) chaos.Script {
	k.Undone = "Redis is told that it is a master again; by a process left on its node when the time is over, or by its end. No key is lost."
	k.Touches = []string{touchesRole}
	return chaos.Script{
		Kind: k, Roles: onCaches(),
		Save:   wantMaster,
		Inject: shellMemory + chaos.ShellLater(promote) + `cli config set replica-serve-stale-data ` + stale + ` && cli replicaof 127.0.0.1 1`,
		Look:   shellRedis + look,
		Undo:   chaos.ShellEnd + promote,
		Gone:   shellOver + written,
		By:     "commands of the probe",
	}
}

// readOnly is what clients find that were left with the old master.
func readOnly() chaos.Script {
	return replica(chaos.Kind{
		Name:  "redis-read-only",
		About: "Makes Redis a replica, as clients find it that did not notice a failover: writes are refused with READONLY, reads are answered from what it has.",
	}, "yes", write+`case "$p" in READONLY*) ;; *) exit 1 ;; esac`)
}

// masterDown is a failover that does not come to an end.
func masterDown() chaos.Script {
	return replica(chaos.Kind{
		Name: "redis-master-down",
		About: "Makes Redis a replica that has lost its master, as in a failover that does not come to an end: it refuses reads and writes with " +
			"MASTERDOWN until it is whole.",
	}, "no", `probe get proofload:probe
case "$p" in MASTERDOWN*) ;; *) exit 1 ;; esac`)
}
