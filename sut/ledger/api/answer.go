package api

import (
	"net/http"
	"strconv"

	"github.com/proofload/proofload/sut/ledger/domain"
)

const (
	sourceHeader   = "Ledger-Source"
	timelineHeader = "Ledger-Timeline"
	positionHeader = "Ledger-Position"

	noStore    = "no-store"
	revalidate = "private, no-cache" // may be kept, and must be asked for with its ETag
)

// Answered is what all answers have in common: who gave them, and how long they
// are good for.
type Answered struct {
	Source       domain.Source `header:"Ledger-Source" enum:"primary,replica,cache" doc:"What kind of store answered."`
	Timeline     string        `header:"Ledger-Timeline" example:"2" doc:"The PostgreSQL timeline of the node that answered, if one did."`
	Position     string        `header:"Ledger-Position" example:"2-0/3000060" doc:"Of changes: send it along with consistency=replica to read what was changed."`
	CacheControl string        `header:"Cache-Control"`
}

func answered(o domain.Origin, cacheControl string) Answered {
	a := Answered{Source: o.Source, CacheControl: cacheControl}
	if o.Timeline > 0 {
		a.Timeline = strconv.Itoa(o.Timeline)
	}
	if !o.Position.IsZero() {
		a.Position = o.Position.String()
	}
	return a
}

// setOrigin tells the same of a problem.
func setOrigin(h http.Header, o domain.Origin) {
	a := answered(o, "")
	for name, value := range map[string]string{
		sourceHeader: string(a.Source), timelineHeader: a.Timeline, positionHeader: a.Position,
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
}

// one is an answer with one thing.
type one[T any] struct {
	Status int
	Answered

	ETag     string `header:"ETag" example:"\"3\"" doc:"Changes with the thing. Send it as If-None-Match to read it only if it changed, and as If-Match to change it only if nobody else did."`
	Location string `header:"Location" doc:"Of what was made."`
	Body     T
}

// shown answers a read; whoever has the thing already gets its headers only.
func shown[T any](o domain.Origin, has entityTags, tag, cacheControl string, body T) *one[T] {
	a := &one[T]{Status: http.StatusOK, Answered: answered(o, cacheControl), ETag: tag, Body: body}
	if has.include(tag) {
		a.Status = http.StatusNotModified
	}
	return a
}

// changed answers a change of something that was there.
func changed[T any](o domain.Origin, tag string, body T) *one[T] {
	return &one[T]{Status: http.StatusOK, Answered: answered(o, noStore), ETag: tag, Body: body}
}

// made answers a request that made something, or had made it before.
func made[T any](o domain.Origin, replayed bool, location, tag string, body T) *one[T] {
	a := changed(o, tag, body)
	a.Location = location
	if !replayed {
		a.Status = http.StatusCreated
	}
	return a
}

// none is an answer without a body.
type none struct{ Answered }

// many is an answer with a page of a list.
type many[T any] struct {
	Answered

	Link string `header:"Link" doc:"The address of the next page, as rel=\"next\"."`
	Body page[T]
}

// A page is a part of a list.
type page[T any] struct {
	Items []T    `json:"items" nullable:"false" doc:"The entries, in the order that was asked for."`
	Next  string `json:"next,omitempty" doc:"The cursor of the next page. Without it there is none."`
}

func (page[T]) example() any {
	var entry T
	p := page[any]{Next: "AXQxKx0yMDI2"}
	if e, ok := any(entry).(exampler); ok {
		p.Items = append(p.Items, e.example())
	}
	return p
}

// listed answers with a page whose entries are made of those of a use case.
func listed[T, U any](o domain.Origin, entries []T, wire func(T) U, next, link string) *many[U] {
	a := &many[U]{Answered: answered(o, noStore), Link: link}
	a.Body.Next = next
	a.Body.Items = make([]U, len(entries))
	for i, e := range entries {
		a.Body.Items[i] = wire(e)
	}
	return a
}
