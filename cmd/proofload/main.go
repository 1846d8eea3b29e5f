// Proofload stands a system up, drives it with open-model load, breaks it on a
// timeline and says with numbers whether it kept its promises.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"golang.org/x/term"

	"github.com/proofload/proofload/loadgen"
)

func main() { os.Exit(mainCode()) }

// mainCode is the command around the process: its arguments, streams and
// signals, and its exit code.
func mainCode() int {
	defer loadgen.CollectSeldom()()
	debug.SetMemoryLimit(800<<20 + loadgen.Ballast) // a long history is judged in less than a gigabyte
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup does
		signal.Notify(signals, syscall.SIGHUP) // the terminal is closed: mend, and report
	}
	defer signal.Stop(signals)

	keys := &terminal{file: os.Stdin}
	ctx, stops := listen(context.Background(), signals, func() {
		keys.give()
		os.Exit(interruptedTwice)
	})
	a := &app{
		stdout: os.Stdout,
		stderr: os.Stderr,
		lookup: os.LookupEnv,
		hurry:  stops.hurry,
		width: func() int {
			w, _, err := term.GetSize(int(os.Stderr.Fd()))
			if err != nil {
				return 0
			}
			return w
		},
		stdoutTTY: term.IsTerminal(int(os.Stdout.Fd())),
		stderrTTY: term.IsTerminal(int(os.Stderr.Fd())),
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		a.typed, a.terminal = os.Stdin, keys
		signal.Ignore(syscall.SIGTTIN) // in the background, reading is an error and no reason to stop
	}
	return a.main(ctx, os.Args[1:])
}
