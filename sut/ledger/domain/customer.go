package domain

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// A CustomerStatus says whether a customer may act.
type CustomerStatus string

// The states of a customer. The accounts of one that is suspended neither give
// nor take money.
const (
	Active    CustomerStatus = "active"
	Suspended CustomerStatus = "suspended"
)

// A Customer owns accounts. Version grows by one with every change.
type Customer struct {
	ID        int64
	Name      string
	Email     string // unique, whatever its case
	Status    CustomerStatus
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// CustomerFields are what a client may say of a customer.
type CustomerFields struct {
	Name   string // 1 to 200 characters
	Email  string // 3 to 254 characters with an @
	Status CustomerStatus
}

// A NewCustomer is what a client asks for.
type NewCustomer struct {
	Key uuid.UUID // made by the client, tells a repeated request
	CustomerFields
}

// RequestHash identifies what the client asked for, as that of a transfer.
func (c NewCustomer) RequestHash() []byte {
	return hash("customer/1\n%q\n%q\n%s", c.Name, c.Email, c.Status)
}

// A CustomerChange is a change of some fields; nil leaves a field as it is.
type CustomerChange struct {
	Name   *string
	Email  *string
	Status *CustomerStatus
}

// Versions are those that a thing may have for it to be changed; nil are all.
type Versions []int64

// Allow reports whether a version is among them.
func (v Versions) Allow(version int64) bool { return v == nil || slices.Contains(v, version) }

// A CustomerFilter restricts a list of customers; zero values do not.
type CustomerFilter struct {
	Status CustomerStatus
	Email  string // exact, whatever its case
}
