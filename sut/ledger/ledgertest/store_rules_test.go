//go:build integration

package ledgertest

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestTheDatabaseRefusesWrongBooks tries by hand to make the books wrong. The
// statements of a try are one transaction.
func TestTheDatabaseRefusesWrongBooks(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(3)
	dollars := b.accountsIn("USD", 1)
	booked := b.place(a[0], a[1], 100)
	b.do(`UPDATE accounts SET status = 'frozen' WHERE id = $1`, a[2])
	// In a try, $name stands for one of these.
	names := strings.NewReplacer(
		"$new", "'"+uuid.NewString()+"'", "$other", "'"+uuid.NewString()+"'", "$booked", "'"+booked.ID.String()+"'",
		"$a", strconv.FormatInt(a[0], 10), "$b", strconv.FormatInt(a[1], 10), "$frozen", strconv.FormatInt(a[2], 10), "$dollars", strconv.FormatInt(dollars[0], 10),
	)
	const (
		transfer = `INSERT INTO transfers (id, from_account, to_account, amount, currency, request_hash) VALUES `
		refund   = `INSERT INTO transfers (id, from_account, to_account, amount, currency, refund_of, request_hash) VALUES `
		posting  = `INSERT INTO postings (transfer_id, account_id, amount) VALUES `
		sound    = transfer + `($new, $a, $b, 5, 'EUR', ''); ` + posting + `($new, $a, -5), ($new, $b, 5); `
	)
	tests := []struct{ name, sql, constraint string }{
		{"no postings", transfer + `($new, $a, $b, 5, 'EUR', '')`, "transfers_posted"},
		{"one posting", transfer + `($new, $a, $b, 5, 'EUR', ''); ` + posting + `($new, $a, -5)`, "transfers_posted"},
		{"a third posting", sound + posting + `($new, $frozen, 1)`, "accounts_open"},
		{"a posting twice", sound + posting + `($new, $a, -5)`, "postings_202"},
		{"a posting of another amount", transfer + `($new, $a, $b, 5, 'EUR', ''); ` + posting + `($new, $a, -5), ($new, $b, 6)`, "postings_of_transfer"},
		{"a posting of the other sign", transfer + `($new, $a, $b, 5, 'EUR', ''); ` + posting + `($new, $a, 5), ($new, $b, 5)`, "postings_of_transfer"},
		{"postings the wrong way round", transfer + `($new, $a, $b, 5, 'EUR', ''); ` + posting + `($new, $b, -5), ($new, $a, 5)`, "postings_of_transfer"},
		{"another posting later", posting + `($booked, $a, -100)`, "postings_of_transfer"},
		{"another posting later, said to be earlier", `INSERT INTO postings (transfer_id, account_id, amount, created_at)
			SELECT id, $a, -100, created_at FROM transfers WHERE id = $booked`, "postings_202"},
		{"a posting in another month", transfer + `($new, $a, $b, 5, 'EUR', ''); INSERT INTO postings VALUES
			($new, $a, -5, '2020-01-01'), ($new, $b, 5, '2020-01-01')`, "postings_of_transfer"},
		{"a posting of no transfer", posting + `($new, $a, -5)`, "postings_transfer"},
		{"a posting changed", `UPDATE postings SET amount = -1 WHERE transfer_id = $booked AND account_id = $a`, "postings_stay"},
		{"a posting deleted", `DELETE FROM postings WHERE transfer_id = $booked`, "postings_stay"},
		{"all postings of a month deleted", `DO $do$ BEGIN EXECUTE (SELECT 'DELETE FROM ' || tableoid::regclass FROM postings LIMIT 1); END $do$`, "postings_stay"},
		{"all postings truncated", `TRUNCATE postings`, "postings_stay_all"},
		{"a month truncated", `DO $do$ BEGIN EXECUTE (SELECT 'TRUNCATE ' || tableoid::regclass FROM postings LIMIT 1); END $do$`, "postings_stay_all"},
		{"a transfer changed", `UPDATE transfers SET amount = 1 WHERE id = $booked`, "transfers_stay"},
		{"a transfer deleted", `DELETE FROM transfers WHERE id = $booked`, "transfers_stay"},
		{"the id of a transfer again", transfer + `($booked, $a, $b, 100, 'EUR', '')`, "transfers_pkey"},
		{"an overdraft", transfer + `($new, $a, $b, 5000, 'EUR', ''); ` + posting + `($new, $a, -5000), ($new, $b, 5000)`, "accounts_no_overdraft"},
		{"no amount", transfer + `($new, $a, $b, 0, 'EUR', '')`, "transfers_amount_check"},
		{"money from nowhere", transfer + `($new, -1, $b, 5, 'EUR', '')`, "transfers_from"},
		{"money to nowhere", transfer + `($new, $a, -1, 5, 'EUR', '')`, "transfers_to"},
		{"money to oneself", transfer + `($new, $a, $a, 5, 'EUR', '')`, "transfers_check"},
		{"another currency", transfer + `($new, $a, $dollars, 5, 'EUR', '')`, "transfers_to"},
		{"a frozen account", transfer + `($new, $a, $frozen, 5, 'EUR', ''); ` + posting + `($new, $a, -5), ($new, $frozen, 5)`, "accounts_open"},
		{"a balance", `UPDATE accounts SET balance = balance + 1 WHERE id = $a`, "accounts_change_by_posting"},
		{"an opening balance", `UPDATE accounts SET opening = opening + 1, balance = balance + 1 WHERE id = $a`, "accounts_change_by_posting"},
		{"the currency of an account", `UPDATE accounts SET currency = 'USD' WHERE id = $dollars - 0 OR id = $a`, "accounts_change_by_posting"},
		{"an account with money and no opening", `INSERT INTO accounts (customer_id, request_hash, currency, status, balance)
			SELECT customer_id, '', 'EUR', 'open', 5 FROM accounts WHERE id = $a`, "accounts_begin_with_opening"},
		{"an account of nobody", `INSERT INTO accounts (customer_id, request_hash, currency, status) VALUES (-1, '', 'EUR', 'open')`, "accounts_customer"},
		{"an account with money closed", `UPDATE accounts SET status = 'closed' WHERE id = $a`, "accounts_closed_empty"},
		{"an account with postings deleted", `DELETE FROM accounts WHERE id = $a`, ""},
		{"a refund of too much", refund + `($new, $b, $a, 60, 'EUR', $booked, ''), ($other, $b, $a, 41, 'EUR', $booked, '')`, "transfers_refunded"},
		{"a refund to somebody else", refund + `($new, $b, $frozen, 5, 'EUR', $booked, '')`, "transfers_refundable"},
		{"a refund the same way", refund + `($new, $a, $b, 5, 'EUR', $booked, '')`, "transfers_refundable"},
		{"a refund of a refund", refund + `($new, $b, $a, 5, 'EUR', $booked, ''), ($other, $a, $b, 5, 'EUR', $new, '')`, "transfers_refundable"},
		{"a refund of nothing", refund + `($new, $b, $a, 5, 'EUR', $other, '')`, "transfers_refund_of"},
		{"a transfer that begins refunded", `INSERT INTO transfers (id, from_account, to_account, amount, currency, request_hash, refunded)
			VALUES ($new, $a, $b, 5, 'EUR', '', 5); ` + posting + `($new, $a, -5), ($new, $b, 5)`, "transfers_begin_unrefunded"},
		{"a refunded amount", `UPDATE transfers SET refunded = 5 WHERE id = $booked`, "transfers_stay"},
		{"a settlement of nothing", `INSERT INTO settlements (transfer_id) VALUES ($new)`, "settlements_transfer"},
		{"a second settlement", `INSERT INTO settlements (transfer_id) VALUES ($booked), ($booked)`, "settlements_pkey"},
		{"a settlement deleted", `INSERT INTO settlements (transfer_id) VALUES ($booked); DELETE FROM settlements`, "settlements_stay_there"},
		{"a settlement moved", `INSERT INTO settlements (transfer_id) VALUES ($booked); UPDATE settlements SET settled_at = '2020-01-01'`, "settlements_stay"},
		{"a transfer forgotten by the settlement", `DELETE FROM unsettled`, "unsettled_follow"},
		{"everything truncated", `TRUNCATE customers CASCADE`, ""},
		{"an event twice", `INSERT INTO outbox (event_key, topic, payload, correlation_id, traceparent)
			SELECT event_key, topic, payload, '', '' FROM outbox`, "outbox_event_key"},
		{"an email twice, in capitals", `INSERT INTO customers (request_hash, name, email, status)
			SELECT '', name, upper(email), status FROM customers`, "customers_email"},
	}
	before := b.checksum()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := b.db.Exec(t.Context(), names.Replace(tt.sql))
			pgErr, ok := errors.AsType[*pgconn.PgError](err)
			if !ok || !strings.HasPrefix(pgErr.Code, "23") || !strings.HasPrefix(pgErr.ConstraintName, tt.constraint) {
				t.Errorf("%s: %v; want a violation of %q", tt.sql, err, tt.constraint)
			}
		})
	}
	if after := b.checksum(); after != before {
		t.Errorf("the books have changed: %s to %s", before, after)
	}
	// What is sound is taken, also by hand.
	if _, err := b.db.Exec(t.Context(), names.Replace(sound)); err != nil {
		t.Errorf("a sound transfer by hand: %v", err)
	}
	if got, want := b.balance(a[0]), int64(opening-105); got != want {
		t.Errorf("balance = %d; want %d", got, want)
	}
	b.checkSums()
}

// checksum changes whenever anything in the books does.
func (b *books) checksum() string {
	b.t.Helper()
	return one[string](b, `SELECT md5(string_agg(row, ';' ORDER BY row)) FROM (
		SELECT a::text AS row FROM accounts a UNION ALL SELECT t::text FROM transfers t
		UNION ALL SELECT p::text FROM postings p UNION ALL SELECT s::text FROM settlements s) AS rows`)
}
