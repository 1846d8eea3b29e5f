package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/proofload/proofload/sut/ledger/obs"
)

const jsonType = "application/json"

// A surface is what operations are added to.
type surface struct {
	huma.API

	log *slog.Logger
}

// newSurface returns a surface whose operations are served by the router.
func newSurface(r chi.Router, log *slog.Logger) surface {
	schemas := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schemas.RegisterTypeAlias(reflect.TypeFor[huma.ErrorModel](), reflect.TypeFor[problem]())
	asJSON := huma.Format{Marshal: writeBody, Unmarshal: readBody}
	return surface{log: log, API: huma.NewAPI(huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI:    "3.1.0",
			Info:       &huma.Info{Title: "Ledger", Version: "2.0.0", Description: about},
			Servers:    []*huma.Server{{URL: "/"}},
			Tags:       tags(),
			Components: &huma.Components{Schemas: schemas},
		},
		Formats:       map[string]huma.Format{jsonType: asJSON, "json": asJSON},
		DefaultFormat: jsonType,
		Transformers:  []huma.Transformer{completeProblems},
	}, adapter{r})}
}

// writeBody encodes a value. That the client is gone is no error: there is
// nobody to tell.
func writeBody(w io.Writer, value any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return err
	}
	_, _ = w.Write(b.Bytes())
	return nil
}

// readBody decodes a body. What is wrong with it is kept in the body, which
// reports it when huma asks.
func readBody(data []byte, into any) error {
	b, ok := into.(strictBody)
	if !ok {
		return fmt.Errorf("%T is not a body", into)
	}
	b.keep(decode(data, b.fields()))
	return nil
}

// adapter has a chi router serve huma's operations.
type adapter struct{ chi.Router }

// Handle implements [huma.Adapter].
func (a adapter) Handle(op *huma.Operation, serve func(huma.Context)) {
	a.MethodFunc(op.Method, op.Path, func(w http.ResponseWriter, r *http.Request) {
		serve(&exchange{humaContext: humachi.NewContext(op, r, w)})
	})
}

// humaContext has a name that is not that of one of its methods.
type humaContext huma.Context

// An exchange is huma's view of a request and its answer.
type exchange struct {
	humaContext

	status int // of the problem to answer with: huma knows less of it
}

// SetStatus implements [huma.Context].
func (x *exchange) SetStatus(status int) {
	if x.status != 0 {
		status = x.status
	}
	x.humaContext.SetStatus(status)
}

// Header implements [huma.Context]. What the client accepts was looked at
// before, so that no change is made whose answer it cannot take.
func (x *exchange) Header(name string) string {
	switch name {
	case "Accept":
		return ""
	case "If-Match", "If-None-Match": // lists, which may be given in several lines
		var lines []string
		x.EachHeader(func(other, value string) {
			if http.CanonicalHeaderKey(other) == name {
				lines = append(lines, value)
			}
		})
		return strings.Join(lines, ", ")
	}
	return x.humaContext.Header(name)
}

// An operation is what the document says of one.
type operation struct {
	method, path, id, tag, summary string

	detail   string
	status   int            // of success; 0 means 200
	also     map[int]string // other successes and what they say
	problems []string       // codes of those that are not common to all
}

// add adds an operation. The errors that it returns become problems.
func add[I, O any](s surface, o operation, serve func(context.Context, *I) (*O, error)) {
	op := huma.Operation{
		Method: o.method, Path: o.path, OperationID: o.id, Summary: o.summary, Description: o.detail, Tags: []string{o.tag},
		Deprecated: o.tag == v1Tag, RejectUnknownQueryParameters: o.tag != v1Tag,
		DefaultStatus: o.status, Responses: map[string]*huma.Response{},
		SkipValidateBody: true,
		// The body is in memory already.
		MaxBodyBytes: maxBody + 1, BodyReadTimeout: -1,
	}
	document(s.OpenAPI().Components.Schemas, &op, o, reflect.TypeFor[I](), reflect.TypeFor[O]())
	huma.Register(s.API, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := serve(ctx, in)
		if err != nil {
			p := problemOf(err)
			switch { // a refusal needs no more than its request line
			case p.Status == http.StatusInternalServerError: // a bug
				s.log.Log(ctx, obs.LevelCritical, "request failed unexpectedly", obs.Err(err))
			case p.Status > http.StatusInternalServerError:
				s.log.WarnContext(ctx, "request failed", obs.Err(err))
			}
			return nil, p
		}
		return out, nil
	})
}

// An exampler has an example for the document.
type exampler interface{ example() any }

// document adds to an operation what huma does not find out itself: examples,
// other successes, media types and problems.
func document(schemas huma.Registry, op *huma.Operation, o operation, in, out reflect.Type) {
	ok := &huma.Response{Description: "Done.", Content: content(schemas, out)}
	if o.status == 0 {
		o.status = http.StatusOK
	}
	if ok.Content == nil {
		o.status = http.StatusNoContent
	}
	op.DefaultStatus = o.status
	op.Responses[strconv.Itoa(o.status)] = ok
	for status, says := range o.also {
		r := &huma.Response{Description: says}
		if status != http.StatusNotModified {
			r.Content = ok.Content
		}
		op.Responses[strconv.Itoa(status)] = r
	}
	codes := append([]string{"malformed", "internal", "overloaded", "unavailable", "deadline"}, o.problems...)
	if o.method != http.MethodGet {
		codes = append(codes, "unknown_outcome")
	}
	if o.tag != v1Tag {
		codes = append(codes, "not_acceptable")
	}
	if body := content(schemas, in); body != nil {
		if o.method == http.MethodPatch {
			body[mergePatchType] = body[jsonType]
		}
		op.RequestBody = &huma.RequestBody{Content: body, Required: true}
		codes = append(codes, "body_timeout", "too_large")
		if o.tag != v1Tag {
			codes = append(codes, "unsupported_media_type", "invalid")
		}
	}
	documentProblems(schemas, op, codes)
}

// documentProblems adds the problems with these codes.
func documentProblems(schemas huma.Registry, op *huma.Operation, codes []string) {
	for _, k := range kinds() {
		if !slices.Contains(codes, k.code) {
			continue
		}
		status := strconv.Itoa(k.status)
		if r, ok := op.Responses[status]; ok {
			r.Description += ", " + k.code
			continue
		}
		r := &huma.Response{Description: k.code, Content: map[string]*huma.MediaType{problemType: {
			Schema: schemas.Schema(reflect.TypeFor[problem](), true, ""), Example: k.problem(k.advice),
		}}}
		if k.status == http.StatusServiceUnavailable {
			r.Headers = map[string]*huma.Param{"Retry-After": {
				Description: "When to try again, in seconds.", Schema: &huma.Schema{Type: huma.TypeInteger},
			}}
		}
		op.Responses[status] = r
	}
}

// content returns the media type of the body of an input or an output, nil if
// it has none.
func content(schemas huma.Registry, t reflect.Type) map[string]*huma.MediaType {
	f, ok := t.FieldByName("Body")
	if !ok {
		return nil
	}
	m := &huma.MediaType{Schema: schemas.Schema(f.Type, true, "")}
	if e, ok := reflect.TypeAssert[exampler](reflect.Zero(f.Type)); ok {
		m.Example = e.example()
	}
	return map[string]*huma.MediaType{jsonType: m}
}
