package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/proofload/proofload/sut/ledger/domain"
)

const accountsTag = "accounts"

type accountOperations struct{ ledger Accounts }

func (o accountOperations) add(s surface) {
	const path, one = "/v2/accounts", "/v2/accounts/{id}"
	add(s, operation{
		method: http.MethodPost, path: path, id: "open-account", tag: accountsTag, summary: "Open an account",
		detail: "It begins empty. Repeating the request with its Idempotency-Key opens no second account.",
		status: http.StatusCreated, also: map[int]string{http.StatusOK: replayed}, problems: []string{"id_conflict", "unknown_customer"},
	}, o.open)
	add(s, operation{
		method: http.MethodGet, path: path, id: "list-accounts", tag: accountsTag, summary: "List accounts",
		detail:   pagesDetail,
		problems: []string{"bad_cursor"},
	}, o.list)
	add(s, operation{
		method: http.MethodGet, path: one, id: "get-account", tag: accountsTag, summary: "Read an account",
		also: map[int]string{http.StatusNotModified: notModified}, problems: []string{"not_found"},
	}, o.get)
	add(s, operation{
		method: http.MethodPatch, path: one, id: "change-account", tag: accountsTag, summary: "Freeze, reopen or close an account",
		detail:   "A JSON merge patch (RFC 7396). Only an empty account can be closed, and stays closed.",
		problems: []string{"not_found", "not_empty", "account_not_open", "version_mismatch"},
	}, o.change)
}

// account is one on the wire.
type account struct {
	ID        int64                `json:"id" minimum:"1"`
	Customer  int64                `json:"customer" minimum:"1"`
	Currency  string               `json:"currency" pattern:"^[A-Z]{3}$" doc:"ISO 4217."`
	Status    domain.AccountStatus `json:"status" enum:"open,frozen,closed"`
	Balance   int64                `json:"balance" doc:"Minor units of the currency."`
	Version   int64                `json:"version" minimum:"1" doc:"Grows by one with every change, of the balance too."`
	CreatedAt time.Time            `json:"created_at"`
	UpdatedAt time.Time            `json:"updated_at"`
}

func (account) example() any {
	at := exampleTime()
	return account{1, 7, "EUR", domain.Open, 12_350, 4, at, at}
}

func accountOf(a domain.Account) account {
	return account{a.ID, a.CustomerID, a.Currency, a.Status, a.Balance, a.Version, a.CreatedAt.UTC(), a.UpdatedAt.UTC()}
}

// newAccount is what a client says of a new account.
type newAccount struct {
	strict

	Customer int64  `json:"customer" minimum:"1"`
	Currency string `json:"currency" pattern:"^[A-Z]{3}$" doc:"ISO 4217."`
}

func (a *newAccount) fields() []field {
	return []field{{name: "customer", set: positive(&a.Customer)}, {name: "currency", set: currency(&a.Currency)}}
}

func (newAccount) example() any { return newAccount{Customer: 7, Currency: "EUR"} }

// accountChange is a merge patch of an account.
type accountChange struct {
	strict

	Status domain.AccountStatus `json:"status" enum:"open,frozen,closed"`
}

func (a *accountChange) fields() []field {
	return []field{{name: "status", set: oneOf(&a.Status, domain.Open, domain.Frozen, domain.Closed)}}
}

func (accountChange) example() any { return accountChange{Status: domain.Frozen} }

type openAccount struct {
	Key  id `header:"Idempotency-Key" required:"true" format:"uuid" doc:"Made by the client, new for each new account."`
	Body newAccount
}

func (o accountOperations) open(ctx context.Context, in *openAccount) (*one[account], error) {
	w, err := o.ledger.OpenAccount(ctx, domain.NewAccount{
		Key: in.Key.UUID, CustomerID: in.Body.Customer, Currency: in.Body.Currency,
	})
	if err != nil {
		return nil, failed(w.Origin, err)
	}
	location := "/v2/accounts/" + strconv.FormatInt(w.Value.ID, 10)
	return made(w.Origin, w.Replayed, location, versionTag(w.Value.Version), accountOf(w.Value)), nil
}

type getAccount struct {
	ID   int64      `path:"id" minimum:"1"`
	None entityTags `header:"If-None-Match" example:"\"3\""`
	Reading
}

func (o accountOperations) get(ctx context.Context, in *getAccount) (*one[account], error) {
	a, origin, err := o.ledger.Account(ctx, in.ID, in.want())
	if err != nil {
		return nil, failed(origin, err)
	}
	return shown(origin, in.None, versionTag(a.Version), revalidate, accountOf(a)), nil
}

type listAccounts struct {
	Listing
	Reading

	Sort     string               `query:"sort" enum:"id,-id,created_at,-created_at" default:"id" doc:"The order, descending after a minus."`
	Customer int64                `query:"customer" minimum:"1"`
	Currency string               `query:"currency" pattern:"^[A-Z]{3}$"`
	Status   domain.AccountStatus `query:"status" enum:"open,frozen,closed"`
}

func (o accountOperations) list(ctx context.Context, in *listAccounts) (*many[account], error) {
	p, err := in.page(accountList, in.Sort, domain.AccountSorts())
	if err != nil {
		return nil, err
	}
	f := domain.AccountFilter{Customer: in.Customer, Currency: in.Currency, Status: in.Status}
	l, err := o.ledger.Accounts(ctx, f, p, in.want())
	if err != nil {
		return nil, failed(l.Origin, err)
	}
	next, link := in.next(accountList, p, l.Next)
	return listed(l.Origin, l.Items, accountOf, next, link), nil
}

type changeAccount struct {
	ID   int64      `path:"id" minimum:"1"`
	If   entityTags `header:"If-Match" example:"\"3\"" doc:"Refuse the change if the account has none of these ETags."`
	Body accountChange
}

func (o accountOperations) change(ctx context.Context, in *changeAccount) (*one[account], error) {
	versions, err := in.If.versions()
	if err != nil {
		return nil, err
	}
	w, err := o.ledger.SetAccountStatus(ctx, in.ID, versions, in.Body.Status)
	if err != nil {
		return nil, failed(w.Origin, err)
	}
	return changed(w.Origin, versionTag(w.Value.Version), accountOf(w.Value)), nil
}
