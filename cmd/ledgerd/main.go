// Command ledgerd runs the processes of the payments ledger.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal drains; after it the default is back, so that a second
	// one ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx))
}

func run(ctx context.Context) int {
	err := newRoot(os.Getenv).ExecuteContext(ctx) //nolint:contextcheck // the commands get ctx from cobra
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "ledgerd:", err)
		return exitUsage
	default:
		fmt.Fprintln(os.Stderr, "ledgerd:", err)
		return exitFailed
	}
}
