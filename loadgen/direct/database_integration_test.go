//go:build integration

package direct

import (
	"context"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/loadgen"
)

const databaseURL = "PROOFLOAD_TEST_DATABASE_URL"

// open returns a database, and a table in it of the test's own.
func open(t *testing.T, c Config, table string) *Database {
	t.Helper()
	admin, err := OpenDatabase(Config{URL: os.Getenv(databaseURL)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		admin.Do(context.WithoutCancel(t.Context()), Statement{SQL: "DROP TABLE " + table})
		admin.Close(context.WithoutCancel(t.Context()))
	})
	if _, o := admin.Do(t.Context(), Statement{SQL: "CREATE TABLE " + table + " (id text PRIMARY KEY, n int, note text)"}); o.Err != nil || o.Class != "" {
		t.Fatalf("create a table: %+v", o)
	}
	d, err := OpenDatabase(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close(context.WithoutCancel(t.Context())) })
	return d
}

func TestStatements(t *testing.T) {
	d := open(t, Config{URL: os.Getenv(databaseURL), MaxBytes: 1000}, "statements")
	done := loadgen.Outcome{Answer: loadgen.Done}
	for _, tc := range []struct {
		name string
		st   Statement
		rows Rows
		want loadgen.Outcome
	}{
		{"write", Statement{SQL: "INSERT INTO statements VALUES ($1, $2, $3)", Args: []*string{new("a"), new("7"), nil}}, Rows{Affected: 1}, done},
		{
			"write and read",
			Statement{SQL: "INSERT INTO statements VALUES ($1, $2, $3) RETURNING id", Args: []*string{new("b"), new("8"), new("x")}},
			Rows{Columns: []string{"id"}, Values: [][]*string{{new("b")}}, Affected: 1},
			done,
		},
		{
			"read",
			Statement{SQL: "SELECT n, note FROM statements WHERE n >= $1 ORDER BY n", Args: []*string{new("7")}},
			Rows{Columns: []string{"n", "note"}, Values: [][]*string{{new("7"), nil}, {new("8"), new("x")}}, Affected: 2},
			done,
		},
		{"change nothing", Statement{SQL: "UPDATE statements SET n = 1 WHERE id = 'z'"}, Rows{}, done},
		{"twice", Statement{SQL: "INSERT INTO statements VALUES ('a')"}, Rows{}, said(loadgen.Refused, "sql_23505", `ERROR: duplicate key value violates unique constraint "statements_pkey" (SQLSTATE 23505)`)},
		{"no table", Statement{SQL: "SELECT 1 FROM nowhere"}, Rows{}, said(loadgen.Refused, "sql_42P01", `ERROR: relation "nowhere" does not exist (SQLSTATE 42P01)`)},
		{"no number", Statement{SQL: "SELECT $1::int", Args: []*string{new("x")}}, Rows{}, said(loadgen.Refused, "sql_22P02", `ERROR: invalid input syntax for type integer: "x" (SQLSTATE 22P02)`)},
		{"session ends", Statement{SQL: "SELECT pg_terminate_backend(pg_backend_pid())"}, Rows{}, said(loadgen.Broken, "sql_57P01", `FATAL: terminating connection due to administrator command (SQLSTATE 57P01)`)},
		{"and another begins", Statement{SQL: "SELECT 1 AS one"}, Rows{Columns: []string{"one"}, Values: [][]*string{{new("1")}}, Affected: 1}, done},
	} {
		rows, o := d.Do(t.Context(), tc.st)
		if diff := cmp.Diff(tc.want, o, byText()); diff != "" {
			t.Errorf("%s: outcome (-want +got):\n%s", tc.name, diff)
		}
		if diff := cmp.Diff(tc.rows, rows); diff != "" {
			t.Errorf("%s: rows (-want +got):\n%s", tc.name, diff)
		}
	}
	for _, sql := range []string{"SELECT repeat('x', 2000)", "SELECT repeat('x', 100) FROM generate_series(1, 20)"} {
		if _, o := d.Do(t.Context(), Statement{SQL: sql}); o.Err == nil || loadgen.Classify(o.Err) != loadgen.ClassTooLarge {
			t.Errorf("%s: %+v, want %s", sql, o, loadgen.ClassTooLarge)
		}
	}
	if _, o := d.Do(t.Context(), Statement{SQL: "SELECT 1"}); o.Err != nil {
		t.Errorf("after a long answer: %+v", o)
	}
}

// TestStatementWhoseAnswerIsLost happened, and nobody knows. It is not sent
// again, and the next operation has a new connection.
func TestStatementWhoseAnswerIsLost(t *testing.T) {
	c, address := behind(t, databaseURL)
	d := open(t, Config{URL: address, Connections: 1}, "lost")
	insert := func(ctx context.Context, id string) loadgen.Outcome {
		_, o := d.Do(ctx, Statement{SQL: "INSERT INTO lost VALUES ($1)", Args: []*string{&id}})
		return o
	}
	if o := insert(t.Context(), "before"); o.Err != nil {
		t.Fatalf("before: %+v", o)
	}
	c.cut.Store(true)
	if o := insert(t.Context(), "cut"); o.Err == nil || !o.Sent || o.Class != "" {
		t.Errorf("without its answer: %+v, want that it may have happened", o)
	}
	c.mute.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), muteFor)
	defer cancel()
	if o := insert(ctx, "never sent"); o.Err == nil || o.Sent {
		t.Errorf("without a login: %+v, want that nothing was sent", o)
	}
	c.mute.Store(false)
	if o := insert(t.Context(), "after"); o.Err != nil {
		t.Errorf("after: %+v", o)
	}
	c.mute.Store(true)
	late, cancelLate := context.WithTimeout(t.Context(), muteFor)
	defer cancelLate()
	if o := insert(late, "late"); o.Err == nil || !o.Sent {
		t.Errorf("too late: %+v, want that it may have happened", o)
	}
	c.mute.Store(false)
	rows, o := d.Do(t.Context(), Statement{SQL: "SELECT id FROM lost ORDER BY id"})
	want := [][]*string{{new("after")}, {new("before")}, {new("cut")}, {new("late")}}
	if diff := cmp.Diff(want, rows.Values); diff != "" || o.Err != nil {
		t.Errorf("%+v; rows (-want +got):\n%s", o, diff)
	}
}

// TestDatabaseThatIsNotThere has had nothing sent.
func TestDatabaseThatIsNotThere(t *testing.T) {
	d := open(t, Config{URL: "postgres://nobody@127.0.0.1:1/x"}, "absent")
	if _, o := d.Do(t.Context(), Statement{SQL: "SELECT 1"}); o.Err == nil || o.Sent {
		t.Errorf("outcome = %+v", o)
	}
}
