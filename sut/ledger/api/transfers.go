package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
)

const transfersTag = "transfers"

type transferOperations struct{ ledger Transfers }

func (o transferOperations) add(s surface) {
	const path, one = "/v2/transfers", "/v2/transfers/{id}"
	add(s, operation{
		method: http.MethodPut, path: one, id: "place-transfer", tag: transfersTag, summary: "Move money",
		detail: "The money has moved once this is answered; settlement follows. Repeating the request moves nothing again.",
		status: http.StatusCreated, also: map[int]string{http.StatusOK: replayed},
		problems: []string{
			"id_conflict", "same_account", "unknown_account", "wrong_currency", "account_not_open", "customer_not_active",
			"insufficient_funds", "balance_limit",
		},
	}, o.place)
	add(s, operation{
		method: http.MethodGet, path: one, id: "get-transfer", tag: transfersTag, summary: "Read a transfer or a refund",
		also: map[int]string{http.StatusNotModified: notModified}, problems: []string{"not_found"},
	}, o.get)
	add(s, operation{
		method: http.MethodGet, path: path, id: "list-transfers", tag: transfersTag, summary: "List transfers and refunds",
		detail:   pagesDetail,
		problems: []string{"bad_cursor"},
	}, o.list)
	add(s, operation{
		method: http.MethodPut, path: "/v2/refunds/{id}", id: "place-refund", tag: transfersTag, summary: "Give money back",
		detail: "A refund is a transfer back, and is read and listed as one. All refunds of a transfer together are at most its amount. " +
			"Repeating the request gives nothing back again.",
		status: http.StatusCreated, also: map[int]string{http.StatusOK: replayed},
		problems: []string{
			"not_found", "id_conflict", "not_refundable", "refund_exceeds", "account_not_open", "customer_not_active",
			"insufficient_funds", "balance_limit",
		},
	}, o.refund)
}

// transfer is one on the wire.
type transfer struct {
	ID        uuid.UUID     `json:"id" format:"uuid"`
	From      int64         `json:"from" minimum:"1" doc:"The account that pays."`
	To        int64         `json:"to" minimum:"1" doc:"The account that is paid."`
	Amount    int64         `json:"amount" minimum:"1" doc:"Minor units of the currency."`
	Currency  string        `json:"currency" pattern:"^[A-Z]{3}$" doc:"ISO 4217."`
	Reference string        `json:"reference,omitempty" doc:"What the payer wrote."`
	Status    domain.Status `json:"status" enum:"accepted,settled"`
	Refunded  int64         `json:"refunded,omitempty" doc:"What refunds have taken back, minor units."`
	RefundOf  uuid.UUID     `json:"refund_of,omitzero" format:"uuid" doc:"The transfer that a refund gives back."`
	CreatedAt time.Time     `json:"created_at"`
}

func (transfer) example() any {
	return transfer{
		ID: exampleID(), From: 1, To: 2, Amount: 1250, Currency: "EUR", Reference: "Invoice 2026-17",
		Status: domain.Accepted, CreatedAt: exampleTime(),
	}
}

func transferOf(t domain.Transfer) transfer {
	return transfer{
		t.ID, t.From, t.To, t.Amount, t.Currency, t.Reference, t.Status, t.Refunded, t.RefundOf, t.CreatedAt.UTC(),
	}
}

// transferTag is the entity tag of a transfer, of which nothing changes but
// these two.
func transferTag(t domain.Transfer) string {
	return `"` + string(t.Status) + "-" + strconv.FormatInt(t.Refunded, 10) + `"`
}

// newTransfer is what a client says of a transfer.
type newTransfer struct {
	strict

	From      int64  `json:"from" minimum:"1" doc:"The account that pays."`
	To        int64  `json:"to" minimum:"1" doc:"The account that is paid."`
	Amount    int64  `json:"amount" minimum:"1" doc:"Minor units of the currency."`
	Currency  string `json:"currency" pattern:"^[A-Z]{3}$" doc:"ISO 4217, that of both accounts."`
	Reference string `json:"reference,omitempty" maxLength:"140" doc:"For the payee."`
}

func (t *newTransfer) fields() []field {
	return []field{
		{name: "from", set: positive(&t.From)},
		{name: "to", set: positive(&t.To)},
		{name: "amount", set: positive(&t.Amount)},
		{name: "currency", set: currency(&t.Currency)},
		{name: "reference", set: text(&t.Reference, 0, 140), optional: true},
	}
}

