package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/proofload/proofload/sut/ledger/domain"
)

const customersTag = "customers"

type customerOperations struct{ ledger Customers }

func (o customerOperations) add(s surface) {
	const path, one = "/v2/customers", "/v2/customers/{id}"
	add(s, operation{
		method: http.MethodPost, path: path, id: "create-customer", tag: customersTag, summary: "Create a customer",
		detail: "Repeating the request with its Idempotency-Key makes no second customer.",
		status: http.StatusCreated, also: map[int]string{http.StatusOK: replayed}, problems: []string{"id_conflict", "email_taken"},
	}, o.create)
	add(s, operation{
		method: http.MethodGet, path: path, id: "list-customers", tag: customersTag, summary: "List customers",
		detail:   pagesDetail,
		problems: []string{"bad_cursor"},
	}, o.list)
	add(s, operation{
		method: http.MethodGet, path: one, id: "get-customer", tag: customersTag, summary: "Read a customer",
		also: map[int]string{http.StatusNotModified: notModified}, problems: []string{"not_found"},
	}, o.get)
	add(s, operation{
		method: http.MethodPut, path: one, id: "replace-customer", tag: customersTag, summary: "Replace what is known of a customer",
		problems: []string{"not_found", "email_taken", "version_mismatch"},
	}, o.replace)
	add(s, operation{
		method: http.MethodPatch, path: one, id: "change-customer", tag: customersTag, summary: "Change some of what is known of a customer",
		detail:   "A JSON merge patch (RFC 7396). No field can be removed.",
		problems: []string{"not_found", "email_taken", "version_mismatch"},
	}, o.change)
	add(s, operation{
		method: http.MethodDelete, path: one, id: "delete-customer", tag: customersTag, summary: "Delete a customer without accounts",
		problems: []string{"not_found", "in_use", "version_mismatch"},
	}, o.delete)
}

// customer is one on the wire.
type customer struct {
	ID        int64                 `json:"id" minimum:"1"`
	Name      string                `json:"name"`
	Email     string                `json:"email"`
	Status    domain.CustomerStatus `json:"status" enum:"active,suspended"`
	Version   int64                 `json:"version" minimum:"1" doc:"Grows by one with every change."`
	CreatedAt time.Time             `json:"created_at"`
	UpdatedAt time.Time             `json:"updated_at"`
}

func (customer) example() any {
	at := exampleTime()
	return customer{7, "Ada Lovelace", "ada@example.com", domain.Active, 1, at, at}
}

func customerOf(c domain.Customer) customer {
	return customer{c.ID, c.Name, c.Email, c.Status, c.Version, c.CreatedAt.UTC(), c.UpdatedAt.UTC()}
}

// customerFields are what a client says of a customer, all of it.
type customerFields struct {
	strict

	Name   string                `json:"name" minLength:"1" maxLength:"200"`
	Email  string                `json:"email" minLength:"3" maxLength:"254" doc:"Unique, whatever its case."`
	Status domain.CustomerStatus `json:"status" enum:"active,suspended"`
}

func (c *customerFields) fields() []field {
	return []field{
		{name: "name", set: text(&c.Name, 1, 200)},
		{name: "email", set: email(&c.Email)},
		{name: "status", set: oneOf(&c.Status, domain.Active, domain.Suspended)},
	}
}

func (customerFields) example() any {
	return customerFields{Name: "Ada King", Email: "ada@example.com", Status: domain.Active}
}

func (c *customerFields) domain() domain.CustomerFields {
	return domain.CustomerFields{Name: c.Name, Email: c.Email, Status: c.Status}
}

// newCustomer is what a client says of a new customer.
type newCustomer struct {
	strict

	Name   string                `json:"name" minLength:"1" maxLength:"200"`
	Email  string                `json:"email" minLength:"3" maxLength:"254" doc:"Unique, whatever its case."`
	Status domain.CustomerStatus `json:"status,omitempty" enum:"active,suspended" doc:"Active unless said otherwise."`
}

func (c *newCustomer) fields() []field {
	return []field{
		{name: "name", set: text(&c.Name, 1, 200)},
		{name: "email", set: email(&c.Email)},
		{name: "status", set: oneOf(&c.Status, domain.Active, domain.Suspended), optional: true},
	}
}

func (newCustomer) example() any { return newCustomer{Name: "Ada Lovelace", Email: "ada@example.com"} }

// customerChange is a merge patch of a customer.
type customerChange struct {
	strict

	Name   *string                `json:"name,omitempty" minLength:"1" maxLength:"200"`
	Email  *string                `json:"email,omitempty" minLength:"3" maxLength:"254"`
	Status *domain.CustomerStatus `json:"status,omitempty" enum:"active,suspended"`
}

