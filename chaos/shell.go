package chaos

// The parts that scripts of faults have in common, for a shell of POSIX.
const (
	// ShellMarked defines the function marked, which reports whether a process,
	// given by its directory in /proc, was left by the fault or is at injecting it,
	// and the function leave, which runs a command as such a process, until its
	// time is over.
	ShellMarked = `
marked() { { tr '\0' '\n' <"$1/environ" | grep -qx "PROOFLOAD_MARK=$ID"; } 2>/dev/null; }
leave() { PROOFLOAD_MARK="$ID" setsid timeout "$TTL" "$@" </dev/null >/dev/null 2>&1 & }
`
	// ShellEnd ends all processes that the fault left.
	ShellEnd = ShellMarked + `
for p in /proc/[0-9]*; do if marked "$p"; then kill -KILL "${p#/proc/}" 2>/dev/null; fi; done; true
`
	// ShellEnded reports whether the fault left no process.
	ShellEnded = ShellMarked + `
n=0; for p in /proc/[0-9]*; do if marked "$p"; then n=$((n+1)); fi; done
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
