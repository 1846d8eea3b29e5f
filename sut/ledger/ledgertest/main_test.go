//go:build integration

// Package ledgertest tests the ledger against a real PostgreSQL, Redis and
// RabbitMQ. They are named by LEDGER_TEST_DATABASE_URL, LEDGER_TEST_REDIS_URL
// and LEDGER_TEST_AMQP_URL; the database's role must own its schema.
//
// Each test makes accounts, or a whole database, of its own, so nothing needs to
// be empty. No worker may be consuming from the broker meanwhile.
package ledgertest

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/proofload/proofload/sut/ledger/store"
)

const (
	databaseVar = "LEDGER_TEST_DATABASE_URL"
	redisVar    = "LEDGER_TEST_REDIS_URL"
	amqpVar     = "LEDGER_TEST_AMQP_URL"

	opening = 1000
	timeout = 20 * time.Second // of whatever a test waits for
)

// dsn returns the value of one of the variables. Without it the test fails:
// who asked for integration tests wants them run.
func dsn(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set", name)
	}
	return value
}

// migrated brings the schema up to date, once for all tests.
var migrated = sync.OnceValue(func() error {
	_, err := store.Migrate(context.Background(), os.Getenv(databaseVar), slog.New(slog.DiscardHandler))
	return err
})

// background runs a function until the test ends, and waits for its end.
func background(t *testing.T, run func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(timeout)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("gave up waiting: %s", what)
		case <-tick.C:
		}
	}
}
