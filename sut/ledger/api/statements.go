package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
)

const statementsTag = "statements"

type statementOperations struct{ ledger Statements }

func (o statementOperations) add(s surface) {
	const path, one = "/v2/statements", "/v2/statements/{id}"
	add(s, operation{
		method: http.MethodPut, path: one, id: "request-statement", tag: statementsTag, summary: "Request a statement",
		detail: "A job builds it: read it until its status is ready. Repeating the request builds no second one.",
		status: http.StatusAccepted, also: map[int]string{http.StatusOK: "It was requested before and is not being built any more."},
		problems: []string{"id_conflict", "unknown_account"},
	}, o.request)
	add(s, operation{
		method: http.MethodGet, path: path, id: "list-statements", tag: statementsTag, summary: "List statements, without their lines",
		detail:   pagesDetail,
		problems: []string{"bad_cursor"},
	}, o.list)
	add(s, operation{
		method: http.MethodGet, path: one, id: "get-statement", tag: statementsTag, summary: "Read a statement",
		also: map[int]string{http.StatusNotModified: notModified}, problems: []string{"not_found"},
	}, o.get)
	add(s, operation{
		method: http.MethodDelete, path: one, id: "delete-statement", tag: statementsTag, summary: "Delete a statement",
		problems: []string{"not_found"},
	}, o.delete)
}

// statement is one on the wire.
type statement struct {
	ID        uuid.UUID              `json:"id" format:"uuid"`
	Account   int64                  `json:"account" minimum:"1"`
	From      time.Time              `json:"from" doc:"Inclusive."`
	To        time.Time              `json:"to" doc:"Exclusive."`
	Status    domain.StatementStatus `json:"status" enum:"requested,ready,failed"`
	Opening   *int64                 `json:"opening,omitempty" doc:"Balance at the begin, minor units; of a ready one."`
	Closing   *int64                 `json:"closing,omitempty" doc:"Balance at the end, minor units; of a ready one."`
	Count     *int                   `json:"count,omitempty" doc:"How many lines it has; of a ready one."`
	Lines     []statementLine        `json:"lines,omitempty" nullable:"false" doc:"Not in lists."`
	CreatedAt time.Time              `json:"created_at"`
	UpdatedAt time.Time              `json:"updated_at"`
}

// statementLine is one posting.
type statementLine struct {
	Transfer uuid.UUID `json:"transfer" format:"uuid"`
	Amount   int64     `json:"amount" doc:"Minor units, negative if the account gave."`
	Other    int64     `json:"other" minimum:"1" doc:"The account on the other side."`
	At       time.Time `json:"at"`
}

func (statement) example() any {
	at := exampleTime()
	return statementOf(domain.Statement{
		ID: exampleID(), Account: 1, From: at.AddDate(0, -1, 0), To: at, Status: domain.Ready, Opening: 13_600, Closing: 12_350, Count: 1,
		Lines:     []domain.StatementLine{{Transfer: exampleID(), Amount: -1250, Other: 2, At: at.AddDate(0, 0, -3)}},
		CreatedAt: at, UpdatedAt: at,
	})
}

func statementOf(s domain.Statement) statement {
	wire := statement{
		ID: s.ID, Account: s.Account, From: s.From.UTC(), To: s.To.UTC(), Status: s.Status,
		CreatedAt: s.CreatedAt.UTC(), UpdatedAt: s.UpdatedAt.UTC(),
	}
	if s.Status != domain.Ready {
		return wire
	}
	wire.Opening, wire.Closing, wire.Count = &s.Opening, &s.Closing, &s.Count
	wire.Lines = make([]statementLine, len(s.Lines))
	for i, l := range s.Lines {
		wire.Lines[i] = statementLine{l.Transfer, l.Amount, l.Other, l.At.UTC()}
	}
	return wire
}

// statementTag is the entity tag of a statement. It is a weak one, because large
// statements are compressed on the way. It has no version, but a statement that
// was deleted and requested again was not made at the same time.
func statementTag(s domain.Statement) string {
	return `W/"` + string(s.Status) + "-" + strconv.FormatInt(s.UpdatedAt.UnixMicro(), 36) + `"`
}

// newStatement is what a client says of a statement.
type newStatement struct {
	strict

	Account int64     `json:"account" minimum:"1"`
	From    time.Time `json:"from" doc:"Inclusive."`
	To      time.Time `json:"to" doc:"Exclusive, after from."`
}

func (s *newStatement) fields() []field {
	return []field{
		{name: "account", set: positive(&s.Account)},
		{name: "from", set: instant(&s.From)},
		{name: "to", set: instant(&s.To)},
	}
}

func (newStatement) example() any {
	at := exampleTime()
	return newStatement{Account: 1, From: at.AddDate(0, -1, 0), To: at}
}

type requestStatement struct {
	ID   id `path:"id" format:"uuid" doc:"Made by the client, new for each new statement."`
	Body newStatement
}

func (o statementOperations) request(ctx context.Context, in *requestStatement) (*one[statement], error) {
	if !in.Body.To.After(in.Body.From) {
		return nil, invalid("to", "must be after from")
	}
	w, err := o.ledger.RequestStatement(ctx, domain.Statement{
		ID: in.ID.UUID, Account: in.Body.Account, From: in.Body.From, To: in.Body.To,
	})
	if err != nil {
		return nil, failed(w.Origin, err)
	}
	a := made(w.Origin, w.Replayed, "/v2/statements/"+w.Value.ID.String(), statementTag(w.Value), statementOf(w.Value))
	if w.Value.Status == domain.Requested {
		a.Status = http.StatusAccepted
	}
	return a, nil
}

type getStatement struct {
	ID   id         `path:"id" format:"uuid"`
	None entityTags `header:"If-None-Match" example:"W/\"ready-h8s9xk2o1c\""`
	Reading
}

func (o statementOperations) get(ctx context.Context, in *getStatement) (*one[statement], error) {
	s, origin, err := o.ledger.Statement(ctx, in.ID.UUID, in.want())
	if err != nil {
		return nil, failed(origin, err)
	}
	return shown(origin, in.None, statementTag(s), revalidate, statementOf(s)), nil
}

type listStatements struct {
	Listing
	Reading

	Sort    string                 `query:"sort" enum:"created_at,-created_at" default:"created_at" doc:"The order, descending after a minus."`
	Account int64                  `query:"account" minimum:"1"`
	Status  domain.StatementStatus `query:"status" enum:"requested,ready,failed"`
}

func (o statementOperations) list(ctx context.Context, in *listStatements) (*many[statement], error) {
	p, err := in.page(statementList, in.Sort, domain.StatementSorts())
	if err != nil {
		return nil, err
	}
	l, err := o.ledger.Statements(ctx, domain.StatementFilter{Account: in.Account, Status: in.Status}, p, in.want())
	if err != nil {
		return nil, failed(l.Origin, err)
	}
	next, link := in.next(statementList, p, l.Next)
	return listed(l.Origin, l.Items, statementOf, next, link), nil
}

type deleteStatement struct {
	ID id `path:"id" format:"uuid"`
}

func (o statementOperations) delete(ctx context.Context, in *deleteStatement) (*none, error) {
	origin, err := o.ledger.DeleteStatement(ctx, in.ID.UUID)
	if err != nil {
		return nil, failed(origin, err)
	}
	return &none{answered(origin, noStore)}, nil
}
