package domain

import (
	"time"

	"github.com/google/uuid"
)

// A Notification tells a customer that a transfer moved money of an account.
type Notification struct {
	ID        int64
	Customer  int64
	Account   int64
	Transfer  uuid.UUID
	Amount    int64 // minor units, negative if the account gave
	CreatedAt time.Time
}

// A NotificationFilter restricts a list of notifications; zero values do not.
type NotificationFilter struct {
	Customer int64
}
