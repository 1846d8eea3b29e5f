package domain

// A SortKey names what a list is ordered by. Ties are broken by the id, so
// that every order is total.
type SortKey string

// The sort keys. Which of them a list offers, its Sorts function says.
const (
	ByID      SortKey = "id"
	ByCreated SortKey = "created_at"
	ByName    SortKey = "name"
	ByAmount  SortKey = "amount"
)

// CustomerSorts returns the orders of a list of customers, the default first.
func CustomerSorts() []SortKey { return []SortKey{ByID, ByName, ByCreated} }

// AccountSorts returns the orders of a list of accounts, the default first.
func AccountSorts() []SortKey { return []SortKey{ByID, ByCreated} }

// TransferSorts returns the orders of a list of transfers, the default first.
func TransferSorts() []SortKey { return []SortKey{ByCreated, ByAmount} }

// StatementSorts returns the orders of a list of statements, the default first.
func StatementSorts() []SortKey { return []SortKey{ByCreated} }

// NotificationSorts returns the orders of a list of notifications, the default
// first.
func NotificationSorts() []SortKey { return []SortKey{ByID} }

// A Page says which part of a list is wanted.
type Page struct {
	Sort       SortKey
	Descending bool
	Limit      int // 1 to 200
	After      *Cursor
}

// A Cursor is a place in a list: behind the entry with this sort value and id.
// It names an entry, not a count, so that what is inserted meanwhile neither
// repeats an entry nor hides one that was there when the list was begun.
//
// Of what is inserted meanwhile, that which sorts behind the cursor is found.
// What gets its place in the order first and is committed later can appear
// before the cursor, even in an order of time, and is found by the next reader.
type Cursor struct {
	Value string // of the sort key as the database writes it as text
	ID    string
}
