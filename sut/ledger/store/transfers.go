package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// topicAccepted is the topic of the event that tells of a new transfer.
const topicAccepted = "transfer.accepted"

// An AccountVersion says how far an account had come.
type AccountVersion struct {
	Account int64
	Version int64
}

// A Placement is the result of [Primary.Place].
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
// The constraints of the schema are the checks: an id in use, a balance below
// zero and an unknown account each end the transaction where they occur, so a
// transfer that nothing speaks against takes two round trips.
func (p *Primary) Place(ctx context.Context, t domain.Transfer, correlation string) (Placement, error) {
	if err := t.Check(); err != nil {
		return Placement{}, err
	}
	const doing = "place transfer"
	placed := Placement{Transfer: t, Origin: domain.Origin{Source: domain.Primary}}
	placed.Transfer.Status = domain.Accepted
	err := p.db.inTx(ctx, doing, func(b *pgx.Batch) { placed.queue(b, correlation) })
	switch {
	case violates(err, codeUnique, constraintTransfer):
		return p.replay(ctx, t)
	case violates(err, codeCheck, constraintBalance):
		return Placement{}, domain.ErrInsufficientFunds
	case errors.Is(err, pgx.ErrNoRows):
		return Placement{}, p.whyNoAccount(ctx, t)
	}
	return placed, err
}

// queue adds the statements of a transfer to a batch. The accounts are updated
// in the order of their ids, so that no two transfers wait for each other.
func (p *Placement) queue(b *pgx.Batch, correlation string) {
	t := p.Transfer
	b.Queue(`INSERT INTO transfers (id, from_account, to_account, amount, currency, request_hash)
		VALUES ($1, $2, $3, $4, $5, $6) RETURNING created_at`,
		t.ID, t.From, t.To, t.Amount, t.Currency, t.RequestHash()).
		QueryRow(func(row pgx.Row) error { return row.Scan(&p.Transfer.CreatedAt) })
	changes := []struct{ account, amount int64 }{{t.From, -t.Amount}, {t.To, t.Amount}}
	if t.To < t.From {
		changes[0], changes[1] = changes[1], changes[0]
	}
	for _, c := range changes {
		b.Queue(`UPDATE accounts SET balance = balance + $2, version = version + 1, updated_at = now()
			WHERE id = $1 AND currency = $3 RETURNING version`, c.account, c.amount, t.Currency).
			QueryRow(func(row pgx.Row) error {
				changed := AccountVersion{Account: c.account}
				if err := row.Scan(&changed.Version); err != nil {
					return err
				}
				p.Changed = append(p.Changed, changed)
				return nil
			})
	}
	b.Queue(`INSERT INTO postings (transfer_id, account_id, amount) VALUES ($1, $2, -$4::bigint), ($1, $3, $4)`,
		t.ID, t.From, t.To, t.Amount)
	b.Queue(`INSERT INTO outbox (transfer_id, topic, correlation_id, payload)
		VALUES ($1, $2, $3, jsonb_build_object(
			'transfer_id', $1::uuid, 'amount', $4::bigint, 'currency', $5::text, 'timeline', `+timelineOfPrimary+`,
			'from', $6::bigint, 'from_version', (SELECT version FROM accounts WHERE id = $6),
			'to', $7::bigint, 'to_version', (SELECT version FROM accounts WHERE id = $7)))
		RETURNING (payload ->> 'timeline')::int`,
		t.ID, topicAccepted, correlation, t.Amount, t.Currency, t.From, t.To).
		QueryRow(func(row pgx.Row) error { return row.Scan(&p.Origin.Timeline) })
}

// replay answers a request whose id is in use.
//
// The answer acknowledges the transfer once more, so it has to be as durable
// as the first. That the row can be read does not prove it: a primary that
// crashed and restarted also shows commits which no standby has received. The
// row lock is logged, which makes the commit here wait for the standby, and a
// standby that has the lock has everything before it.
func (p *Primary) replay(ctx context.Context, t domain.Transfer) (Placement, error) {
	const doing = "replay transfer"
	found := Placement{Replayed: true, Origin: domain.Origin{Source: domain.Primary}}
	var hash []byte
	err := p.db.inTx(ctx, doing, func(b *pgx.Batch) {
		b.Queue(`SELECT t.id, t.from_account, t.to_account, t.amount, t.currency, t.created_at, t.request_hash,
				EXISTS (SELECT FROM settlements s WHERE s.transfer_id = t.id), `+timelineOfPrimary+`
			FROM transfers t WHERE t.id = $1 FOR SHARE OF t`, t.ID).
			QueryRow(func(row pgx.Row) error {
				var settled bool
				f := &found.Transfer
				err := row.Scan(&f.ID, &f.From, &f.To, &f.Amount, &f.Currency, &f.CreatedAt, &hash, &settled, &found.Origin.Timeline)
				f.Status = status(settled)
				return err
			})
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		// Between the two transactions another node became primary, and it
		// never had the transfer.
		return Placement{}, fmt.Errorf("%s: %w: transfer vanished", doing, domain.ErrUnavailable)
	case err != nil:
		return Placement{}, err
	case !bytes.Equal(hash, t.RequestHash()):
		return Placement{Origin: found.Origin}, domain.ErrConflict
	}
	return found, nil
}

// whyNoAccount finds the reason why an account could not be updated.
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
	var (
		origin           domain.Origin
		settled          bool
		found            *uuid.UUID
		from, to, amount *int64
		currency         *string
		created          *time.Time
	)
	err := n.readRow(ctx, "find transfer", &origin, `
		SELECT o.timeline, o.replica, t.id, t.from_account, t.to_account, t.amount, t.currency, t.created_at, s.id IS NOT NULL
		FROM origin o LEFT JOIN transfers t ON t.id = $1 LEFT JOIN settlements s ON s.transfer_id = t.id`,
		id, &found, &from, &to, &amount, &currency, &created, &settled)
	if err != nil {
		return domain.Transfer{}, origin, err
	}
	if found == nil {
		return domain.Transfer{}, origin, fmt.Errorf("transfer %s: %w", id, domain.ErrNotFound)
	}
	return domain.Transfer{
		ID: id, From: *from, To: *to, Amount: *amount, Currency: *currency, Status: status(settled), CreatedAt: *created,
	}, origin, nil
}

func status(settled bool) domain.Status {
	if settled {
		return domain.Settled
	}
	return domain.Accepted
}