func (c *customerChange) fields() []field {
	status := func(into *domain.CustomerStatus) func(any) error {
		return oneOf(into, domain.Active, domain.Suspended)
	}
	name := func(into *string) func(any) error { return text(into, 1, 200) }
	return []field{
		{name: "name", set: maybe(&c.Name, name), optional: true},
		{name: "email", set: maybe(&c.Email, email), optional: true},
		{name: "status", set: maybe(&c.Status, status), optional: true},
	}
}

func (customerChange) example() any {
	name := "Ada King"
	return customerChange{Name: &name}
}

type createCustomer struct {
	Key  id `header:"Idempotency-Key" required:"true" format:"uuid" doc:"Made by the client, new for each new customer."`
	Body newCustomer
}

func (o customerOperations) create(ctx context.Context, in *createCustomer) (*one[customer], error) {
	fields := domain.CustomerFields{Name: in.Body.Name, Email: in.Body.Email, Status: domain.Active}
	if in.Body.Status != "" {
		fields.Status = in.Body.Status
	}
	w, err := o.ledger.CreateCustomer(ctx, domain.NewCustomer{Key: in.Key.UUID, CustomerFields: fields})
	if err != nil {
		return nil, failed(w.Origin, err)
	}
	location := "/v2/customers/" + strconv.FormatInt(w.Value.ID, 10)
	return made(w.Origin, w.Replayed, location, versionTag(w.Value.Version), customerOf(w.Value)), nil
}

type getCustomer struct {
	ID   int64      `path:"id" minimum:"1"`
	None entityTags `header:"If-None-Match" example:"\"3\""`
	Reading
}

func (o customerOperations) get(ctx context.Context, in *getCustomer) (*one[customer], error) {
	c, origin, err := o.ledger.Customer(ctx, in.ID, in.want())
	if err != nil {
		return nil, failed(origin, err)
	}
	return shown(origin, in.None, versionTag(c.Version), revalidate, customerOf(c)), nil
}

type listCustomers struct {
	Listing
	Reading

	Sort   string                `query:"sort" enum:"id,-id,name,-name,created_at,-created_at" default:"id" doc:"The order, descending after a minus."`
	Status domain.CustomerStatus `query:"status" enum:"active,suspended"`
	Email  string                `query:"email" maxLength:"254" doc:"Exact, whatever its case."`
}

func (o customerOperations) list(ctx context.Context, in *listCustomers) (*many[customer], error) {
	p, err := in.page(customerList, in.Sort, domain.CustomerSorts())
	if err != nil {
		return nil, err
	}
	l, err := o.ledger.Customers(ctx, domain.CustomerFilter{Status: in.Status, Email: in.Email}, p, in.want())
	if err != nil {
		return nil, failed(l.Origin, err)
	}
	next, link := in.next(customerList, p, l.Next)
	return listed(l.Origin, l.Items, customerOf, next, link), nil
}

type replaceCustomer struct {
	ID   int64      `path:"id" minimum:"1"`
	If   entityTags `header:"If-Match" example:"\"3\"" doc:"Refuse the change if the customer has none of these ETags."`
	Body customerFields
}

func (o customerOperations) replace(ctx context.Context, in *replaceCustomer) (*one[customer], error) {
	versions, err := in.If.versions()
	if err != nil {
		return nil, err
	}
	w, err := o.ledger.ReplaceCustomer(ctx, in.ID, versions, in.Body.domain())
	if err != nil {
		return nil, failed(w.Origin, err)
	}
	return changed(w.Origin, versionTag(w.Value.Version), customerOf(w.Value)), nil
}

type changeCustomer struct {
	ID   int64      `path:"id" minimum:"1"`
	If   entityTags `header:"If-Match" example:"\"3\"" doc:"Refuse the change if the customer has none of these ETags."`
	Body customerChange
}

func (o customerOperations) change(ctx context.Context, in *changeCustomer) (*one[customer], error) {
	versions, err := in.If.versions()
	if err != nil {
		return nil, err
	}
	w, err := o.ledger.ChangeCustomer(ctx, in.ID, versions, domain.CustomerChange{
		Name: in.Body.Name, Email: in.Body.Email, Status: in.Body.Status,
	})
	if err != nil {
		return nil, failed(w.Origin, err)
	}
	return changed(w.Origin, versionTag(w.Value.Version), customerOf(w.Value)), nil
}

type deleteCustomer struct {
	ID int64      `path:"id" minimum:"1"`
	If entityTags `header:"If-Match" example:"\"3\"" doc:"Refuse to delete the customer if it has none of these ETags."`
}

func (o customerOperations) delete(ctx context.Context, in *deleteCustomer) (*none, error) {
	versions, err := in.If.versions()
	if err != nil {
		return nil, err
	}
	origin, err := o.ledger.DeleteCustomer(ctx, in.ID, versions)
	if err != nil {
		return nil, failed(origin, err)
	}
	return &none{answered(origin, noStore)}, nil
}
