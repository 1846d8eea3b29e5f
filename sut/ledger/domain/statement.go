package domain

import (
	"time"

	"github.com/google/uuid"
)

// A StatementStatus says how far a statement has come.
type StatementStatus string

// The states of a statement.
const (
	Requested StatementStatus = "requested"
	Ready     StatementStatus = "ready"
	Failed    StatementStatus = "failed"
)

// A Statement lists what happened on an account in a period. It is requested
// and then built by a job.
type Statement struct {
	ID        uuid.UUID // made by the client
	Account   int64
	From      time.Time // inclusive
	To        time.Time // exclusive
	Status    StatementStatus
	Opening   int64           // balance at From, minor units; of a ready one
	Closing   int64           // balance at To, minor units; of a ready one
	Lines     []StatementLine // of a ready one, not set in lists
	Count     int             // lines of a ready one
	CreatedAt time.Time
	UpdatedAt time.Time
}

// RequestHash identifies what the client asked for, as that of a transfer.
func (s Statement) RequestHash() []byte {
	return hash("statement/1\n%d\n%d\n%d", s.Account, s.From.UnixMicro(), s.To.UnixMicro())
}

// A StatementLine is one posting.
type StatementLine struct {
	Transfer uuid.UUID `json:"transfer"`
	Amount   int64     `json:"amount"` // minor units, negative if the account gave
	Other    int64     `json:"other"`  // the account on the other side
	At       time.Time `json:"at"`
}

// A StatementFilter restricts a list of statements; zero values do not.
type StatementFilter struct {
	Account int64
	Status  StatementStatus
}
