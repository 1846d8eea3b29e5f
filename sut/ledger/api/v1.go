package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
)

const (
	v1       = "/v1"
	v2       = "/v2"
	v1Tag    = "v1 (deprecated)"
	v1Notice = docsPath + "/v1" // what it loses, and when
)

// deprecatedSince and sunset are from when on the first version should not, and
// will not, be used.
func deprecatedSince() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) }
func sunset() time.Time          { return time.Date(2027, 11, 1, 0, 0, 0, 0, time.UTC) }

// deprecate says of every answer of the first version that it is on its way out
// (RFC 9745 and RFC 8594).
func deprecate(next http.Handler) http.Handler {
	since := "@" + strconv.FormatInt(deprecatedSince().Unix(), 10)
	end := sunset().Format(http.TimeFormat)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.EscapedPath(), v1+"/"); ok {
			h := w.Header()
			h.Set("Deprecation", since)
			h.Set("Sunset", end)
			h.Add("Link", "<"+v1Notice+`>; rel="deprecation"; type="text/html"`)
			h.Add("Link", "<"+v1Notice+`>; rel="sunset"; type="text/html"`)
			h.Add("Link", "<"+v2+"/"+rest+`>; rel="successor-version"`)
		}
		next.ServeHTTP(w, r)
	})
}

// firstVersion is the interface as it was when it had no version but this.
type firstVersion struct{ ledger Ledger }

func (o firstVersion) add(s surface) {
	const transfer = v1 + "/transfers/{id}"
	add(s, operation{
		method: http.MethodPut, path: transfer, id: "place-transfer-v1", tag: v1Tag, summary: "Move money",
		status: http.StatusCreated, also: map[int]string{http.StatusOK: replayed},
		problems: []string{
			"id_conflict", "same_account", "unknown_account", "wrong_currency", "account_not_open", "customer_not_active",
			"insufficient_funds", "balance_limit",
		},
	}, o.place)
	add(s, operation{
		method: http.MethodGet, path: transfer, id: "get-transfer-v1", tag: v1Tag, summary: "Read a transfer",
		problems: []string{"not_found"},
	}, o.transfer)
	add(s, operation{
		method: http.MethodGet, path: v1 + "/accounts/{id}", id: "get-account-v1", tag: v1Tag, summary: "Read an account",
		problems: []string{"not_found"},
	}, o.account)
}

// ReadingV1 is what reads of the first version have in common.
type ReadingV1 struct {
	Consistency domain.Consistency `query:"consistency" enum:"strong,replica" doc:"As in the second version."`
}

func (r ReadingV1) want() domain.Reading { return domain.Reading{Want: r.Consistency} }

// transferV1 is a transfer as it was on the wire.
type transferV1 struct {
	ID        uuid.UUID     `json:"id" format:"uuid"`
	From      int64         `json:"from" minimum:"1"`
	To        int64         `json:"to" minimum:"1"`
	Amount    int64         `json:"amount" minimum:"1" doc:"Minor units of the currency."`
	Currency  string        `json:"currency" pattern:"^[A-Z]{3}$"`
	Status    domain.Status `json:"status" enum:"accepted,settled"`
	CreatedAt time.Time     `json:"created_at"`
}

func transferV1Of(t domain.Transfer) transferV1 {
	return transferV1{t.ID, t.From, t.To, t.Amount, t.Currency, t.Status, t.CreatedAt.UTC()}
}

func (transferV1) example() any {
	return transferV1{exampleID(), 1, 2, 1250, "EUR", domain.Accepted, exampleTime()}
}

// accountV1 is an account as it was on the wire.
type accountV1 struct {
	ID       int64  `json:"id" minimum:"1"`
	Currency string `json:"currency" pattern:"^[A-Z]{3}$"`
	Balance  int64  `json:"balance" doc:"Minor units of the currency."`
	Version  int64  `json:"version" minimum:"1"`
}

func (accountV1) example() any { return accountV1{1, "EUR", 12_350, 4} }

// newTransferV1 is what a client says of a transfer.
type newTransferV1 struct {
	strict

	From     int64  `json:"from" minimum:"1"`
	To       int64  `json:"to" minimum:"1"`
	Amount   int64  `json:"amount" minimum:"1" doc:"Minor units of the currency."`
	Currency string `json:"currency" pattern:"^[A-Z]{3}$"`
}

func (t *newTransferV1) fields() []field {
	return []field{
		{name: "from", set: positive(&t.From)},
		{name: "to", set: positive(&t.To)},
		{name: "amount", set: positive(&t.Amount)},
		{name: "currency", set: currency(&t.Currency)},
	}
}

func (newTransferV1) example() any {
	return newTransferV1{From: 1, To: 2, Amount: 1250, Currency: "EUR"}
}

// oneV1 is an answer of the first version.
type oneV1[T any] struct {
	Status int
	Answered

	Body T
}

type placeTransferV1 struct {
	ID   id `path:"id" format:"uuid"`
	Body newTransferV1
}

func (o firstVersion) place(ctx context.Context, in *placeTransferV1) (*oneV1[transferV1], error) {
	w, err := o.ledger.Place(ctx, domain.Transfer{
		ID: in.ID.UUID, From: in.Body.From, To: in.Body.To, Amount: in.Body.Amount, Currency: in.Body.Currency,
	})
	if err != nil {
		return nil, failed(w.Origin, err)
	}
	a := &oneV1[transferV1]{http.StatusCreated, answered(w.Origin, noStore), transferV1Of(w.Value)}
	if w.Replayed {
		a.Status = http.StatusOK
	}
	return a, nil
}

type getTransferV1 struct {
	ID id `path:"id" format:"uuid"`
	ReadingV1
}

func (o firstVersion) transfer(ctx context.Context, in *getTransferV1) (*oneV1[transferV1], error) {
	t, origin, err := o.ledger.Transfer(ctx, in.ID.UUID, in.want())
	if err != nil {
		return nil, failed(origin, err)
	}
	return &oneV1[transferV1]{http.StatusOK, answered(origin, noStore), transferV1Of(t)}, nil
}

type getAccountV1 struct {
	ID int64 `path:"id" minimum:"1"`
	ReadingV1
}

func (o firstVersion) account(ctx context.Context, in *getAccountV1) (*oneV1[accountV1], error) {
	a, origin, err := o.ledger.Account(ctx, in.ID, in.want())
	if err != nil {
		return nil, failed(origin, err)
	}
	return &oneV1[accountV1]{http.StatusOK, answered(origin, noStore), accountV1{a.ID, a.Currency, a.Balance, a.Version}}, nil
}
