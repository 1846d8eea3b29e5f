package api

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
)

const notificationsTag = "notifications"

type notificationOperations struct{ ledger Notifications }

func (o notificationOperations) add(s surface) {
	add(s, operation{
		method: http.MethodGet, path: "/v2/notifications", id: "list-notifications", tag: notificationsTag,
		summary: "List notifications", detail: "They are made a moment after the transfer, and kept for 90 days. " + pagesDetail,
		problems: []string{"bad_cursor"},
	}, o.list)
}

// notification is one on the wire.
type notification struct {
	ID        int64     `json:"id" minimum:"1"`
	Customer  int64     `json:"customer" minimum:"1" doc:"Who is told."`
	Account   int64     `json:"account" minimum:"1" doc:"Whose balance changed."`
	Transfer  uuid.UUID `json:"transfer" format:"uuid"`
	Amount    int64     `json:"amount" doc:"Minor units, negative if the account gave."`
	CreatedAt time.Time `json:"created_at"`
}

func (notification) example() any {
	return notification{9, 7, 1, exampleID(), -1250, exampleTime()}
}

func notificationOf(n domain.Notification) notification {
	return notification{n.ID, n.Customer, n.Account, n.Transfer, n.Amount, n.CreatedAt.UTC()}
}

type listNotifications struct {
	Listing
	Reading

	Sort     string `query:"sort" enum:"id,-id" default:"id" doc:"The order, descending after a minus."`
	Customer int64  `query:"customer" minimum:"1"`
}

func (o notificationOperations) list(ctx context.Context, in *listNotifications) (*many[notification], error) {
	p, err := in.page(notificationList, in.Sort, domain.NotificationSorts())
	if err != nil {
		return nil, err
	}
	l, err := o.ledger.Notifications(ctx, domain.NotificationFilter{Customer: in.Customer}, p, in.want())
	if err != nil {
		return nil, failed(l.Origin, err)
	}
	next, link := in.next(notificationList, p, l.Next)
	return listed(l.Origin, l.Items, notificationOf, next, link), nil
}
