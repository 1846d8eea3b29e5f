package domain

import "errors"

// The refusals. Each is definite: nothing was changed.
var (
	ErrConflict          = errors.New("the id was used for another request")
	ErrSameAccount       = errors.New("both sides are the same account")
	ErrUnknownAccount    = errors.New("no such account")
	ErrUnknownCustomer   = errors.New("no such customer")
	ErrWrongCurrency     = errors.New("the account has another currency")
	ErrAccountNotOpen    = errors.New("the account is not open")
	ErrCustomerNotActive = errors.New("the customer is not active")
	ErrInsufficientFunds = errors.New("insufficient funds")
	ErrBalanceLimit      = errors.New("the balance would be larger than can be counted")
	ErrRefundExceeds     = errors.New("the refunds would exceed the transfer")
	ErrNotRefundable     = errors.New("a refund cannot be refunded")
	ErrEmailTaken        = errors.New("the email address belongs to another customer")
	ErrInUse             = errors.New("something still refers to it")
	ErrNotEmpty          = errors.New("the account is not empty")
	ErrVersion           = errors.New("it was changed meanwhile")
	ErrNotFound          = errors.New("not found")
	ErrBadCursor         = errors.New("the cursor is not one of this list")
)

// The failures. After ErrUnavailable nothing was changed. After
// ErrUnknownOutcome the change may have happened, may happen still, or may
// never happen: the client has to ask again with the same id.
var (
	ErrUnavailable    = errors.New("a dependency is unavailable")
	ErrUnknownOutcome = errors.New("the outcome is unknown")
)

// ErrBehind says that a replica has not come as far as the reader asked.
var ErrBehind = errors.New("the replica is behind")
