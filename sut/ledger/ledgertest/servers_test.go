//go:build integration

package ledgertest

import (
	"context"
	"os"
	"testing"

	"github.com/proofload/proofload/sut/stack"
)

// TestMain starts the servers that the environment does not name.
func TestMain(m *testing.M) {
	os.Exit(stack.RunWithServers(context.Background(), os.Stderr, stack.Variables{Postgres: databaseVar, Redis: redisVar, AMQP: amqpVar}, m.Run))
}
