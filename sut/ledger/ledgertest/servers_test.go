//go:build integration

package ledgertest

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/proofload/proofload/sut/stack"
)

// TestMain starts the servers that the environment does not name.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(databaseVar) != "" {
		return m.Run()
	}
	ctx := context.Background()
	servers, err := stack.StartServers(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for name, url := range map[string]string{databaseVar: servers.Postgres, redisVar: servers.Redis, amqpVar: servers.AMQP} {
		if err := os.Setenv(name, url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	code := m.Run()
	if err := servers.Close(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
