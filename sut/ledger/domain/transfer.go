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
type Transfer struct {
	ID        uuid.UUID
	From      int64
	To        int64
	Amount    int64 // minor units of the currency, positive
	Currency  string
	Status    Status
	CreatedAt time.Time // clock of the database
}

// RequestHash identifies what the client asked for under the transfer's id.
// Two requests with one id are the same request if and only if their hashes
// are equal; neither spelling nor order of the JSON matters.
func (t Transfer) RequestHash() []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "transfer/1\n%d\n%d\n%d\n%s", t.From, t.To, t.Amount, t.Currency))
	return sum[:]
}

// Check refuses a transfer that can be seen to be impossible without looking
// at any account.
func (t Transfer) Check() error {
	if t.From == t.To {
		return ErrSameAccount
	}
	return nil
}

// An Account holds money of one currency. Version grows by one with every
// change of the balance.
type Account struct {
	ID       int64
	Currency string
	Balance  int64 // minor units of the currency
	Version  int64
}

// A Source says what kind of store answered.
type Source string

// The sources of an answer.
const (
	Primary Source = "primary"
	Replica Source = "replica"
	Cache   Source = "cache"
)

// An Origin says where an answer came from. Timeline is the Postgres timeline
// of the node that gave it, 0 if no database took part.
type Origin struct {
	Source   Source
	Timeline int
}

// A Consistency is what a reader asks for.
type Consistency string

// The consistencies of a read. Default reads the cache, then the primary, and
// may be as old as an invalidation takes to reach the cache; Strong reads the
// primary; Follower reads a replica and may be as old as replication lags.
const (
	Default  Consistency = ""
	Strong   Consistency = "strong"
	Follower Consistency = "replica"
)
