package store

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// transferColumns are those of a transfer t and its settlement s, if there is
// one.
const transferColumns = `t.id, t.from_account, t.to_account, t.amount, t.currency, t.reference,
	coalesce(t.refund_of, '00000000-0000-0000-0000-000000000000'), t.refunded, s.transfer_id IS NOT NULL, t.created_at`

func scanTransfer(row pgx.Row) (t domain.Transfer, err error) {
	var settled bool
	err = row.Scan(&t.ID, &t.From, &t.To, &t.Amount, &t.Currency, &t.Reference, &t.RefundOf, &t.Refunded, &settled, &t.CreatedAt)
	t.Status = domain.Accepted
	if settled {
		t.Status = domain.Settled
	}
	return t, err
}

// An AccountVersion says how far an account had come.
type AccountVersion struct {
	Account int64
	Version int64
}

// A Placement is the result of [Primary.Place] and of [Primary.Refund].
type Placement struct {
	Transfer domain.Transfer
	Replayed bool // an earlier request had placed it
	Origin   domain.Origin

	// Changed lists the accounts with the versions they got. It is also set
	// when the outcome is unknown, for then they may have got them.
	Changed []AccountVersion
}

// Place moves the money and records transfer, postings and the event to
// publish, all or nothing. It is idempotent by the transfer's id: a second
// call with the same request reports the first one's transfer, as it is now.
//
// Whatever the answer is, it takes two round trips, beside what preparing the
// statements on a new connection takes.
func (p *Primary) Place(ctx context.Context, t domain.Transfer, m Meta) (Placement, error) {
	if err := t.Check(); err != nil {
		return Placement{}, err
	}
	return p.place(ctx, "place transfer", t.RequestHash(), placeSQL,
		m.Correlation, m.Traceparent, t.ID, t.From, t.To, t.Amount, t.Currency, t.Reference, t.RequestHash())
}

// Refund moves a part of a transfer back, or all of it, as a transfer of its
// own. It is idempotent by the refund's id, as [Primary.Place] is.
func (p *Primary) Refund(ctx context.Context, r domain.Refund, m Meta) (Placement, error) {
	return p.place(ctx, "place refund", r.RequestHash(), refundSQL,
		m.Correlation, m.Traceparent, r.ID, r.Of, r.Amount, r.RequestHash())
}

// A transfer is placed by a function on the server, in one round trip: see the
// migration that creates it.
const (
	placeSQL  = `SELECT ` + placedColumns + ` FROM place_transfer($3, $4, $5, $6, $7, $8, NULL, $9, $1, $2) AS p`
	refundSQL = `SELECT ` + placedColumns + ` FROM place_refund($3, $4, $5, $6, $1, $2) AS p`

	placedColumns = `coalesce(p.refusal, ''), coalesce(p.why, ''), p.replayed, coalesce(p.payer_version, 0), coalesce(p.payee_version, 0),
		(p.placed).request_hash, (p.placed).id, (p.placed).from_account, (p.placed).to_account, (p.placed).amount,
		(p.placed).currency, (p.placed).reference,
		coalesce((p.placed).refund_of, '00000000-0000-0000-0000-000000000000'), (p.placed).refunded, p.settled, (p.placed).created_at`

	placedAt = 6 // where the columns of the transfer begin
)

// place runs the statement that places a transfer, and commits if the transfer
// is there then.
func (p *Primary) place(ctx context.Context, doing string, hash []byte, sql string, args ...any) (placed Placement, err error) {
	var refused error
	placed.Origin, err = p.db.inTxIf(ctx, doing, func(b *pgx.Batch) {
		b.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
			for rows.Next() {
				if refused, err = placed.scan(rows, hash); err != nil {
					return err
				}
			}
			return rows.Err()
		})
	}, func() error { return refused })
	if refused != nil {
		return Placement{Origin: placed.Origin}, err
	}
	return placed, err
}

// scan reads the answer to the request that has the hash, and what speaks
// against it.
func (p *Placement) scan(rows pgx.Rows, hash []byte) (refused, err error) {
	var (
		code, why    string
		first        []byte
		payer, payee int64
	)
	row := extendedRow{Row: rows, before: []any{&code, &why, &p.Replayed, &payer, &payee, &first}}
	if rows.RawValues()[placedAt] == nil {
		err = row.Scan(make([]any, len(rows.RawValues())-placedAt)...)
		return fmt.Errorf("%s: %w", why, refusalOf(code)), err
	}
	if p.Transfer, err = scanTransfer(row); err != nil {
		return nil, err
	}
	if p.Replayed {
		if !bytes.Equal(first, hash) {
			return domain.ErrConflict, nil
		}
		return nil, nil
	}
	p.Changed = []AccountVersion{{p.Transfer.From, payer}, {p.Transfer.To, payee}}
	return nil, nil
}

