package domain

import (
	"time"

	"github.com/google/uuid"
)

// An AccountStatus says what an account may be used for.
type AccountStatus string

// The states of an account. A frozen one neither gives nor takes money; a
// closed one is empty and stays so.
const (
	Open   AccountStatus = "open"
	Frozen AccountStatus = "frozen"
	Closed AccountStatus = "closed"
)

// An Account holds money of one currency. Version grows by one with every
// change of the account, its balance included.
type Account struct {
	ID         int64
	CustomerID int64
	Currency   string
	Status     AccountStatus
	Balance    int64 // minor units of the currency
	Version    int64
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// A NewAccount is what a client asks for. Opening accounts begin empty.
type NewAccount struct {
	Key        uuid.UUID // made by the client, tells a repeated request
	CustomerID int64
	Currency   string // ISO 4217
}

// RequestHash identifies what the client asked for, as that of a transfer.
func (a NewAccount) RequestHash() []byte { return hash("account/1\n%d\n%s", a.CustomerID, a.Currency) }

// An AccountFilter restricts a list of accounts; zero values do not.
type AccountFilter struct {
	Customer int64
	Currency string
	Status   AccountStatus
}
