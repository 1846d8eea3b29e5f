package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// A SeedPlan says what a ledger begins with. The same plan always makes the
// same rows.
type SeedPlan struct {
	Accounts  int    // ids 1 to this, two for each customer
	Transfers int    // settled, spread over the year 2025
	Currency  string // of all accounts, ISO 4217
	Opening   int64  // balance that each account begins with, minor units
	Seed      uint64 // of the transfers
}

// The default currency and opening balance of seeded accounts.
const (
	seedCurrency = "EUR"
	seedOpening  = 100_000_000
)

// SeedSets returns the names of the data sets that there are, the smallest
// first.
func SeedSets() []string { return []string{"small", "medium", "large"} }

// SeedSet returns the plan of a data set by its name.
func SeedSet(name string) (SeedPlan, error) {
	plan := SeedPlan{Currency: seedCurrency, Opening: seedOpening, Seed: 1}
	switch name {
	case "small":
		plan.Accounts = 1_000
	case "medium":
		plan.Accounts, plan.Transfers = 100_000, 1_000_000
	case "large":
		plan.Accounts, plan.Transfers = 1_000_000, 10_000_000
	default:
		return SeedPlan{}, fmt.Errorf("there is no data set %q, only %s", name, strings.Join(SeedSets(), ", "))
	}
	return plan, nil
}

// Check refuses a plan that cannot be made.
func (s SeedPlan) Check() error {
	switch {
	case s.Accounts < 1:
		return errors.New("accounts must be at least 1")
	case s.Transfers < 0:
		return errors.New("transfers must not be negative")
	case s.Transfers > 0 && s.Accounts < 2:
		return errors.New("transfers take at least 2 accounts")
	case s.Opening < 0, s.Opening == 0 && s.Transfers > 0:
		return errors.New("the opening balance must be positive, or 0 if there are no transfers")
	case len(s.Currency) != 3:
		return errors.New("the currency must have three letters")
	}
	return nil
}

// Seeded counts the rows that a seed made.
type Seeded struct {
	Customers int64
	Accounts  int64
	Transfers int64
}

// ErrHasTransfers says that a history was to be seeded where there is another.
var ErrHasTransfers = errors.New("the ledger has other transfers already")

// Seed sees to it that the accounts of the plan exist, and its transfers with
// all that follows from them. It is all or nothing, and calls progress, which
// may be nil, with the transfers loaded so far.
//
// Accounts that exist are left as they are, and nothing is done if the
// transfers are there. If there are others instead it is [ErrHasTransfers].
func Seed(ctx context.Context, url string, plan SeedPlan, progress func(transfers int)) (made Seeded, err error) {
	if err = plan.Check(); err != nil {
		return Seeded{}, fmt.Errorf("seed ledger: %w", err)
	}
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return Seeded{}, errBadURL
	}
	harden(cfg)
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return Seeded{}, wrap("seed ledger", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if progress == nil {
		progress = func(int) {}
	}
	if made, err = plan.load(ctx, conn, progress); err != nil {
		return Seeded{}, wrap("seed ledger", err)
	}
	return made, nil
}

// load does what [Seed] does.
func (s SeedPlan) load(ctx context.Context, conn *pgx.Conn, progress func(int)) (made Seeded, err error) {
	if s.Transfers > 0 {
		if monthsErr := ensureMonths(ctx, conn, seedBegin(), 12); monthsErr != nil {
			return made, monthsErr
		}
	}
	err = errors.Join(pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) (err error) {
		if made.Customers, made.Accounts, err = s.accounts(ctx, tx); err != nil || s.Transfers == 0 {
			return err
		}
		if loaded, loadedErr := s.isLoaded(ctx, tx); loaded || loadedErr != nil {
			return loadedErr
		}
		made.Transfers = int64(s.Transfers)
		return s.history(ctx, tx, progress)
	}), takeWarning(conn.PgConn()))
	if err != nil {
		return Seeded{}, err
	}
	if made.Transfers > 0 {
		_, err = conn.Exec(ctx, `ANALYZE`)
	}
	return made, err
}

