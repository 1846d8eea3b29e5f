package chaos

// The parts that scripts of faults have in common, for a shell of POSIX.
const (
	// ShellMarked defines the function marked, which lists the processes that were
	// left by the fault or are at injecting it, by their directories in /proc, and
	// the function leave, which runs a command as such a process, until its time is
	// over. One grep looks at all processes, of which a machine may have many; one
	// that cannot must not pass for none being left.
	ShellMarked = `
printf 'a\0' | grep -zqx a || { echo "grep -z does not work here"; exit 1; }
marked() { grep -zlx "PROOFLOAD_MARK=$ID" /proc/[0-9]*/environ 2>/dev/null | sed 's,/environ$,,'; }
leave() { PROOFLOAD_MARK="$ID" setsid timeout "$TTL" "$@" </dev/null >/dev/null 2>&1 & }
`
	// ShellEnd ends all processes that the fault left.
	ShellEnd = ShellMarked + `
for p in $(marked); do kill -KILL "${p#/proc/}" 2>/dev/null; done; true
`
	// ShellEnded reports whether the fault left no process.
	ShellEnded = ShellMarked + `
n=$(marked | grep -c .)
echo "$n of its processes left"; [ "$n" -eq 0 ]
`
)

// ShellLater leaves a process that runs a script when the time is over, again
// and again until it succeeds, for an hour at most: what it is about may never
// come back.
func ShellLater(script string) string {
	return `
LATER=$(cat <<'END_OF_LATER'
` + script + `
END_OF_LATER
)
export LATER
PROOFLOAD_MARK="$ID" setsid sh -c 'sleep "$TTL"; n=0; until sh -c "$LATER"; do n=$((n+1)); [ "$n" -lt 3600 ] || exit 1; sleep 1; done' </dev/null >/dev/null 2>&1 &
`
}
