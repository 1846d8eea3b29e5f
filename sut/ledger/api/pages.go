package api

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/yaml"
)

const (
	docsPath = "/docs"

	// pagesPolicy lets pages load nothing from anywhere and run nothing.
	pagesPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

//go:embed docs.html.tmpl notice.html.tmpl style.css
var files embed.FS

// A page that was rendered when the process began.
type staticPage struct {
	path        string
	contentType string
	body        []byte
	tag         string
}

// ServeHTTP implements [http.Handler].
func (p staticPage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("ETag", p.tag)
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Content-Security-Policy", pagesPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	var has entityTags
	if err := has.UnmarshalText([]byte(r.Header.Get("If-None-Match"))); err == nil && has.include(p.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", p.contentType)
	_, _ = w.Write(p.body) // the client is gone if this fails; there is nobody to tell
}

// documentation returns the OpenAPI document in both its forms, and the pages.
func documentation(doc *huma.OpenAPI) ([]staticPage, error) {
	asJSON, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write OpenAPI document: %w", err)
	}
	var asYAML bytes.Buffer
	if err = yaml.Convert(&asYAML, bytes.NewReader(asJSON)); err != nil {
		return nil, fmt.Errorf("write OpenAPI document: %w", err)
	}
	reference, err := render("docs.html.tmpl", newReference(doc))
	if err != nil {
		return nil, err
	}
	notice, err := render("notice.html.tmpl", map[string]any{"Since": deprecatedSince(), "Sunset": sunset(), "Docs": docsPath})
	if err != nil {
		return nil, err
	}
	pages := []staticPage{
		{path: "/openapi.json", contentType: "application/openapi+json", body: asJSON},
		{path: "/openapi.yaml", contentType: "application/openapi+yaml", body: asYAML.Bytes()},
		{path: docsPath, contentType: "text/html; charset=utf-8", body: reference},
		{path: v1Notice, contentType: "text/html; charset=utf-8", body: notice},
	}
	for i := range pages {
		sum := sha256.Sum256(pages[i].body)
		pages[i].tag = `W/"` + hex.EncodeToString(sum[:8]) + `"`
	}
	return pages, nil
}

func render(name string, data any) ([]byte, error) {
	t, err := template.New(name).Funcs(template.FuncMap{
		"date": func(t time.Time) string { return t.Format("2 January 2006") },
	}).ParseFS(files, name, "style.css")
	if err != nil {
		return nil, fmt.Errorf("read page %s: %w", name, err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, fmt.Errorf("render page %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// A reference is what the reference page shows.
type reference struct {
	Title, Version string
	About          []string // paragraphs
	Groups         []group
	Schemas        []schemaView
	Problems       []problemView
}

// A group is a tag with its operations.
type group struct {
	Name, Anchor, Description string
	Operations                []operationView
}

type operationView struct {
	ID, Method, Path, Summary, Description string
	Deprecated                             bool
	Parameters                             []fieldView
	Body                                   *contentView
	Responses                              []responseView // successes
	Problems                               []problemGroup
}

// A problemGroup is the problems of an operation with one status.
type problemGroup struct {
	Status string
	Codes  []string
}

type responseView struct {
	Status, Description string
	Headers             []fieldView
	Content             *contentView
}

// A contentView is a body: where its schema is, and an example.
type contentView struct {
	Types   string // media types
	Schema  string // name
	Example string // indented JSON, may be ""
}

// A fieldView is a parameter, a header or a property.
type fieldView struct {
	Name, In, Type, Rules, Description string
	Required                           bool
	Ref                                string // name of the schema, if it is one of its own
}

type schemaView struct {
	Name   string
	Fields []fieldView
}

type problemView struct {
	Code, Title, Advice string
	Status              int
}

func newReference(doc *huma.OpenAPI) reference {
	r := reference{Title: doc.Info.Title, Version: doc.Info.Version, About: strings.Split(doc.Info.Description, "\n\n")}
	for _, tag := range doc.Tags {
		g := group{Name: tag.Name, Anchor: anchor(tag.Name), Description: tag.Description}
		for _, op := range operationsOf(doc, tag.Name) {
			g.Operations = append(g.Operations, viewOperation(op))
		}
		r.Groups = append(r.Groups, g)
	}
	schemas := doc.Components.Schemas.Map()
	for _, name := range sortedKeys(schemas) {
		r.Schemas = append(r.Schemas, schemaView{Name: name, Fields: viewProperties(schemas[name])})
	}
	for _, k := range kinds() {
		r.Problems = append(r.Problems, problemView{Code: k.code, Title: k.title, Status: k.status, Advice: k.advice})
	}
	return r
}

// anchor makes a name fit for the end of an address.
func anchor(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name)), "-")
}

// operationsOf returns the operations of a tag by path and method.
func operationsOf(doc *huma.OpenAPI, tag string) []*huma.Operation {
	var ops []*huma.Operation
	for _, path := range sortedKeys(doc.Paths) {
		item := doc.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil && slices.Contains(op.Tags, tag) {
				ops = append(ops, op)
			}
		}
	}
	return ops
}
