package ledgerload

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/loadgen/probe"
	"github.com/proofload/proofload/reports/history"
)

// backlogSQL counts the messages that are not published, and the transfers
// between two ids that are not settled or of which not both sides were told.
const backlogSQL = `
SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL),
       (SELECT count(*) FROM transfers t
         WHERE t.id BETWEEN $1::uuid AND $2::uuid
           AND (NOT EXISTS (SELECT FROM settlements s WHERE s.transfer_id = t.id)
                OR (SELECT count(*) FROM notifications n WHERE n.transfer_id = t.id) < 2))`

// writesSQL reads the transfers between two ids, refunds among them, and all
// others since a time, which nobody asked for, with what they did to the books:
// all postings, those that debit and those that credit as they should.
const writesSQL = `
SELECT t.id::text, t.amount,
       count(p.account_id),
       count(p.account_id) FILTER (WHERE p.account_id = t.from_account AND p.amount = -t.amount),
       count(p.account_id) FILTER (WHERE p.account_id = t.to_account AND p.amount = t.amount),
       (SELECT count(*) FROM settlements s WHERE s.transfer_id = t.id)
  FROM transfers t LEFT JOIN postings p ON p.transfer_id = t.id
 WHERE t.id BETWEEN $1::uuid AND $2::uuid OR t.created_at >= $3
 GROUP BY t.id
 ORDER BY t.id`

// writes records every transfer of the drill that the primary has, also such
// as were never asked for: under an id of the drill, or under one that the
// system made up since the load began. For there is nobody else on it.
func (a *audit) writes(ctx context.Context, conn *pgx.Conn, node string) error {
	lo, hi := a.Workload.IDRange(a.Drill)
	since := pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}
	if b := a.Workload.began.Load(); b != nil && b.drill == a.Drill {
		since = pgtype.Timestamptz{Time: b.at, Valid: true}
	}
	return a.transfers(ctx, conn, node, lo, hi, since)
}

// earlier records every transfer of the drills before this one that the primary
// still has.
func (a *audit) earlier(ctx context.Context, conn *pgx.Conn, node string) error {
	lo, _ := a.Workload.IDRange(1)
	_, hi := a.Workload.IDRange(a.Drill - 1)
	err := a.transfers(ctx, conn, node, lo, hi, pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true})
	if err == nil {
		a.record(history.Event{Kind: history.Info, Op: history.AuditEarlier, Node: node})
	}
	return err
}

// transfers records those between two ids, and all that were made since.
func (a *audit) transfers(ctx context.Context, conn *pgx.Conn, node, lo, hi string, since pgtype.Timestamptz) error {
	rows, err := conn.Query(ctx, writesSQL, lo, hi, since)
	if err != nil {
		return err
	}
	e := history.Event{Kind: history.Info, Op: history.AuditWrite, Node: node}
	var all, debits, credits int64
	_, err = pgx.ForEachRow(rows, []any{&e.ID, &e.Amount, &all, &debits, &credits, &e.Jobs}, func() error {
		e.Count = effects(all, debits, credits)
		a.record(e)
		return nil
	})
	return err
}

// effects returns how many times a transfer is in the books: once if it has
// exactly its debit and its credit, several times if one of them is there more
// than once, and otherwise not at all, since half an effect is none.
func effects(all, debits, credits int64) int64 {
	if n := max(debits, credits); n > 1 {
		return n
	}
	if all == 2 && debits == 1 && credits == 1 {
		return 1
	}
	return 0
}

// role records what a node is now.
func (a *audit) role(ctx context.Context, conn *pgx.Conn, node string) error {
	s, err := probe.ReadStatus(ctx, conn)
	if err != nil {
		return err
	}
	e := history.Event{Kind: history.Info, Op: history.AuditRole, Node: node, Role: s.Role, Timeline: s.Timeline, Value: s.LSN}
	// The state is hidden from roles that may not monitor.
	const replicas = `SELECT count(*) FROM pg_stat_replication WHERE coalesce(state, 'streaming') = 'streaming'`
	if err := conn.QueryRow(ctx, replicas).Scan(&e.Count); err != nil {
		return fmt.Errorf("count replicas: %w", err)
	}
	a.record(e)
	return nil
}

