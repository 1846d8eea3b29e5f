package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/trace"

	"github.com/proofload/proofload/sut/ledger/resilience"
)

// Options bound what one instance takes from the database.
type Options struct {
	MaxConns       int32         // connections of the pool
	AcquireTimeout time.Duration // longest wait for a connection of the pool
	TxTimeout      time.Duration // longest wait for a lock, and for a silent client, on the server's side

	Breaker   *resilience.Breaker // guards the database; nil for none
	Spans     trace.Tracer        // of what is sent to the database; nil for none
	SlowQuery time.Duration       // what takes as long is logged; 0 for nothing
	Log       *slog.Logger        // of what is slow; nil for none
}

const (
	connectTimeout = 2 * time.Second
	pingTimeout    = 500 * time.Millisecond

	// preparedMost bounds the statements that a connection keeps prepared. Lists
	// have many forms, by their filters and orders.
	preparedMost = 200
)

// errBadURL says that a database URL cannot be used. Unlike the error of the
// driver it never contains any part of the URL.
var errBadURL = errors.New("not a PostgreSQL URL such as postgres://user:password@host:5432/ledger")

// CheckURL reports whether a database URL can be parsed, in words that do not
// repeat it, for it holds a password.
func CheckURL(url string) error {
	if _, err := pgxpool.ParseConfig(url); err != nil {
		return errBadURL
	}
	return nil
}

// openPool returns a pool for a connection through a pooler in transaction
// mode. No connection is made yet.
func openPool(ctx context.Context, url string, opts Options, t *tracer) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errBadURL
	}
	cfg.MaxConns = opts.MaxConns
	cfg.MinIdleConns = min(2, opts.MaxConns)
	// A connection that a failover left on the wrong side in some unforeseen
	// way goes away by itself.
	cfg.MaxConnLifetime = 3 * time.Minute
	cfg.MaxConnLifetimeJitter = time.Minute
	cfg.MaxConnIdleTime = time.Minute
	cfg.HealthCheckPeriod = 10 * time.Second
	// A ping finds dead connections. It says nothing of whether the node
	// accepts writes: see keepAfter.
	cfg.PingTimeout = pingTimeout
	cfg.ConnConfig.Tracer = t
	cfg.BeforeConnect = func(_ context.Context, cc *pgx.ConnConfig) error {
		harden(cc)
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open pool: %w", err)
	}
	return pool, nil
}

// harden prepares the configuration of one connection; it must not be used for
// a second one.
func harden(cc *pgx.ConnConfig) {
	// Statements are prepared in the protocol, never by PREPARE: of those a
	// pooler in transaction mode keeps track (PgBouncer from 1.21 on), and
	// prepares them anew on whatever server process is next.
	cc.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	cc.StatementCacheCapacity = preparedMost
	cc.ConnectTimeout = connectTimeout
	// The same for all instances: in transaction mode they share server
	// processes, and a pooler sends a SET whenever the name changes, which is
	// one more round trip for every other transaction.
	cc.RuntimeParams["application_name"] = "ledgerd"
	cc.OnPgError = keepAfter
	cc.OnNotice = recordWarning
	(&soleDialer{}).install(cc)
}

// keepAfter reports whether a connection is still good after a server error.
// A node that was demoted goes on answering pings and reads, and refuses
// writes for ever; only giving the connection up finds the new primary.
func keepAfter(_ *pgconn.PgConn, err *pgconn.PgError) bool {
	return err.SeverityUnlocalized != "FATAL" && err.SeverityUnlocalized != "PANIC" &&
		!isUnavailable(err.Code)
}

// errNoCancel is what the driver gets for an attempt to cancel.
var errNoCancel = errors.New("cancel requests are not sent")

// A soleDialer dials for one connection and, once that is established, refuses
// to dial again, which keeps the driver from sending cancel requests.
//
// When a context ends while a query is under way, pgconn's asyncClose gives
// the connection up and sends a CancelRequest over a second one. A backend
// whose COMMIT waits for the synchronous standby obeys by ending the wait, not
// the commit: the change becomes visible to everybody though no standby has
// it, and a failover then takes back what others have read. Without the
// request the backend goes on waiting and the change stays invisible until it
// is safe. The driver has no switch for this; the dial function is the one
// thing asyncClose needs and we own.
//
// The refused call is also the moment the connection is known to be given up,
// so it is closed then. Otherwise the driver would keep its place in the pool
// for up to 15 s waiting for the server's farewell, which a node that is gone
// never sends.
type soleDialer struct {
	mu          sync.Mutex
	conn        net.Conn
	established bool
}

// install makes cc use the dialer. The driver asks for the watcher of a
// connection right after the handshake, which is when the dialer is sealed.
func (d *soleDialer) install(cc *pgx.ConnConfig) {
	cc.DialFunc = d.dial
	cc.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.established = true
		return &pgconn.DeadlineContextWatcherHandler{Conn: conn.Conn()}
	}
}

func (d *soleDialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.established {
		return nil, errors.Join(errNoCancel, d.conn.Close())
	}
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3,
	}}
	conn, err := dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	d.conn = conn
	return conn, nil
}

const warningKey = "warning"

// recordWarning keeps a warning of the server for takeWarning.
func recordWarning(conn *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" {
		conn.CustomData()[warningKey] = (*pgconn.PgError)(n)
	}
}

// takeWarning returns the last warning that came over the connection, if any,
// and forgets it.
func takeWarning(conn *pgconn.PgConn) error {
	w, ok := conn.CustomData()[warningKey].(*pgconn.PgError)
	if !ok {
		return nil
	}
	delete(conn.CustomData(), warningKey)
	return w
}
