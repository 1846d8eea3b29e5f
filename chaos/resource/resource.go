// Package resource takes away from nodes what they run on: processor time,
// memory, disk space, file descriptors and the right time.
package resource

import "github.com/proofload/proofload/chaos"

// Kinds returns the faults of this package.
func Kinds() []chaos.Kind {
	return []chaos.Kind{
		cpuHog().Fault(), memoryHog().Fault(), diskFull().Fault(), diskHog().Fault(), fdExhaust().Fault(),
		cpuThrottle(), memoryLimit(), diskSlow(), clockOffset(),
	}
}

// cpuHog competes for the processors.
func cpuHog() chaos.Script {
	return chaos.Script{
		Kind: chaos.Kind{
			Name:    "cpu-hog",
			About:   "Keeps processors busy inside a node, in competition with what it does.",
			Undone:  "The busy processes are killed; each ends by itself when the time is over.",
			Touches: []string{chaos.TouchesCPU},
			Params:  []chaos.Param{{Name: "workers", Measure: chaos.Count, Default: "1", About: "how many busy processes"}},
		},
		Inject: chaos.ShellMarked + `
i=0; while [ "$i" -lt "$P_WORKERS" ]; do leave sh -c 'while :; do :; done'; i=$((i+1)); done`,
		Look: chaos.ShellMarked + `
ticks() { t=0; for p in $(marked); do set -- $(sed 's/.*) //' "$p/stat"); t=$((t+${12}+${13})); done; echo "$t"; }
a=$(ticks); sleep 0.3; b=$(ticks)
echo "$((b-a)) ticks of processor time used in 0.3 s"; [ "$((b-a))" -gt 0 ]`,
		Undo: chaos.ShellEnd,
		Gone: chaos.ShellEnded,
		By:   "processor times of the kernel",
	}
}

// memoryHog fills memory.
func memoryHog() chaos.Script {
	// How often the kernel has killed something for the lack of memory.
	const kills = `
kills() { n=$(sed -n 's/^oom_kill \([0-9]*\)/\1/p' /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null | head -n 1); echo "${n:-0}"; }
`
	return chaos.Script{
		Kind: chaos.Kind{
			Name: "memory-hog",
			About: "Fills memory inside a node, at once or as a leak does, which counts against its limit; over it, the kernel kills something there, " +
				"again and again: most likely what leaks, which begins anew.",
			Undone:  "The processes that hold the memory are killed; they end by themselves when the time is over.",
			Touches: []string{chaos.TouchesMemory},
			Params: []chaos.Param{
				{Name: "size", Measure: chaos.Size, About: "how much, for example 256MiB; more than the node may use leads to a kill"},
				{Name: "rate", Measure: chaos.Size, Default: "1GiB", About: "how much of it each second"},
			},
		},
		Save: kills + `kills`,
		// tail keeps what has no line break until its input ends. Who writes to one
		// that was killed is ended by that.
		Inject: chaos.ShellMarked + `
leave sh -c 'while :; do {
	n=0; while [ "$n" -lt "$0" ]; do
		piece=$1; [ "$((n+piece))" -le "$0" ] || piece=$(($0-n))
		head -c "$piece" /dev/zero || exit; n=$((n+piece)); sleep 0.1
	done
	while printf x; do sleep 0.5; done
} | tail; sleep 0.1; done' "$P_SIZE" "$((P_RATE/10))"`,
		Look: chaos.ShellMarked + kills + `
kib=0; for p in $(marked); do
	set -- $(grep '^VmRSS' "$p/status" 2>/dev/null); kib=$((kib+${2:-0}))
done
killed=$(($(kills)-${SAVED:-0})); want=$P_SIZE; if [ "$P_RATE" -lt "$want" ]; then want=$P_RATE; fi
echo "$kib KiB resident, $killed processes killed for the lack of memory"; [ "$killed" -gt 0 ] || [ "$((kib*1024/10))" -ge "$((want/11))" ]`,
		Undo: chaos.ShellEnd,
		Gone: chaos.ShellEnded,
		By:   "resident memory and kills of the kernel",
	}
}

