package direct

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/proofload/proofload/loadgen"
)

const (
	// maxStates bounds how many SQLSTATEs of one database have a class of their
	// own.
	maxStates = 8

	// restedFor is after how long an unused connection is asked whether it is
	// still there. That takes a round trip, and so it is not asked every time.
	restedFor = time.Second
)

// A Database carries out statements on a PostgreSQL database, or through a
// pooler in front of one: each is a transaction of its own and travels in one
// round trip, with nothing left prepared.
type Database struct {
	config   *pgconn.Config
	pool     *pool[backend]
	maxBytes int64

	mu     sync.Mutex
	states []string // that have a class of their own
}

// OpenDatabase returns the database of a URL postgres://. Connections are made
// when they are needed.
func OpenDatabase(c Config) (*Database, error) {
	c, err := c.withDefaults("postgres", "postgresql")
	if err != nil {
		return nil, err
	}
	config, err := pgconn.ParseConfig(c.URL)
	if err != nil {
		return nil, errors.New("the address is no URL of a database: want postgres://USER:PASSWORD@HOST:PORT/NAME")
	}
	hosts := []string{config.Host}
	for _, f := range config.Fallbacks {
		hosts = append(hosts, f.Host)
	}
	for _, h := range hosts {
		if !c.Load.Allows(h) {
			return nil, fmt.Errorf("send load to %s: %w: want a loopback address", h, loadgen.ErrHostNotAllowed)
		}
	}
	config.DialFunc = c.Load.Dial
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // Dial does
	config.MaxProtocolMessageBodyLen = int(c.MaxBytes)
	d := &Database{config: config, maxBytes: c.MaxBytes}
	d.pool = newPool(c.Connections, func(ctx context.Context) (backend, error) {
		conn, err := pgconn.ConnectConfig(ctx, d.config)
		return backend{conn}, err
	})
	return d, nil
}

// Close ends all connections, whether or not ctx is done. No statement may be
// under way.
func (d *Database) Close(ctx context.Context) { d.pool.close(ctx) }

// A backend is one session of a database.
type backend struct{ *pgconn.PgConn }

func (b backend) alive(ctx context.Context, unused time.Duration) bool {
	return !b.IsClosed() && (unused < restedFor || b.Ping(ctx) == nil)
}

func (b backend) close(ctx context.Context) {
	_ = b.Close(ctx) // it may be broken
	<-b.CleanupDone()
}

// A Statement is one of SQL, with its parameters as text.
type Statement struct {
	SQL      string
	Args     []*string // of $1, $2, ...; nil is NULL
	MaxBytes int64     // of all values that are read; zero is the endpoint's
}

// Rows are what a statement gave.
type Rows struct {
	Columns  []string
	Values   [][]*string // as text; nil is NULL
	Affected int64       // rows that were read or written
}

// Do carries out a statement. An error of the database is a refusal, since it
// undoes the statement, unless it ends the session too: then nobody says what
// became of it, and neither does a connection that breaks.
func (d *Database) Do(ctx context.Context, s Statement) (Rows, loadgen.Outcome) {
	b, err := d.pool.get(ctx)
	if err != nil {
		return Rows{}, loadgen.Outcome{Err: err, Class: d.class(err)}
	}
	args := make([][]byte, len(s.Args))
	for i, a := range s.Args {
		if a != nil {
			args[i] = []byte(*a)
		}
	}
	limit := s.MaxBytes
	if limit == 0 {
		limit = d.maxBytes
	}
	rows, err := readRows(b.ExecParams(ctx, s.SQL, args, nil, nil, nil), limit)
	if _, tooLong := errors.AsType[*pgproto3.ExceededMaxBodyLenErr](err); tooLong {
		err = fmt.Errorf("%w: %w", loadgen.ErrTooLarge, err)
	}
	sound := !b.IsClosed() && !errors.Is(err, loadgen.ErrTooLarge)
	open := sound && b.TxStatus() != idle
	d.pool.put(ctx, b, sound && !open)
	if open {
		return Rows{}, loadgen.Outcome{Answer: loadgen.Refused, Class: loadgen.ClassOther, Said: errOpen}
	}
	return rows, d.outcome(err)
}

// idle is the state of a session that is in no transaction.
const idle = 'I'

// errOpen is why a statement is refused after which the session is in a
// transaction. The end of the session undoes it. Were it used again, the writes
// of other operations would be acknowledged and never committed.
var errOpen = errors.New("the statement leaves a transaction open, and each is a transaction of its own: leave BEGIN out")

// readRows reads what a statement gives, unless it is too much.
func readRows(r *pgconn.ResultReader, limit int64) (Rows, error) {
	var rows Rows
	for r.NextRow() {
		if rows.Columns == nil {
			for _, f := range r.FieldDescriptions() {
				rows.Columns = append(rows.Columns, f.Name)
			}
		}
		row := make([]*string, len(r.Values()))
		for i, v := range r.Values() {
			if v != nil {
				text := string(v)
				row[i] = &text
			}
			limit -= int64(len(v))
		}
		if limit < 0 {
			return Rows{}, loadgen.ErrTooLarge // the connection is given up, and with it the rest
		}
		rows.Values = append(rows.Values, row)
	}
	tag, err := r.Close()
	if err != nil {
		return Rows{}, err
	}
	rows.Affected = tag.RowsAffected()
	return rows, nil
}

func (d *Database) outcome(err error) loadgen.Outcome {
	pg, said := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil:
		return loadgen.Outcome{Answer: loadgen.Done}
	case said && undone(pg):
		return loadgen.Outcome{Answer: loadgen.Refused, Class: d.class(err), Said: err}
	case said:
		return loadgen.Outcome{Answer: loadgen.Broken, Class: d.class(err), Said: err}
	}
	return loadgen.Outcome{Err: err, Sent: !pgconn.SafeToRetry(err)}
}

// undone reports whether an error says that the statement had no effect. One
// that ends the session may come when it is committed already, and what has to
// do with connections may come from a pooler that knows no more than we do.
func undone(e *pgconn.PgError) bool {
	return e.SeverityUnlocalized == "ERROR" && !strings.HasPrefix(e.Code, "08") && e.Code != "40003"
}

// class returns the class of what a database says itself, or none.
func (d *Database) class(err error) string {
	pg, said := errors.AsType[*pgconn.PgError](err)
	if !said {
		return ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Contains(d.states, pg.Code) {
		if len(d.states) == maxStates {
			return loadgen.PrefixSQL + "other"
		}
		d.states = append(d.states, pg.Code)
	}
	return loadgen.PrefixSQL + pg.Code
}
