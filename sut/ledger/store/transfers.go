package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// The rules of the schema that speak against a transfer.
const (
	transfersKey        = "transfers_pkey"
	transfersFrom       = "transfers_from"
	transfersTo         = "transfers_to"
	transfersRefundable = "transfers_refundable"
	transfersRefunded   = "transfers_refunded"
	accountsNoOverdraft = "accounts_no_overdraft"
	accountsOpen        = "accounts_open"
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
// call with the same request reports the first one's transfer.
//
// The rules of the schema are the checks: an id in use, a balance below zero,
// an account that is unknown, not open, or of another currency each end the
// transaction where they occur, so a transfer that nothing speaks against
// takes two round trips.
func (p *Primary) Place(ctx context.Context, t domain.Transfer, m Meta) (Placement, error) {
	if err := t.Check(); err != nil {
		return Placement{}, err
	}
	placed, err := p.place(ctx, "place transfer", placeSQL,
		m.Correlation, m.Traceparent, t.ID, t.From, t.To, t.Amount, t.Currency, t.Reference, t.RequestHash())
	switch {
	case violates(err, codeUnique, transfersKey):
		return p.replayTransfer(ctx, t.ID, t.RequestHash())
	case violates(err, codeForeignKey, transfersFrom), violates(err, codeForeignKey, transfersTo):
		return Placement{Origin: placed.Origin}, p.whyNoAccount(ctx, t)
	case hasCode(err, codeOutOfRange):
		// A payee would have more than can be counted, and so would the payer.
		return Placement{Origin: placed.Origin}, domain.ErrInsufficientFunds
	}
	return placed, err
}

// Refund moves a part of a transfer back, or all of it, as a transfer of its
// own. It is idempotent by the refund's id, as [Primary.Place] is.
func (p *Primary) Refund(ctx context.Context, r domain.Refund, m Meta) (Placement, error) {
	placed, err := p.place(ctx, "place refund", refundSQL,
		m.Correlation, m.Traceparent, r.ID, r.Of, r.Amount, r.RequestHash())
	switch {
	case violates(err, codeUnique, transfersKey):
		return p.replayTransfer(ctx, r.ID, r.RequestHash())
	case errors.Is(err, pgx.ErrNoRows):
		return Placement{Origin: placed.Origin}, fmt.Errorf("transfer %s: %w", r.Of, domain.ErrNotFound)
	case violates(err, codeCheck, transfersRefundable):
		return Placement{Origin: placed.Origin}, fmt.Errorf("transfer %s: %w", r.Of, domain.ErrNotRefundable)
	case violates(err, codeCheck, transfersRefunded), hasCode(err, codeOutOfRange):
		return Placement{Origin: placed.Origin}, fmt.Errorf("transfer %s: %w", r.Of, domain.ErrRefundExceeds)
	}
	return placed, err
}

// A transfer is placed by a function on the server, in one round trip: see the
// migration that creates it.
const (
	placeSQL  = `SELECT ` + placedColumns + ` FROM place_transfer($3, $4, $5, $6, $7, $8, NULL, $9, $1, $2) AS p`
	refundSQL = `SELECT ` + placedColumns + ` FROM place_refund($3, $4, $5, $6, $1, $2) AS p`

	placedColumns = `(p.placed).id, (p.placed).from_account, (p.placed).to_account, (p.placed).amount, (p.placed).currency, (p.placed).reference,
		coalesce((p.placed).refund_of, '00000000-0000-0000-0000-000000000000'), (p.placed).refunded, false, (p.placed).created_at,
		p.payer_version, p.payee_version`
)

// place runs the statement that places a transfer. What speaks against any
// transfer is translated here.
func (p *Primary) place(ctx context.Context, doing, sql string, args ...any) (placed Placement, err error) {
	placed.Origin, err = p.db.inTx(ctx, doing, func(b *pgx.Batch) {
		b.Queue(sql, args...).QueryRow(func(row pgx.Row) (err error) {
			placed.Changed = make([]AccountVersion, 2)
			from, to := &placed.Changed[0], &placed.Changed[1]
			placed.Transfer, err = scanTransfer(extendedRow{row, []any{&from.Version, &to.Version}})
			from.Account, to.Account = placed.Transfer.From, placed.Transfer.To
			return err
		})
	})
	switch {
	case violates(err, codeCheck, accountsNoOverdraft):
		return Placement{Origin: placed.Origin}, domain.ErrInsufficientFunds
	case violates(err, codeCheck, accountsOpen):
		return Placement{Origin: placed.Origin}, fmt.Errorf("%s: %w", refusal(err).Message, domain.ErrAccountNotOpen)
	}
	return placed, err
}

// replayTransfer answers a request whose id is in use.
func (p *Primary) replayTransfer(ctx context.Context, id uuid.UUID, hash []byte) (Placement, error) {
	w, err := replay(ctx, p, "transfer", `SELECT `+transferColumns+`, t.request_hash
		FROM transfers t LEFT JOIN settlements s ON s.transfer_id = t.id WHERE t.id = $1 FOR SHARE OF t`, id, hash, scanTransfer)
	return Placement{Transfer: w.Value, Replayed: w.Replayed, Origin: w.Origin}, err
}

// whyNoAccount finds the reason why a transfer has no accounts.
func (p *Primary) whyNoAccount(ctx context.Context, t domain.Transfer) error {
	for _, id := range []int64{t.From, t.To} {
		a, _, err := p.FindAccount(ctx, id)
		switch {
		case errors.Is(err, domain.ErrNotFound):
			return fmt.Errorf("account %d: %w", id, domain.ErrUnknownAccount)
		case err != nil:
			return err
		case a.Currency != t.Currency:
			return fmt.Errorf("account %d holds %s: %w", id, a.Currency, domain.ErrWrongCurrency)
		}
	}
	return fmt.Errorf("place transfer: %w: account appeared meanwhile", domain.ErrUnavailable)
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
