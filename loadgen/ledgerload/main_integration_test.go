//go:build integration

package ledgerload

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/proofload/proofload/sut/stack"
)

// TestMain starts real servers unless the environment names some.
func TestMain(m *testing.M) { os.Exit(withServers(m)) }

func withServers(m *testing.M) int {
	if os.Getenv("PROOFLOAD_TEST_DATABASE_URL") != "" {
		return m.Run()
	}
	ctx := context.Background()
	servers, err := stack.StartServers(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = servers.Close(ctx) }()
	for name, url := range map[string]string{"PROOFLOAD_TEST_DATABASE_URL": servers.Postgres, "PROOFLOAD_TEST_AMQP_URL": servers.AMQP} {
		if err := os.Setenv(name, url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}
