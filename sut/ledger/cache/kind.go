package cache

import (
	"math/rand/v2"
	"strings"
	"time"
)

// A Kind is a kind of things of which copies are kept. It decides how long.
type Kind string

// The kinds.
const (
	Account   Kind = "account"
	Customer  Kind = "customer"
	Transfer  Kind = "transfer"  // settled
	Statement Kind = "statement" // ready
)

// Kinds returns all kinds.
func Kinds() []Kind { return []Kind{Account, Customer, Transfer, Statement} }

// several stands for the kind of a call that is about more than one thing.
const several Kind = "several"

// keyPrefix begins all keys of the cache. The kind follows, a colon, and the
// id: ledger:account:17.
const keyPrefix = "ledger:"

// kindOf returns the kind of a key.
func kindOf(key string) Kind {
	kind, _, _ := strings.Cut(strings.TrimPrefix(key, keyPrefix), ":")
	return Kind(kind)
}

// lifetime returns how long a copy lives, at least and at most. Expiry is what
// is left if an invalidation is lost together with the process that owed it,
// so what changes often lives short, and what has become final, long.
func (k Kind) lifetime() (least, most time.Duration) {
	switch k {
	case Statement:
		return 20 * time.Hour, 24 * time.Hour
	case Transfer:
		return 5 * time.Hour, 6 * time.Hour
	case Customer:
		return 15 * time.Minute, 18 * time.Minute
	case Account, several:
	}
	return 5 * time.Minute, 6 * time.Minute
}

// ttl returns the lifetime of one copy. It is random, so that copies that were
// stored together do not expire together.
func (k Kind) ttl() time.Duration {
	least, most := k.lifetime()
	return least + rand.N(most-least)
}
