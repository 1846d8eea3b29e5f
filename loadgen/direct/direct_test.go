package direct

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/loadgen"
)

// plug is a session of a test.
type plug struct {
	n      int
	dead   bool
	closed bool
}

func (p *plug) alive(context.Context, time.Duration) bool { return !p.dead }
func (p *plug) close(context.Context)                     { p.closed = true }

// TestPool bounds its sessions, uses them again, and makes new ones for those
// that broke.
func TestPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := 0
		p := newPool(2, func(context.Context) (*plug, error) {
			made++
			return &plug{n: made}, nil
		})
		get := func() *plug {
			s, err := p.get(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		first, second := get(), get()
		var waited time.Duration
		began := time.Now()
		time.AfterFunc(time.Second, func() { p.put(t.Context(), second, true) })
		third := get()
		if waited = time.Since(began); third != second || waited != time.Second {
			t.Errorf("the third session is number %d after %v, want the second one once it is free", third.n, waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a session over the bound: %v", err)
		}
		p.put(t.Context(), first, false)
		p.put(t.Context(), third, true)
		third.dead = true
		if s := get(); s.n != 3 || made != 3 {
			t.Errorf("session %d of %d, want a third one", s.n, made)
		} else {
			p.put(t.Context(), s, true)
		}
		p.close(t.Context())
		if !first.closed || !third.closed {
			t.Errorf("closed: %t of a session that broke, %t of one that was found dead", first.closed, third.closed)
		}
	})
}

// TestPoolThatCannotConnect gives the place to the next.
func TestPoolThatCannotConnect(t *testing.T) {
	p := newPool(1, func(context.Context) (*plug, error) { return nil, errors.New("refused") })
	for range 3 {
		if _, err := p.get(t.Context()); err == nil || err.Error() != "connect: refused" {
			t.Errorf("error = %v", err)
		}
	}
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"":                                   "the address is no URL",
		"postgres://":                        "the address is no URL",
		"mysql://u:hunter2@localhost/x":      "the address begins with mysql://",
		"postgres://u:hunter2@db.example/x":  "send load to db.example: host not allowed",
		"postgres://u:hunter2@localhost:0/x": "want postgres://",
		"postgres://u:hunter2@localhost/x?host=db.example": "send load to db.example: host not allowed",
	} {
		_, err := OpenDatabase(Config{URL: address})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error = %v, want %q", address, err, want)
		}
	}
	for address, want := range map[string]string{
		"amqps://localhost":                 "the address begins with amqps://",
		"amqp://u:hunter2@mq.example/":      "send load to mq.example: host not allowed",
		"amqp://u:hunter2@localhost:99999/": "want amqp://",
	} {
		_, err := OpenBroker(Config{URL: address})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error = %v, want %q", address, err, want)
		}
	}
}

// TestWhatDatabasesSay: an error undoes a statement, unless it ends the session
// too or comes from somebody between.
func TestWhatDatabasesSay(t *testing.T) {
	d := &Database{}
	for _, tc := range []struct {
		severity, code string
		want           loadgen.Answer
	}{
		{"ERROR", "23505", loadgen.Refused},
		{"ERROR", "40001", loadgen.Refused},
		{"ERROR", "40003", loadgen.Broken},
		{"ERROR", "08P01", loadgen.Broken},
		{"FATAL", "57P01", loadgen.Broken},
	} {
		got := d.outcome(&pgconn.PgError{Severity: tc.severity, SeverityUnlocalized: tc.severity, Code: tc.code, Message: "no"})
		want := said(tc.want, "sql_"+tc.code, tc.severity+": no (SQLSTATE "+tc.code+")")
		if diff := cmp.Diff(want, got, byText()); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", tc.severity, tc.code, diff)
		}
	}
}

// TestClassesOfADatabaseAreBounded keeps a database from making classes without
// end.
func TestClassesOfADatabaseAreBounded(t *testing.T) {
	d := &Database{}
	classes := map[string]bool{}
	for code := range strings.FieldsSeq("22001 22003 23502 23503 23505 40001 40P01 42601 42703 42P01 53300 55P03 57014") {
		classes[d.outcome(&pgconn.PgError{SeverityUnlocalized: "ERROR", Code: code}).Class] = true
	}
	if len(classes) != maxStates+1 || !classes["sql_other"] || !classes["sql_22001"] {
		t.Errorf("classes = %v, want %d and sql_other", classes, maxStates)
	}
}

// said is what becomes of an operation of which the system said something.
func said(answer loadgen.Answer, class, text string) loadgen.Outcome {
	return loadgen.Outcome{Answer: answer, Class: class, Said: errors.New(text)}
}

// byText compares errors by what they say.
func byText() cmp.Option {
	return cmp.Comparer(func(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) })
}

// TestLoginThatIsRefused has a class of its own, also where the broker only closes
// the connection.
func TestLoginThatIsRefused(t *testing.T) {
	if got := replyClass(fmt.Errorf("connect: %w", amqp.ErrCredentials)); got != "amqp_403" {
		t.Errorf("class %q", got)
	}
	if got := replyClass(amqp.ErrClosed); got != "" {
		t.Errorf("class %q of a connection that was closed", got)
	}
}
