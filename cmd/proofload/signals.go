package main

import (
	"context"
	"os"
	"sync"

	"github.com/proofload/proofload/reports"
)

// interruptedTwice is the exit code when somebody does not even wait for the
// mending: faults may be left.
const interruptedTwice = reports.ExitFaultsLeft

// stops says how impatient the user is.
type stops struct {
	hurry <-chan struct{} // closed at the second signal: skip the report, still mend
}

// listen turns signals into a context: the first cancels it (stop the load,
// mend, report), the second closes hurry, the third calls die.
func listen(ctx context.Context, signals <-chan os.Signal, die func()) (context.Context, stops) {
	ctx, cancel := context.WithCancel(ctx)
	hurry := make(chan struct{})
	go func() {
		for _, then := range []func(){cancel, sync.OnceFunc(func() { close(hurry) }), die} {
			if _, ok := <-signals; !ok {
				cancel()
				return
			}
			then()
		}
	}()
	return ctx, stops{hurry: hurry}
}
