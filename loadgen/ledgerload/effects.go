package ledgerload

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/reports/history"
)

// countersSQL reads by how much the transfers between two ids have moved each
// account: what is left of its balance without what it was opened with and all
// other transfers.
const countersSQL = `
SELECT * FROM (
  SELECT a.id::text AS id, (a.balance - a.opening - coalesce(o.sum, 0))::bigint AS moved
    FROM accounts a
    LEFT JOIN (SELECT account_id, sum(amount) FROM postings
                WHERE NOT transfer_id BETWEEN $1::uuid AND $2::uuid GROUP BY account_id) AS o ON o.account_id = a.id) AS m
 WHERE moved <> 0 ORDER BY id`

// counters records by how much the transfers of the drill have moved accounts.
func (a *audit) counters(ctx context.Context, conn *pgx.Conn, node string) error {
	e := history.Event{Kind: history.Info, Op: history.AuditCounter, Node: node}
	n, err := a.each(ctx, conn, countersSQL, []any{&e.Key, &e.Value}, func() { a.record(e) })
	if err != nil {
		return err
	}
	a.record(history.Event{Kind: history.Info, Op: history.AuditCounter, Node: node, Count: n})
	return nil
}

// waitingSQL reads those of the transfers between two ids whose event is not
// published, which is why nothing was done about them.
const waitingSQL = `
SELECT transfer_id::text FROM outbox
 WHERE published_at IS NULL AND transfer_id BETWEEN $1::uuid AND $2::uuid ORDER BY 1`

// waiting records the transfers of the drill that wait in the outbox.
func (a *audit) waiting(ctx context.Context, conn *pgx.Conn, node string) error {
	e := history.Event{Kind: history.Info, Op: history.AuditWaiting, Node: node, Target: "outbox"}
	_, err := a.each(ctx, conn, waitingSQL, []any{&e.ID}, func() { a.record(e) })
	return err
}

// notifiedSQL reads those of the transfers between two ids that the customers on
// both sides were not told of, and counts the others. Who subscribes to the
// events of transfers leaves that behind.
const (
	unnotifiedSQL = `
SELECT t.id::text FROM transfers t
 WHERE t.id BETWEEN $1::uuid AND $2::uuid
   AND (SELECT count(*) FROM notifications n WHERE n.transfer_id = t.id) < 2
 ORDER BY t.id`

	notifiedSQL = `
SELECT count(*) FROM transfers t
 WHERE t.id BETWEEN $1::uuid AND $2::uuid
   AND (SELECT count(*) FROM notifications n WHERE n.transfer_id = t.id) >= 2`
)

// subscribers records what those who have to learn of each transfer have missed.
func (a *audit) subscribers(ctx context.Context, conn *pgx.Conn, node string) error {
	e := history.Event{Kind: history.Info, Op: history.AuditSubscriber, Node: node, Target: "notifications"}
	if _, err := a.each(ctx, conn, unnotifiedSQL, []any{&e.ID}, func() { a.record(e) }); err != nil {
		return err
	}
	e.ID = ""
	_, err := a.each(ctx, conn, notifiedSQL, []any{&e.Count}, func() { a.record(e) })
	return err
}

// each reads rows about the transfers of the drill and returns how many there
// were.
func (a *audit) each(ctx context.Context, conn *pgx.Conn, sql string, into []any, do func()) (n int64, err error) {
	lo, hi := a.Workload.IDRange(a.Drill)
	rows, err := conn.Query(ctx, sql, lo, hi)
	if err != nil {
		return 0, err
	}
	_, err = pgx.ForEachRow(rows, into, func() error {
		n++
		do()
		return nil
	})
	return n, err
}

// maxLetters bounds the dead letters that are read from one queue.
const maxLetters = 1000

// The headers of a dead letter.
const (
	deadReasonHeader = "Ledger-Dead-Reason"
	attemptsHeader   = "Ledger-Attempts"
)

// deadLetters records every message that was given up. They stay where they are.
func (a *audit) deadLetters() error {
	conn, err := amqp.DialConfig(a.AMQP, amqp.Config{Dial: amqp.DefaultDial(connectTimeout)})
	if err != nil {
		return fmt.Errorf("read dead letters: connect to the broker: %w", err)
	}
	defer func() { _ = conn.Close() }() // which returns what was taken
	var n int64
	for _, queue := range workQueues() {
		ch, err := conn.Channel()
		if err != nil {
			return fmt.Errorf("read dead letters: open channel: %w", err)
		}
		for range maxLetters {
			d, ok, err := ch.Get(queue+deadSuffix, false)
			if err != nil {
				return fmt.Errorf("read dead letters of %s: %w", queue, err)
			}
			if !ok {
				break
			}
			n++
			a.record(letter(queue, d))
		}
		if err := ch.Close(); err != nil {
			return fmt.Errorf("read dead letters of %s: return them: %w", queue, err)
		}
	}
	a.record(history.Event{Kind: history.Info, Op: history.AuditDead, Count: n})
	return nil
}

// letter is the event of a dead letter.
func letter(queue string, d amqp.Delivery) history.Event {
	var about struct {
		TransferID string `json:"transfer_id"`
	}
	_ = json.Unmarshal(d.Body, &about) // what cannot be read may be why it died
	reason, _ := d.Headers[deadReasonHeader].(string)
	attempts, _ := d.Headers[attemptsHeader].(int32)
	id := d.MessageId
	if id == "" {
		id = "a message with no id"
	}
	return history.Event{
		Kind: history.Info, Op: history.AuditDead, ID: id, Key: about.TransferID, Target: queue, Text: reason, Count: int64(attempts),
	}
}
