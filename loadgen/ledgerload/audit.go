package ledgerload

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/proofload/proofload/loadgen/probe"
	"github.com/proofload/proofload/reports/history"
)

// The defaults of an [AuditConfig], and bounds that need no choice.
const (
	DefaultQuiesce  = 90 * time.Second
	DefaultCatchUp  = 30 * time.Second
	connectTimeout  = 3 * time.Second
	queryTimeout    = time.Minute
	pollEvery       = 250 * time.Millisecond
	conflictRetries = 3 // a replica may cancel a long read to go on replaying
)

// An AuditConfig says where the books are.
type AuditConfig struct {
	// Databases are the URLs of all database nodes, by node, on a path that no
	// fault touches.
	Databases map[string]string

	// Primary names the node that is authoritative.
	Primary func(ctx context.Context) (node string, err error)

	// AMQP is the URL of the broker. Empty: there is no broker to ask.
	AMQP string

	Workload *Workload
	Drill    int  // from 1
	Earlier  bool // read the transfers of all drills before it again
	Recorder *history.Recorder

	// Quiesce bounds the wait for a primary and for background work to end;
	// zero is [DefaultQuiesce].
	Quiesce time.Duration

	// CatchUp bounds the wait for each replica to replay what the primary has
	// written; zero is [DefaultCatchUp].
	CatchUp time.Duration
}

// Audit reads the final state of the ledger after a drill into the history. In
// this order:
//
//	jobs      once background work has ended or the wait is over
//	dead-letter, waiting, subscriber
//	          of the broker and of the primary: what was given up, what waits
//	          still, and what those who have to learn of every transfer missed
//	write     one event for each transfer of the drill, from the primary
//	earlier   once those of all drills before it were read again, if they are
//	          asked for
//	counter   by how much they have moved each account
//	role      of each node
//	books     of each node, in one snapshot
//	checksum  of each table on each node, the replicas once they have replayed
//	          what the primary had written
//	intact    of the files of each node, where its database has the extension
//	          amcheck
//	statement, scan
//	          what each node has spent its time on, where it counts that; no
//	          error if it cannot be read
//	done      Kind is Fail and Text the reason if anything could not be read
//
// What cannot be read of one node is recorded as a failure of that node and
// does not keep the others from being read. A replica that has not caught up is
// read as it is; Value of its checksums is then less than the primary's. The
// error joins all that could not be read.
func Audit(ctx context.Context, c AuditConfig) error {
	if c.Quiesce == 0 {
		c.Quiesce = DefaultQuiesce
	}
	if c.CatchUp == 0 {
		c.CatchUp = DefaultCatchUp
	}
	a := &audit{AuditConfig: c}
	err := a.run(ctx)
	done := history.Event{Kind: history.Info, Op: history.AuditDone}
	if err != nil {
		err = fmt.Errorf("audit drill %d: %w", c.Drill, err)
		done.Kind, done.Text = history.Fail, err.Error()
	}
	a.record(done)
	return err
}

// An audit is one in progress.
type audit struct {
	AuditConfig

	primary string
	lsn     int64 // what the primary had written when all was quiet, in bytes
}

func (a *audit) record(e history.Event) {
	e.By, e.Drill = history.ByAudit, a.Drill
	a.Recorder.Record(e)
}

func (a *audit) run(ctx context.Context) error {
	if err := a.quiesce(ctx); err != nil {
		return err
	}
	var errs []error
	if a.AMQP != "" {
		if err := a.deadLetters(); err != nil {
			a.record(history.Event{Kind: history.Fail, Op: history.AuditDead, Text: err.Error()})
			errs = append(errs, err)
		}
	}
	errs = append(errs,
		a.on(ctx, a.primary, history.AuditWaiting, a.waiting),
		a.on(ctx, a.primary, history.AuditSubscriber, a.subscribers),
		a.on(ctx, a.primary, history.AuditWrite, a.writes),
	)
	if a.Earlier {
		errs = append(errs, a.on(ctx, a.primary, history.AuditEarlier, a.earlier))
	}
	errs = append(errs, a.on(ctx, a.primary, history.AuditCounter, a.counters))
	nodes := slices.Sorted(maps.Keys(a.Databases))
	for _, node := range nodes {
		errs = append(errs, a.on(ctx, node, history.AuditRole, a.role))
	}
	for _, node := range nodes {
		errs = append(errs, a.on(ctx, node, history.AuditBooks, a.books))
	}
	// The primary first: its position is where the replicas have to get to.
	nodes = slices.DeleteFunc(nodes, func(n string) bool { return n == a.primary })
	for _, node := range append([]string{a.primary}, nodes...) {
		errs = append(errs, a.on(ctx, node, history.AuditSum, a.checksums))
	}
	for _, node := range append([]string{a.primary}, nodes...) {
		errs = append(errs, a.on(ctx, node, history.AuditIntact, a.intact))
	}
	for _, node := range append([]string{a.primary}, nodes...) {
		_ = a.on(ctx, node, history.AuditStatement, a.costs) // recorded; no check needs it
	}
	return errors.Join(errs...)
}

// on carries out one part of the audit on one node. If it fails, that is
// recorded as well.
func (a *audit) on(ctx context.Context, node, op string, part func(ctx context.Context, conn *pgx.Conn, node string) error) error {
	err := a.connected(ctx, node, func(ctx context.Context, conn *pgx.Conn) error { return part(ctx, conn, node) })
	if err != nil {
		err = fmt.Errorf("read %s of %s: %w", op, node, err)
		a.record(history.Event{Kind: history.Fail, Op: op, Node: node, Text: err.Error()})
	}
	return err
}

// connected calls do with a connection to the node.
func (a *audit) connected(ctx context.Context, node string, do func(ctx context.Context, conn *pgx.Conn) error) error {
	url, ok := a.Databases[node]
	if !ok {
		return fmt.Errorf("no database node %q", node)
	}
	dial, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := probe.Connect(dial, url)
	if err != nil {
		return err
	}
	defer func() {
		closing, closed := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
		defer closed()
		_ = conn.Close(closing) // everything was read
	}()
	ctx, cancel = context.WithTimeout(ctx, queryTimeout+a.CatchUp)
	defer cancel()
	return do(ctx, conn)
}
