//go:build integration

package run

import (
	"context"
	"os"
	"testing"

	"github.com/proofload/proofload/sut/stack"
)

// databaseURL names the variable with the address of the server.
const databaseURL = "PROOFLOAD_TEST_DATABASE_URL"

// TestMain starts the server that the environment does not name.
func TestMain(m *testing.M) {
	os.Exit(stack.RunWithServers(context.Background(), os.Stderr, stack.Variables{Postgres: databaseURL}, m.Run))
}
