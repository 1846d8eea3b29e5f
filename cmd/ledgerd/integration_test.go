//go:build integration

package main

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/proofload/proofload/sut/ledger/jobs"
	"github.com/proofload/proofload/sut/stack"
)

const (
	databaseVar = "LEDGER_TEST_DATABASE_URL"
	amqpVar     = "LEDGER_TEST_AMQP_URL"
)

// served runs tests with servers at hand.
type served struct{ *testing.M }

// Run implements the interface that testscript asks for.
func (s served) Run() int {
	names := stack.Variables{Postgres: databaseVar, AMQP: amqpVar}
	return stack.RunWithServers(context.Background(), os.Stderr, names, s.M.Run)
}

func TestMain(m *testing.M) { testscript.Main(served{m}, programs()) }

// TestServers runs the command against real servers: see testdata/integration.
// Each script has a database of its own.
func TestServers(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/integration", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			database, err := newDatabase(t)
			env.Setenv("LEDGER_DATABASE_URL", database)
			env.Setenv("LEDGER_AMQP_URL", os.Getenv(amqpVar))
			return err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits, "bury": bury, "query": query},
	})
}

// newDatabase makes an empty database and returns its URL.
func newDatabase(t *testing.T) (string, error) {
	t.Helper()
	cfg, err := pgx.ParseConfig(os.Getenv(databaseVar))
	if err != nil {
		return "", err
	}
	admin, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		return "", err
	}
	defer func() { _ = admin.Close(context.WithoutCancel(t.Context())) }()
	name := fmt.Sprintf("ledgerd_%d", time.Now().UnixNano())
	if _, err := admin.Exec(t.Context(), `CREATE DATABASE `+name); err != nil {
		return "", err
	}
	return fmt.Sprintf("postgres://%s@%s:%d/%s?sslmode=disable", cfg.User, cfg.Host, cfg.Port, name), nil
}

// query prints the only column of the only row: query SQL.
func query(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: query SQL")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, ts.Getenv("LEDGER_DATABASE_URL"))
	ts.Check(err)
	defer func() { _ = conn.Close(ctx) }()
	var value any
	ts.Check(conn.QueryRow(ctx, args[0]).Scan(&value))
	_, err = fmt.Fprintln(ts.Stdout(), value)
	ts.Check(err)
}

// bury puts a message among the dead letters: bury QUEUE ID REASON BODY.
func bury(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: bury QUEUE ID REASON BODY")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	broker := jobs.NewBroker(ts.Getenv("LEDGER_AMQP_URL"), jobs.Options{})
	ts.Check(broker.Check(ctx)) // which declares the queues
	ts.Check(broker.Close())
	conn, err := amqp.Dial(ts.Getenv("LEDGER_AMQP_URL"))
	ts.Check(err)
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	ts.Check(err)
	ts.Check(ch.Confirm(false))
	confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", broker.DeadQueueName(args[0]), true, false, amqp.Publishing{
		MessageId: args[1], Type: "transfer.accepted", Body: []byte(args[3]), DeliveryMode: amqp.Persistent,
		Headers: amqp.Table{
			jobs.DeadReasonHeader: args[2], jobs.AttemptsHeader: int32(5),
			jobs.DeadTimeHeader: time.Now().UTC().Format(time.RFC3339), "X-Correlation-ID": "corr-" + args[1],
		},
	})
	ts.Check(err)
	_, err = confirm.WaitContext(ctx)
	ts.Check(err)
}
