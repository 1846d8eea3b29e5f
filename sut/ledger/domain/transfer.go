// Package domain holds the terms and the rules of the ledger. It knows nothing
// of HTTP, SQL, caches or queues.
package domain

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// A Status says how far a transfer has come.
type Status string

// The states of a transfer. Money has moved once it is accepted; settlement
// follows asynchronously and is final.
const (
	Accepted Status = "accepted"
	Settled  Status = "settled"
)

// A Transfer moves an amount from one account to another. Its id is made by
// the client, so that repeating a request cannot move the money twice.
//
// A refund is a transfer back: its RefundOf names what it refunds, and its
// accounts are those of the original the other way round.
type Transfer struct {
	ID        uuid.UUID
	From      int64
	To        int64
	Amount    int64 // minor units of the currency, positive
	Currency  string
	Reference string    // free text of the payer, may be empty
	RefundOf  uuid.UUID // [uuid.Nil] unless this is a refund
	Refunded  int64     // minor units that refunds have taken back, at most Amount
	Status    Status
	CreatedAt time.Time // clock of the database
}

// RequestHash identifies what the client asked for under the transfer's id.
// Two requests with one id are the same request if and only if their hashes
// are equal; neither spelling nor order of the JSON matters.
func (t Transfer) RequestHash() []byte {
	return hash("transfer/1\n%d\n%d\n%d\n%s\n%s", t.From, t.To, t.Amount, t.Currency, t.Reference)
}

// Check refuses a transfer that can be seen to be impossible without looking
// at any account.
func (t Transfer) Check() error {
	if t.From == t.To {
		return ErrSameAccount
	}
	return nil
}

// A Refund asks for a part of a transfer, or all of it, to go back. The
// refunds of a transfer together never exceed its amount.
type Refund struct {
	ID     uuid.UUID // made by the client; the id of the transfer back
	Of     uuid.UUID // the transfer to refund, itself not a refund
	Amount int64     // minor units of the transfer's currency, positive
}

// RequestHash identifies what the client asked for, as that of a transfer.
func (r Refund) RequestHash() []byte { return hash("refund/1\n%s\n%d", r.Of, r.Amount) }

func hash(format string, args ...any) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, format, args...))
	return sum[:]
}

// A TransferFilter restricts a list of transfers; zero values do not.
type TransferFilter struct {
	Account       int64 // on either side
	Status        Status
	RefundOf      uuid.UUID
	MinAmount     int64     // minor units
	CreatedFrom   time.Time // inclusive
	CreatedBefore time.Time // exclusive
}
