//go:build integration

package direct

import (
	"context"
	"os"
	"testing"

	"github.com/proofload/proofload/sut/stack"
)

// TestMain starts the servers that the environment does not name.
func TestMain(m *testing.M) {
	names := stack.Variables{Postgres: "PROOFLOAD_TEST_DATABASE_URL", AMQP: "PROOFLOAD_TEST_AMQP_URL"}
	os.Exit(stack.RunWithServers(context.Background(), os.Stderr, names, m.Run))
}
