package domain

import "errors"

// The refusals. Each is definite: nothing was changed.
var (
	ErrConflict          = errors.New("the id was used for another transfer")
	ErrSameAccount       = errors.New("both sides are the same account")
	ErrUnknownAccount    = errors.New("no such account")
	ErrWrongCurrency     = errors.New("the account has another currency")
	ErrInsufficientFunds = errors.New("insufficient funds")
	ErrNotFound          = errors.New("not found")
)

// The failures. After ErrUnavailable nothing was changed. After
// ErrUnknownOutcome the change may have happened, may happen still, or may
// never happen: the client has to ask again with the same id.
var (
	ErrUnavailable    = errors.New("a dependency is unavailable")
	ErrUnknownOutcome = errors.New("the outcome is unknown")
)