// The books: the sum of all postings; transfers that have not exactly two
// postings summing to zero; transfers that say another refunded amount than
// their refunds do, or more than they moved, or that have a refund which is not
// between the same accounts the other way round; accounts whose balance is
// negative or differs from the opening balance and the postings, for which more
// transfers were counted than it has, or which has had more postings than
// versions, so that two different states went by the same. With up to five
// examples of each.
const (
	totalSQL = `SELECT coalesce(sum(amount), 0)::bigint FROM postings`

	unbalancedSQL = `
SELECT count(*), coalesce(string_agg(id::text, ', ') FILTER (WHERE n <= 5), '')
  FROM (SELECT t.id, row_number() OVER (ORDER BY t.id) AS n
          FROM transfers t LEFT JOIN postings p ON p.transfer_id = t.id
         GROUP BY t.id
        HAVING count(p.account_id) <> 2 OR sum(p.amount) <> 0) AS bad`

	wrongRefundSQL = `
SELECT count(*), coalesce(string_agg(format('%s has %s of %s refunded, its refunds say %s', id, refunded, amount, want), ', ') FILTER (WHERE n <= 5), '')
  FROM (SELECT t.id, t.refunded, t.amount, coalesce(r.sum, 0) AS want, row_number() OVER (ORDER BY t.id) AS n
          FROM transfers t
          LEFT JOIN (SELECT o.id, sum(b.amount),
                            bool_and(b.from_account = o.to_account AND b.to_account = o.from_account AND b.currency = o.currency) AS back
                       FROM transfers b JOIN transfers o ON o.id = b.refund_of
                      GROUP BY o.id) AS r ON r.id = t.id
         WHERE t.refunded <> coalesce(r.sum, 0) OR t.refunded > t.amount OR NOT coalesce(r.back, true)) AS bad`

	wrongBalanceSQL = `
SELECT count(*), coalesce(string_agg(format('%s has %s, its postings say %s', id, balance, want), ', ') FILTER (WHERE n <= 5), '')
  FROM (SELECT a.id, a.balance, a.opening + coalesce(p.sum, 0) AS want, row_number() OVER (ORDER BY a.id) AS n
          FROM accounts a
          LEFT JOIN (SELECT account_id, sum(amount) FROM postings GROUP BY account_id) AS p ON p.account_id = a.id
         WHERE a.balance < 0 OR a.balance <> a.opening + coalesce(p.sum, 0)) AS bad`

	// Those who add up what accounts gave and took may not be there yet, but
	// they have not added more than there is.
	countedTwiceSQL = `
SELECT count(*), coalesce(string_agg(format('%s has %s counted, its postings say %s', id, counted, want), ', ') FILTER (WHERE n <= 5), '')
  FROM (SELECT c.account_id AS id, c.sum AS counted, coalesce(p.count, 0) AS want, row_number() OVER (ORDER BY c.account_id) AS n
          FROM (SELECT account_id, sum(transfers) FROM account_activity GROUP BY account_id) AS c
          LEFT JOIN (SELECT account_id, count(*) FROM postings GROUP BY account_id) AS p ON p.account_id = c.account_id
         WHERE c.sum > coalesce(p.count, 0)) AS bad`

	// An account begins with version 1. What else changes it than a posting
	// gives it a version too.
	sharedVersionSQL = `
SELECT count(*), coalesce(string_agg(format('%s is at version %s after %s postings', id, version, posted), ', ') FILTER (WHERE n <= 5), '')
  FROM (SELECT a.id, a.version, p.count AS posted, row_number() OVER (ORDER BY a.id) AS n
          FROM accounts a
          JOIN (SELECT account_id, count(*) FROM postings GROUP BY account_id) AS p ON p.account_id = a.id
         WHERE a.version <= p.count) AS bad`
)