func (newTransfer) example() any {
	return newTransfer{From: 1, To: 2, Amount: 1250, Currency: "EUR", Reference: "Invoice 2026-17"}
}

// newRefund is what a client says of a refund.
type newRefund struct {
	strict

	Transfer uuid.UUID `json:"transfer" format:"uuid" doc:"The transfer to refund, itself not a refund."`
	Amount   int64     `json:"amount" minimum:"1" doc:"Minor units of the transfer's currency."`
}

func (r *newRefund) fields() []field {
	return []field{{name: "transfer", set: clientID(&r.Transfer)}, {name: "amount", set: positive(&r.Amount)}}
}

func (newRefund) example() any { return newRefund{Transfer: exampleID(), Amount: 250} }

type placeTransfer struct {
	ID   id `path:"id" format:"uuid" doc:"Made by the client, new for each new transfer."`
	Body newTransfer
}

func (o transferOperations) place(ctx context.Context, in *placeTransfer) (*one[transfer], error) {
	t := domain.Transfer{
		ID: in.ID.UUID, From: in.Body.From, To: in.Body.To, Amount: in.Body.Amount, Currency: in.Body.Currency,
		Reference: in.Body.Reference,
	}
	w, err := o.ledger.Place(ctx, t)
	if err != nil {
		return nil, failed(w.Origin, err)
	}
	return made(w.Origin, w.Replayed, transferPath(w.Value.ID), transferTag(w.Value), transferOf(w.Value)), nil
}

func transferPath(id uuid.UUID) string { return "/v2/transfers/" + id.String() }

type placeRefund struct {
	ID   id `path:"id" format:"uuid" doc:"Made by the client, new for each new refund."`
	Body newRefund
}

func (o transferOperations) refund(ctx context.Context, in *placeRefund) (*one[transfer], error) {
	w, err := o.ledger.Refund(ctx, domain.Refund{ID: in.ID.UUID, Of: in.Body.Transfer, Amount: in.Body.Amount})
	if err != nil {
		return nil, failed(w.Origin, err)
	}
	return made(w.Origin, w.Replayed, transferPath(w.Value.ID), transferTag(w.Value), transferOf(w.Value)), nil
}

type getTransfer struct {
	ID   id         `path:"id" format:"uuid"`
	None entityTags `header:"If-None-Match" example:"\"settled-0\""`
	Reading
}

func (o transferOperations) get(ctx context.Context, in *getTransfer) (*one[transfer], error) {
	t, origin, err := o.ledger.Transfer(ctx, in.ID.UUID, in.want())
	if err != nil {
		return nil, failed(origin, err)
	}
	return shown(origin, in.None, transferTag(t), revalidate, transferOf(t)), nil
}

type listTransfers struct {
	Listing
	Reading

	Sort          string        `query:"sort" enum:"created_at,-created_at,amount,-amount" default:"created_at" doc:"The order, descending after a minus."`
	Account       int64         `query:"account" minimum:"1" doc:"On either side."`
	Status        domain.Status `query:"status" enum:"accepted,settled"`
	RefundOf      id            `query:"refund_of" format:"uuid" doc:"Refunds of this transfer only."`
	MinAmount     int64         `query:"min_amount" minimum:"1" doc:"Minor units."`
	CreatedFrom   time.Time     `query:"created_from" doc:"Inclusive."`
	CreatedBefore time.Time     `query:"created_before" doc:"Exclusive."`
}

func (o transferOperations) list(ctx context.Context, in *listTransfers) (*many[transfer], error) {
	p, err := in.page(transferList, in.Sort, domain.TransferSorts())
	if err != nil {
		return nil, err
	}
	l, err := o.ledger.Transfers(ctx, domain.TransferFilter{
		Account: in.Account, Status: in.Status, RefundOf: in.RefundOf.UUID, MinAmount: in.MinAmount,
		CreatedFrom: in.CreatedFrom, CreatedBefore: in.CreatedBefore,
	}, p, in.want())
	if err != nil {
		return nil, failed(l.Origin, err)
	}
	next, link := in.next(transferList, p, l.Next)
	return listed(l.Origin, l.Items, transferOf, next, link), nil
}