// refusalOf translates what the functions of the migration return.
func refusalOf(code string) error {
	err, known := map[string]error{
		"not_found":           domain.ErrNotFound,
		"not_refundable":      domain.ErrNotRefundable,
		"refund_exceeds":      domain.ErrRefundExceeds,
		"unknown_account":     domain.ErrUnknownAccount,
		"wrong_currency":      domain.ErrWrongCurrency,
		"account_not_open":    domain.ErrAccountNotOpen,
		"customer_not_active": domain.ErrCustomerNotActive,
		"insufficient_funds":  domain.ErrInsufficientFunds,
		"balance_limit":       domain.ErrBalanceLimit,
	}[code]
	if !known {
		return fmt.Errorf("unknown refusal %q", code)
	}
	return err
}

// FindTransfer reads a transfer.
func (n node) FindTransfer(ctx context.Context, id uuid.UUID) (domain.Transfer, domain.Origin, error) {
	return readOne(ctx, n, "transfer", `SELECT `+transferColumns+`
		FROM transfers t LEFT JOIN settlements s ON s.transfer_id = t.id WHERE t.id = $1`, id, scanTransfer)
}

// ListTransfers reads a page of the transfers.
func (n node) ListTransfers(
	ctx context.Context, f domain.TransferFilter, p domain.Page,
) ([]domain.Transfer, *domain.Cursor, domain.Origin, error) {
	const what = "transfers"
	from, columns, l := transferSource(f)
	by, err := sortColumn(what, p, domain.TransferSorts(), columns)
	if err != nil {
		return nil, nil, domain.Origin{}, err
	}
	if f.RefundOf != uuid.Nil {
		l.where("t.refund_of = %s", f.RefundOf)
	}
	if f.MinAmount != 0 {
		l.where("t.amount >= %s", f.MinAmount)
	}
	created := columns[domain.ByCreated].sql
	if !f.CreatedFrom.IsZero() {
		l.where(created+" >= %s", f.CreatedFrom)
	}
	if !f.CreatedBefore.IsZero() {
		l.where(created+" < %s", f.CreatedBefore)
	}
	// What is settled is looked up for the page alone.
	direction := ""
	if p.Descending {
		direction = " DESC"
	}
	sql := `SELECT ` + transferColumns + `, t.sort::text, t.id::text
		FROM (SELECT t.*, ` + by.sql + ` AS sort FROM ` + from + l.page(by, p) + `) AS t
		LEFT JOIN settlements s ON s.transfer_id = t.id ORDER BY t.sort` + direction + `, t.id` + direction
	return readPage(ctx, n, what, sql, l, p, scanTransfer)
}

// transferSource says where the transfers of a list are to be looked for, and
// what they are ordered by there. Those of an account are found by its
// postings, which have the times of their transfers, and those that are not
// settled by what says so.
func transferSource(f domain.TransferFilter) (from string, columns map[domain.SortKey]column, l *listing) {
	l = &listing{}
	created, id := "t.created_at", "t.id"
	switch {
	case f.Status == domain.Accepted:
		from, created, id = "unsettled u JOIN transfers t ON t.id = u.transfer_id", "u.created_at", "u.transfer_id"
		if f.Account != 0 {
			l.where("%[1]s IN (t.from_account, t.to_account)", f.Account)
		}
	case f.Account != 0:
		from, created, id = "postings p JOIN transfers t ON t.id = p.transfer_id", "p.created_at", "p.transfer_id"
		l.where("p.account_id = %s", f.Account)
	default:
		from = "transfers t"
	}
	if f.Status == domain.Settled {
		l.conditions = append(l.conditions, strings.NewReplacer("CREATED", created, "ID", id).
			Replace("NOT EXISTS (SELECT FROM unsettled u WHERE (u.created_at, u.transfer_id) = (CREATED, ID))"))
	}
	return from, map[domain.SortKey]column{
		domain.ByCreated: {sql: created, kind: "timestamptz", tie: id, tieAs: "uuid"},
		domain.ByAmount:  {sql: "t.amount", kind: "bigint", tie: "t.id", tieAs: "uuid"},
	}, l
}
