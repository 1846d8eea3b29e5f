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
	servers := stack.Variables{Postgres: databaseVar, Redis: redisVar, AMQP: amqpVar}
	os.Exit(stack.RunWithServers(context.Background(), os.Stderr, servers, func() int {
		defer dropTemplate()
		return m.Run()
	}))
}
