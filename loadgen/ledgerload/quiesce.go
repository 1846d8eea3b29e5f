package ledgerload

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/loadgen/probe"
	"github.com/proofload/proofload/reports/history"
)

// The queues of the ledger.
const (
	settlementQueue = "ledger.settlement"
	deadLetterQueue = "ledger.settlement.dead"
)

// A backlog is background work that is not done.
type backlog struct {
	outbox    int64 // messages that are not published
	unsettled int64 // transfers of the drill without a settlement
	queued    int64 // messages that wait for a worker
	dead      int64 // messages that a worker has given up
}

// empty reports whether nothing is left that will be done. Dead letters stay
// until somebody deals with them, so they are not waited for.
func (b backlog) empty() bool { return b.outbox == 0 && b.unsettled == 0 && b.queued == 0 }

// quiesce finds the primary and waits until background work has ended. What is
// left when the wait is over is recorded; it is an error only if it could not
// be read.
func (a *audit) quiesce(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, a.Quiesce)
	defer cancel()
	var left backlog
	var known bool
	for {
		now, err := a.backlog(bounded)
		switch {
		case err == nil:
			left, known = now, true
		case bounded.Err() == nil:
			known = false // it was reachable once, and is not now
		}
		if known && left.empty() || !wait(bounded, pollEvery) {
			if !known {
				return fmt.Errorf("read what is left to do: %w", err)
			}
			break
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	jobs := func(target string, n int64) {
		a.record(history.Event{Kind: history.Info, Op: history.AuditJobs, Node: a.primary, Target: target, Count: n})
	}
	jobs("outbox", left.outbox)
	if a.AMQP != "" {
		jobs("queue "+settlementQueue, left.queued)
		jobs("dead letters", left.dead)
	}
	return nil
}

// backlog reads what is left to do, and makes sure of the primary.
func (a *audit) backlog(ctx context.Context) (backlog, error) {
	var b backlog
	node, err := a.Primary(ctx)
	if err != nil {
		return b, fmt.Errorf("find the primary: %w", err)
	}
	lo, hi := a.Workload.IDRange(a.Drill)
	err = a.connected(ctx, node, func(ctx context.Context, conn *pgx.Conn) error {
		s, statusErr := probe.ReadStatus(ctx, conn)
		switch {
		case statusErr != nil:
			return statusErr
		case s.Role != probe.Primary:
			return fmt.Errorf("%s is said to be the primary and is a %s", node, s.Role)
		}
		return conn.QueryRow(ctx, backlogSQL, lo, hi).Scan(&b.outbox, &b.unsettled)
	})
	if err != nil {
		return b, err
	}
	a.primary = node
	if a.AMQP == "" {
		return b, nil
	}
	b.queued, b.dead, err = queues(a.AMQP)
	return b, err
}

// queues returns the messages ready in the settlement queue and in that of its
// dead letters.
func queues(url string) (queued, dead int64, err error) {
	conn, err := amqp.DialConfig(url, amqp.Config{Dial: amqp.DefaultDial(connectTimeout)})
	if err != nil {
		return 0, 0, fmt.Errorf("connect to the broker: %w", err)
	}
	defer func() { _ = conn.Close() }() // everything was read
	ch, err := conn.Channel()
	if err != nil {
		return 0, 0, fmt.Errorf("open channel: %w", err)
	}
	depth := func(queue string) int64 {
		if err != nil {
			return 0
		}
		var q amqp.Queue
		if q, err = ch.QueueDeclarePassive(queue, true, false, false, false, nil); err != nil {
			err = fmt.Errorf("read queue %s: %w", queue, err)
		}
		return int64(q.Messages)
	}
	return depth(settlementQueue), depth(deadLetterQueue), err
}
