package ledgerload

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/loadgen/probe"
	"github.com/proofload/proofload/reports/history"
)

// workQueues are those queues of the ledger that its workers empty. What they
// give up goes to a queue of the same name with [deadSuffix].
func workQueues() []string {
	return []string{"ledger.settlement", "ledger.notifications", "ledger.projection", "ledger.statements"}
}

const deadSuffix = ".dead"

// delayQueues lists those in which messages wait to be tried again.
func delayQueues() []string {
	return []string{"ledger.retry.1", "ledger.retry.2", "ledger.retry.3", "ledger.retry.4"}
}

// A backlog is background work that is not done.
type backlog struct {
	outbox    int64            // messages that are not published
	unsettled int64            // transfers of the drill without a settlement, or a notification
	queued    map[string]int64 // messages that wait for a worker, by queue
	delayed   int64            // messages that wait to be tried again
	dead      int64            // messages that a worker has given up
}

// hopeless is for how long nothing may change before what is left counts as what
// nobody will do. It is longer than a worker takes to come back after the broker
// or the database has been away, and to find out that an effect takes too long.
const hopeless = 20 * time.Second

// same reports whether nothing was done between two looks.
func (b backlog) same(o backlog) bool {
	return b.outbox == o.outbox && b.unsettled == o.unsettled && b.dead == o.dead && maps.Equal(b.queued, o.queued)
}

// empty reports whether nothing is left that will be done. Dead letters stay
// until somebody deals with them, so they are not waited for.
func (b backlog) empty() bool {
	waiting := b.outbox + b.unsettled
	for _, n := range b.queued {
		waiting += n
	}
	return waiting == 0
}

// A stillness says since when nothing has been done.
type stillness struct {
	moved   time.Time // anything
	relayed time.Time // what is to be published
}

// look takes what is left to do, and what it was before; known says that both could
// be read. What is to be published waits for nothing but the relay: that messages are
// to be tried again is no reason to wait for one that has ended.
func (s *stillness) look(now, before backlog, known bool) {
	if !known || !now.same(before) || now.delayed > 0 {
		s.moved = time.Now()
	}
	if !known || now.outbox == 0 || now.outbox != before.outbox {
		s.relayed = time.Now()
	}
}

// hopeless reports whether what is left is what nobody will do.
func (s *stillness) hopeless() bool {
	return time.Since(s.moved) >= hopeless || time.Since(s.relayed) >= hopeless
}

// quiesce finds the primary and waits until background work has ended. What is
// left when the wait is over is recorded; it is an error only if it could not
// be read.
func (a *audit) quiesce(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, a.Quiesce)
	defer cancel()
	var left backlog
	var known bool
	still := stillness{time.Now(), time.Now()}
	for {
		now, err := a.backlog(bounded)
		still.look(now, left, err == nil && known)
		switch {
		case err == nil:
			left, known = now, true
		case bounded.Err() == nil:
			known = false // it was reachable once, and is not now
		}
		over := left.empty() || still.hopeless()
		if known && over || !loadgen.Wait(bounded, pollEvery) {
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
		for _, queue := range workQueues() {
			jobs("queue "+queue, left.queued[queue])
		}
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
	err = b.readQueues(a.AMQP)
	return b, err
}

// readQueues reads the messages ready in each work queue, those that wait to be
// tried again, and those in all queues of dead letters.
func (b *backlog) readQueues(url string) error {
	conn, err := amqp.DialConfig(url, amqp.Config{Dial: amqp.DefaultDial(connectTimeout)})
	if err != nil {
		return fmt.Errorf("connect to the broker: %w", err)
	}
	defer func() { _ = conn.Close() }() // everything was read
	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("open channel: %w", err)
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
	b.queued = map[string]int64{}
	for _, queue := range workQueues() {
		b.queued[queue] = depth(queue)
		b.dead += depth(queue + deadSuffix)
	}
	for _, queue := range delayQueues() {
		b.delayed += depth(queue)
	}
	return err
}