// books records the state of a node's books.
func (a *audit) books(ctx context.Context, conn *pgx.Conn, node string) error {
	e := history.Event{Kind: history.Info, Op: history.AuditBooks, Node: node}
	var examples []string
	err := snapshot(ctx, conn, func(tx pgx.Tx) error {
		e.Count, e.Amount, examples = 0, 0, nil
		if err := tx.QueryRow(ctx, totalSQL).Scan(&e.Value); err != nil {
			return err
		}
		for _, wrong := range []struct {
			sql, what string
			sum       *int64
		}{
			{unbalancedSQL, "unbalanced transfers", &e.Count},
			{wrongRefundSQL, "refunds", &e.Count},
			{wrongBalanceSQL, "accounts", &e.Amount},
			{countedTwiceSQL, "transfers of accounts", &e.Amount},
			{sharedVersionSQL, "versions of accounts", &e.Amount},
		} {
			var n int64
			var some string
			if err := tx.QueryRow(ctx, wrong.sql).Scan(&n, &some); err != nil {
				return fmt.Errorf("look for wrong %s: %w", wrong.what, err)
			}
			*wrong.sum += n
			if some != "" {
				examples = append(examples, wrong.what+": "+some)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	e.Text = strings.Join(examples, "; ")
	a.record(e)
	return nil
}

// checksums records a checksum of each table. The primary's WAL position is
// noted first, and a replica is waited for until it has replayed up to there.
func (a *audit) checksums(ctx context.Context, conn *pgx.Conn, node string) error {
	s, err := probe.ReadStatus(ctx, conn)
	if err != nil {
		return err
	}
	if node == a.primary {
		a.lsn = s.LSN
	} else if s, err = a.catchUp(ctx, conn, s); err != nil {
		return err
	}
	var sums []history.Event
	err = snapshot(ctx, conn, func(tx pgx.Tx) error {
		sums = sums[:0]
		for _, table := range []string{"accounts", "transfers", "postings", "settlements"} {
			e := history.Event{
				Kind: history.Info, Op: history.AuditSum, Node: node, Role: s.Role, Timeline: s.Timeline,
				Target: table, Value: min(s.LSN, a.lsn),
			}
			// A sum does not depend on the order of rows, and numeric does not
			// overflow.
			sum := `SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text FROM ` + table + ` t`
			if sumErr := tx.QueryRow(ctx, sum).Scan(&e.Count, &e.Text); sumErr != nil {
				return fmt.Errorf("sum up %s: %w", table, sumErr)
			}
			sums = append(sums, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range sums {
		a.record(e)
	}
	return nil
}

// catchUp waits, for a bounded time, until a replica has replayed what the
// primary had written, and returns its last status.
func (a *audit) catchUp(ctx context.Context, conn *pgx.Conn, s probe.Status) (probe.Status, error) {
	bounded, cancel := context.WithTimeout(ctx, a.CatchUp)
	defer cancel()
	for s.LSN < a.lsn && loadgen.Wait(bounded, pollEvery) {
		var err error
		if s, err = probe.ReadStatus(ctx, conn); err != nil {
			return s, err
		}
	}
	return s, ctx.Err()
}

// snapshot calls read in a read-only transaction that sees one state of the
// database throughout. It tries again when a replica cancels the transaction
// because it stands in the way of replay.
func snapshot(ctx context.Context, conn *pgx.Conn, read func(tx pgx.Tx) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	for try := 1; ; try++ {
		err := pgx.BeginTxFunc(ctx, conn, options, func(tx pgx.Tx) error {
			// How times are written is a setting of the server; they must read
			// the same on every node.
			if _, err := tx.Exec(ctx, `SET LOCAL timezone = 'UTC'`); err != nil {
				return err
			}
			return read(tx)
		})
		if err == nil || !isConflict(err) || try == conflictRetries || !loadgen.Wait(ctx, pollEvery) {
			return err
		}
	}
}

// isConflict reports whether a replica cancelled a read in favour of replay.
func isConflict(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == "40001"
}
