package proc

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// The processes that are killed: all, and with them the node, or those of a name.
const (
	processParam = "process"
	allProcesses = "all"
)

func whichProcess() chaos.Param {
	return chaos.Param{
		Name: processParam, Measure: chaos.Text, Default: allProcesses,
		About: "all: the node itself is killed, with everything that runs there; else what the processes are called, as the kernel has it, " +
			"for example postgres: those inside the node are killed, and what supervises them finds out. If nothing starts them again, the node is started anew",
	}
}

// processName is the name that a kill is of, or empty where it is of the node.
func processName(p chaos.Params) string {
	if name := p.Values[processParam]; name != allProcesses {
		return name
	}
	return ""
}

// checkProcess reports a name that no process has: the kernel cuts them short.
func checkProcess(kind string, p chaos.Params) error {
	if name := processName(p); name != "" && !regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,15}$`).MatchString(name) {
		return fmt.Errorf("%s: the parameter %s=%s: want the name of a process as the kernel has it, 15 letters at most, for example postgres",
			kind, processParam, name)
	}
	return nil
}

const (
	// shellNamed defines named, which lists the processes of the node that are
	// called NAME. What commands such as this one run is not of the node.
	shellNamed = `
parent() { sed 's/.*) [A-Za-z] \([0-9]*\) .*/\1/' "/proc/$1/stat" 2>/dev/null; }
alive() { case "$(sed 's/.*) \([A-Za-z]\) .*/\1/' "/proc/$1/stat" 2>/dev/null)" in ""|Z|X) return 1 ;; esac; }
ours() { q=$1; while [ "${q:-0}" -gt 1 ] && [ "$q" != "$NODE_PID" ]; do q=$(parent "$q"); done; [ "$q" = "$NODE_PID" ]; }
named() { for p in /proc/[0-9]*; do
	if [ "$(cat "$p/comm" 2>/dev/null)" = "$NAME" ] && alive "${p#/proc/}" && ours "${p#/proc/}"; then echo "${p#/proc/}"; fi
done; }
`
	// killNamed kills them and sees them gone. The first process of a container
	// cannot be killed from inside.
	killNamed = shellNamed + `
list=$(named); [ -n "$list" ] || { echo "no process of the node is called $NAME"; exit 1; }
kill -KILL $list
n=0; while :; do
	left=; for p in $list; do if alive "$p"; then left="$left $p"; fi; done
	[ -n "$left" ] || exit 0
	n=$((n+1)); [ "$n" -lt 50 ] || { echo "the process$left of the node lives: what it all hangs on dies with the node only"; exit 1; }
	sleep 0.1
done`
	// awaitNamed waits until there is one again.
	awaitNamed = shellNamed + `
n=0; until [ -n "$(named)" ]; do n=$((n+1)); [ "$n" -lt 100 ] || { echo "nothing has started $NAME again"; exit 1; }; sleep 0.1; done`
)

// newProcessKill makes the kill of the processes of a name.
func newProcessKill(env sut.Environment, targets *chaos.Targets, p chaos.Params, point *point) (chaos.Fault, error) {
	exec, canExec := env.(sut.Executor)
	killer, canStart := env.(sut.Killer)
	if !canExec || !canStart {
		return nil, fmt.Errorf("killing processes inside nodes: %w", sut.ErrUnsupported)
	}
	name, gone := processName(p), &latest{}
	return &fault{
		kind: kindKill, env: env, killer: killer, targets: targets, target: p.Target, point: point, process: name, seen: gone,
		saw: name + " killed", mends: reviveProcess(name), manual: "docker restart CONTAINER_OF_%s",
		breaks: point.at(func(ctx context.Context, node string) error {
			_, err := exec.NodeExec(ctx, node, []string{"NAME=" + name}, "sh", "-c", killNamed)
			gone.note()
			return err
		}),
	}, nil
}

// reviveProcess waits for what was killed to be started again by what supervises
// it, and starts the node anew if that does not happen.
func reviveProcess(name string) mend {
	return func(ctx context.Context, env sut.Environment, node string) error {
		exec, canExec := env.(sut.Executor)
		killer, canStart := env.(sut.Killer)
		if !canExec || !canStart {
			return fmt.Errorf("starting processes inside nodes: %w", sut.ErrUnsupported)
		}
		if !chaos.IsDown(ctx, env, node) {
			_, err := exec.NodeExec(ctx, node, []string{"NAME=" + name}, "sh", "-c", awaitNamed)
			if err == nil {
				return nil
			}
			if err := killer.Kill(ctx, node); err != nil {
				return err
			}
		}
		return killer.Start(ctx, node)
	}
}

// healKill brings back what undo data of a kill names.
func healKill(ctx context.Context, env sut.Environment, u chaos.Undo) error {
	var data undoData
	if err := json.Unmarshal(u.Data, &data); err != nil {
		return fmt.Errorf("read undo data: %w", err)
	}
	if data.Process != "" {
		return mendAll(ctx, env, data.Nodes, reviveProcess(data.Process))
	}
	return mendAll(ctx, env, data.Nodes, startForGood)
}