// diskFull fills a file system in memory.
func diskFull() chaos.Script {
	return chaos.Script{
		Kind: chaos.Kind{
			Name:    "disk-full",
			About:   "Fills a file system of a node that has a size of its own, so that every further write fails.",
			Undone:  "The ballast file is removed; the process that wrote it removes it when the time is over.",
			Touches: []string{chaos.TouchesDisk},
			Params:  []chaos.Param{{Name: "path", Measure: chaos.Text, Default: "/dev/shm", About: "a directory of the file system, which must be in memory: any other is shared with the host"}},
		},
		Save: `
kind=$(stat -f -c %T "$P_PATH") || exit 1
[ "$kind" = tmpfs ] || { echo "$P_PATH is on $kind, which is shared with others: only tmpfs can be filled"; exit 1; }`,
		// What others free meanwhile is filled again.
		Inject: `
PROOFLOAD_MARK="$ID" setsid sh -c '
timeout "$3" sh -c "while :; do cat /dev/zero >>\"\$0\"; sleep 0.1; done" "$1/$2.ballast"
rm -f "$1/$2.ballast"' sh "$P_PATH" "$ID" "$TTL" </dev/null >/dev/null 2>&1 &`,
		Look: `
set -- $(df -P "$P_PATH" | tail -n 1)
if { echo x >"$P_PATH/$ID.probe"; } 2>/dev/null; then wrote=yes; else wrote=no; fi
rm -f "$P_PATH/$ID.probe"
echo "$4 KiB free, a write succeeds: $wrote"; [ "$wrote" = no ]`,
		Undo: chaos.ShellEnd + `rm -f "$P_PATH/$ID.ballast" "$P_PATH/$ID.probe"`,
		Gone: `
if { echo x >"$P_PATH/$ID.probe"; } 2>/dev/null; then wrote=yes; else wrote=no; fi
rm -f "$P_PATH/$ID.probe"
echo "a write succeeds: $wrote"; [ "$wrote" = yes ] && [ ! -e "$P_PATH/$ID.ballast" ]`,
		By: "a write of the probe",
	}
}

// diskHog competes for the disk.
func diskHog() chaos.Script {
	return chaos.Script{
		Kind: chaos.Kind{
			Name: "disk-hog",
			About: "Keeps the disk under a directory of a node busy with synchronous writes, in competition with what the node writes; " +
				"all that share the disk feel it.",
			Undone:  "The writing processes are killed and their files removed; each ends and removes its file by itself when the time is over.",
			Touches: []string{chaos.TouchesDisk},
			Params: []chaos.Param{
				{Name: "path", Measure: chaos.Text, Default: "/var/tmp", About: "a directory on the disk"},
				{Name: "workers", Measure: chaos.Count, Default: "2", About: "how many processes write"},
				{Name: "size", Measure: chaos.Size, Default: "16MiB", About: "how large the file of each is, which it writes again and again"},
			},
		},
		Save: `
kind=$(stat -f -c %T "$P_PATH") || exit 1
[ "$kind" != tmpfs ] || { echo "$P_PATH is in memory, on no disk"; exit 1; }`,
		Inject: `
i=0; while [ "$i" -lt "$P_WORKERS" ]; do
PROOFLOAD_MARK="$ID" setsid sh -c '
timeout "$2" sh -c "while :; do dd if=/dev/zero of="\$0" bs=64k count=\$1 oflag=dsync conv=notrunc; done" "$0" "$1"
rm -f "$0"' "$P_PATH/$ID.$i" "$(( (P_SIZE+65535)/65536 ))" "$TTL" </dev/null >/dev/null 2>&1 &
i=$((i+1)); done`,
		Look: chaos.ShellMarked + `
written() { t=0; for p in $(marked); do set -- $(grep '^write_bytes' "$p/io" 2>/dev/null); t=$((t+${2:-0})); done; echo "$t"; }
a=$(written); sleep 0.3; b=$(written)
echo "$(((b-a)/1024)) KiB written to the disk in 0.3 s"; [ "$b" -ne "$a" ]`,
		Undo: chaos.ShellEnd + `rm -f "$P_PATH/$ID".*`,
		Gone: chaos.ShellMarked + `
n=$(marked | grep -c .)
f=0; for file in "$P_PATH/$ID".*; do if [ -e "$file" ]; then f=$((f+1)); fi; done
echo "$n of its processes and $f of its files left"; [ "$n" -eq 0 ] && [ "$f" -eq 0 ]`,
		By: "writes as the kernel counts them",
	}
}

// fdExhaust leaves a process no file descriptors.
func fdExhaust() chaos.Script {
	const as = `
as() { setpriv --reuid="$(stat -c %u "/proc/$NODE_PID")" --regid="$(stat -c %g "/proc/$NODE_PID")" --clear-groups -- "$@"; }
soft() { set -- $(grep '^Max open files' "/proc/$NODE_PID/limits"); echo "$4"; }
`
	return chaos.Script{
		Kind: chaos.Kind{
			Name:    "fd-exhaust",
			About:   "Leaves the main process of a node no file descriptors: it can open no file and accept no connection.",
			Undone:  "The limit is set back; a new process has its own. By the guard if the run died.",
			Touches: []string{"files"},
			Params:  []chaos.Param{{Name: "limit", Measure: chaos.Count, Default: "4", About: "how many descriptors it may have; those that it has stay", Limits: "3 or more"}},
		},
		Save:   as + `soft`,
		Inject: as + `as prlimit --pid "$NODE_PID" --nofile="$P_LIMIT:"`,
		Look:   as + `echo "the kernel allows $(soft) descriptors"; [ "$(soft)" = "$P_LIMIT" ]`,
		Undo:   as + `as prlimit --pid "$NODE_PID" --nofile="$SAVED:"`,
		Gone:   as + `echo "the kernel allows $(soft) descriptors"; [ "$(soft)" != "$P_LIMIT" ]`,
		By:     "limits of the kernel",
	}
}
