//go:build integration

package run

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios/plan"
)

// served is an environment whose primary is a real server.
type served struct{ fakeEnv }

func (served) Endpoint(name string) (string, bool) {
	return os.Getenv(databaseURL), name == "postgres/pg-1"
}

// statementStep carries out a statement on a node at once.
func statementStep(t *testing.T, node, text string) plan.Step {
	t.Helper()
	target, err := fakeEnv{}.Topology().Select(node)
	if err != nil {
		t.Fatal(err)
	}
	s := plan.Step{Entry: check.Entry{Name: "done", Verb: "sql", Target: node}, Verb: "sql", Text: text}
	s.Params.Target = target
	return s
}

// TestStatement carries out statements on Postgres. The history says what was
// carried out where, and what the database said.
func TestStatement(t *testing.T) {
	for _, tt := range []struct {
		name, node, text string
		fails            bool
		wantOps          []string
		wantText         string // of the last event, and of the error
	}{
		{
			"several", "postgres.primary", "CREATE TEMP TABLE t (n int); INSERT INTO t SELECT generate_series(1, 40); DELETE FROM t WHERE n > 30", false,
			[]string{"inject", "injected", "settled"},
			"pg-1 says CREATE TABLE, INSERT 0 40, DELETE 10",
		},
		{"outside of a transaction", "pg-1", "VACUUM pg_class", false, []string{"inject", "injected", "settled"}, "pg-1 says VACUUM"},
		{"wrong", "pg-1", "SELECT 1; ALTER TABLE nowhere ADD COLUMN n int", true, []string{"inject", "failed"}, `carry out done: on pg-1: ERROR: relation "nowhere" does not exist (SQLSTATE 42P01)`},
		{"no way there", "pg-2", "SELECT 1", true, []string{"inject", "failed"}, "carry out done: connect to pg-2: not supported by this environment"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rig, ops := newTestRig(t, &fakeFault{})
			rig.Env = served{}
			var last history.Event
			rig.Recorder.Tap(func(e *history.Event) { last = *e })
			tl := newTimeline(rig, plan.Drill{N: 1}, []plan.Step{statementStep(t, tt.node, tt.text)})
			err := tl.carryOut(t.Context(), 0, 0)
			if failed := err != nil; failed != tt.fails || failed && err.Error() != tt.wantText {
				t.Errorf("carryOut() = %v", err)
			}
			if diff := cmp.Diff(tt.wantOps, ops()); diff != "" || last.Text != tt.wantText {
				t.Errorf("the history ends with %q, want %q (-want +got):\n%s", last.Text, tt.wantText, diff)
			}
		})
	}
}

// TestStatementThatIsCutShort ends with the drill, and the database does not go
// on with it.
func TestStatementThatIsCutShort(t *testing.T) {
	const text = "SELECT pg_sleep(600) /* cut short */"
	rig, ops := newTestRig(t, &fakeFault{})
	rig.Env = served{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	over := make(chan error)
	tl := newTimeline(rig, plan.Drill{N: 1}, []plan.Step{statementStep(t, "pg-1", text)})
	go func() { over <- tl.carryOut(ctx, 0, 0) }()
	running := func() string {
		t.Helper()
		conn, err := pgconn.Connect(t.Context(), os.Getenv(databaseURL))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		results, err := conn.Exec(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%cut short%'").ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return string(results[0].Rows[0][0])
	}
	waitFor(t, func() bool { return running() == "1" })
	cancel()
	if err := <-over; err != nil {
		t.Errorf("carryOut() = %v, want nil", err)
	}
	waitFor(t, func() bool { return running() == "0" })
	if got := strings.Join(ops(), " "); got != "inject" {
		t.Errorf("the history has %s, want no more than that it began", got)
	}
}

// waitFor returns when something is the case.
func waitFor(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); {
		if time.Now().After(end) {
			t.Fatal("it does not come about")
		}
	}
}