// accounts makes those customers and accounts that are not there.
func (s SeedPlan) accounts(ctx context.Context, tx pgx.Tx) (customers, accounts int64, err error) {
	tag, err := tx.Exec(ctx, `
		INSERT INTO customers (id, request_hash, name, email, status, created_at, updated_at)
		SELECT id, '', 'Customer ' || id, 'customer-' || id || '@example.com', 'active', at, at
		FROM (SELECT id, $2::timestamptz + id * interval '1 millisecond' AS at FROM generate_series(1, ($1::bigint + 1) / 2) AS id) AS c
		ON CONFLICT DO NOTHING`, int64(s.Accounts), seedBegin().AddDate(0, -1, 0))
	if err != nil {
		return 0, 0, err
	}
	customers = tag.RowsAffected()
	tag, err = tx.Exec(ctx, `
		INSERT INTO accounts (id, customer_id, request_hash, currency, status, opening, balance, created_at, updated_at)
		SELECT id, (id + 1) / 2, '', $2, 'open', $3, $3, at, at
		FROM (SELECT id, $4::timestamptz + id * interval '1 millisecond' AS at FROM generate_series(1, $1::bigint) AS id) AS a
		ON CONFLICT DO NOTHING`, int64(s.Accounts), s.Currency, s.Opening, seedBegin().AddDate(0, -1, 0))
	if err != nil {
		return 0, 0, err
	}
	accounts = tag.RowsAffected()
	// What is made later gets ids behind these.
	_, err = tx.Exec(ctx, `SELECT setval(pg_get_serial_sequence(t, 'id'), greatest(most, n), true) FROM (
		SELECT 'customers' AS t, (SELECT last_value FROM customers_id_seq) AS most, ($1::bigint + 1) / 2 AS n
		UNION ALL SELECT 'accounts', (SELECT last_value FROM accounts_id_seq), $1::bigint) AS s`, int64(s.Accounts))
	return customers, accounts, err
}

// isLoaded reports whether the transfers of the plan are there.
func (s SeedPlan) isLoaded(ctx context.Context, tx pgx.Tx) (bool, error) {
	var some, last bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM transfers), EXISTS (SELECT FROM transfers WHERE id = $1)`,
		s.transferID(s.Transfers-1)).Scan(&some, &last)
	if err == nil && some && !last {
		err = ErrHasTransfers
	}
	return last, err
}

// history loads the transfers. What follows from them is made at the end, for
// all at once.
func (s SeedPlan) history(ctx context.Context, tx pgx.Tx, progress func(int)) error {
	restore, err := setRulesAside(ctx, tx)
	if err != nil {
		return err
	}
	rows := newSeedRows(s)
	for done := 0; done < s.Transfers; {
		chunk := rows.next(seedChunk)
		if err := copyChunk(ctx, tx, chunk); err != nil {
			return err
		}
		done += len(chunk)
		progress(done)
	}
	for _, sql := range []string{
		`UPDATE accounts a SET balance = a.opening + p.sum, version = a.version + p.n, updated_at = p.last
			FROM (SELECT account_id, sum(amount)::bigint AS sum, count(*) AS n, max(created_at) AS last
				FROM postings GROUP BY account_id) AS p
			WHERE a.id = p.account_id`,
		projectSQL + "postings p" + projectGroupSQL,
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("bring history to accounts: %w", err)
		}
	}
	return restore(ctx)
}

// copyChunk loads transfers with their postings and settlements.
func copyChunk(ctx context.Context, tx pgx.Tx, chunk []domain.Transfer) error {
	for _, table := range []struct {
		name    string
		columns []string
		each    int // rows for each transfer
		row     func(t *domain.Transfer, n int) []any
	}{
		{"transfers", []string{
			"id", "from_account", "to_account", "amount", "currency", "refund_of", "refunded", "request_hash", "created_at", "updated_at",
		}, 1, transferRow},
		{"postings", []string{"transfer_id", "account_id", "amount", "created_at"}, 2, postingRow},
		{"settlements", []string{"transfer_id", "settled_at"}, 1, settlementRow},
	} {
		source := pgx.CopyFromSlice(len(chunk)*table.each, func(i int) ([]any, error) {
			return table.row(&chunk[i/table.each], i%table.each), nil
		})
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{table.name}, slices.Clone(table.columns), source); err != nil {
			return fmt.Errorf("load %s: %w", table.name, err)
		}
	}
	return nil
}
