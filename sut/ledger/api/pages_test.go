package api_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// document reads the OpenAPI document.
func document(t *testing.T, h http.Handler) map[string]any {
	t.Helper()
	w := do(t, h, http.MethodGet, "/openapi.json", "")
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != 200 {
		t.Fatalf("GET /openapi.json = %d, %v", w.Code, err)
	}
	return doc
}

// each calls visit with every object of a document.
func each(value any, visit func(map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		visit(v)
		for _, child := range v {
			each(child, visit)
		}
	case []any:
		for _, child := range v {
			each(child, visit)
		}
	}
}

func TestDocument(t *testing.T) {
	h := newHandler(t, fake{})
	doc := document(t, h)
	if doc["openapi"] != "3.1.0" {
		t.Errorf("openapi = %v; want 3.1.0", doc["openapi"])
	}
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	each(doc, func(o map[string]any) {
		if ref, ok := o["$ref"].(string); ok && schemas[strings.TrimPrefix(ref, "#/components/schemas/")] == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	})
	ids := map[string]bool{}
	for path, item := range doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			o := op.(map[string]any)
			id, _ := o["operationId"].(string)
			if id == "" || ids[id] || o["summary"] == nil || o["tags"] == nil {
				t.Errorf("%s %s: id %q is not unique, or summary or tags are missing", method, path, id)
			}
			ids[id] = true
			if deprecated := o["deprecated"] == true; deprecated != strings.HasPrefix(path, "/v1/") {
				t.Errorf("%s %s: deprecated = %t", method, path, deprecated)
			}
			responses := o["responses"].(map[string]any)
			for _, status := range []string{"400", "500", "503", "504"} {
				if responses[status] == nil {
					t.Errorf("%s %s: answer %s is not documented", method, path, status)
				}
			}
			if body, ok := o["requestBody"].(map[string]any); ok && body["content"].(map[string]any)["application/json"].(map[string]any)["example"] == nil {
				t.Errorf("%s %s: the body has no example", method, path)
			}
		}
	}
	if len(ids) != 22 {
		t.Errorf("%d operations are documented; want 22", len(ids))
	}
	if schemas["ErrorModel"] != nil || schemas["Problem"] == nil {
		t.Error("problems are not documented as they are")
	}
	w := do(t, h, http.MethodGet, "/openapi.yaml", "")
	if w.Code != 200 || !strings.Contains(w.Body.String(), "openapi: 3.1.0") {
		t.Errorf("GET /openapi.yaml = %d without the version", w.Code)
	}
}

// TestPagesStandAlone checks that the pages show everything and fetch nothing.
func TestPagesStandAlone(t *testing.T) {
	h := newHandler(t, fake{})
	loads := regexp.MustCompile(`(?i)<(script|link|img|iframe|object|embed|form|base)\b|\b(src|srcset|action)=|@import|url\(|https?:|"//`)
	for _, path := range []string{"/docs", "/docs/v1"} {
		w := do(t, h, http.MethodGet, path, "")
		page := w.Body.String()
		if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
			t.Fatalf("GET %s = %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
		if found := loads.FindString(page); found != "" {
			t.Errorf("%s contains %q", path, found)
		}
		if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
			t.Errorf("%s may load: %q", path, policy)
		}
		for _, link := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
			if anchor, ok := strings.CutPrefix(link[1], "#"); ok {
				if !strings.Contains(page, `id="`+anchor+`"`) {
					t.Errorf("%s: %s leads nowhere", path, link[1])
				}
				continue
			}
			if got := do(t, h, http.MethodGet, link[1], ""); got.Code != 200 {
				t.Errorf("%s: %s = %d; want 200", path, link[1], got.Code)
			}
		}
		again := do(t, h, http.MethodGet, path, "", "If-None-Match", w.Header().Get("ETag"))
		if again.Code != 304 || again.Body.Len() > 0 {
			t.Errorf("GET %s with its ETag = %d, %d bytes; want 304", path, again.Code, again.Body.Len())
		}
	}
}

// TestReferenceIsComplete looks on the page for everything in the document.
func TestReferenceIsComplete(t *testing.T) {
	h := newHandler(t, fake{})
	page := do(t, h, http.MethodGet, "/docs", "").Body.String()
	doc := document(t, h)
	for path, item := range doc["paths"].(map[string]any) {
		if !strings.Contains(page, ">"+path+"</code>") {
			t.Errorf("path %s is missing", path)
		}
		for _, op := range item.(map[string]any) {
			o := op.(map[string]any)
			if !strings.Contains(page, `<details id="`+o["operationId"].(string)+`">`) || !strings.Contains(page, o["summary"].(string)) {
				t.Errorf("operation %s is missing", o["operationId"])
			}
			for _, p := range o["parameters"].([]any) {
				if name := p.(map[string]any)["name"].(string); !strings.Contains(page, "<code>"+name+"</code>") {
					t.Errorf("parameter %s of %s is missing", name, path)
				}
			}
		}
	}
	for name := range doc["components"].(map[string]any)["schemas"].(map[string]any) {
		if !strings.Contains(page, `id="schema-`+name+`"`) {
			t.Errorf("schema %s is missing", name)
		}
	}
	for _, code := range []string{"insufficient_funds", "overloaded", "version_mismatch"} {
		if !strings.Contains(page, `<tr id="`+code+`">`) {
			t.Errorf("problem %s is missing", code)
		}
	}
}

func TestNoticeSaysWhatIsLost(t *testing.T) {
	page := do(t, newHandler(t, fake{}), http.MethodGet, "/docs/v1", "").Body.String()
	for _, word := range []string{"1 November 2026", "1 November 2027", "Refunds", "Lists", "Statements", "Customers", "ETags", "/v2/transfers/{id}"} {
		if !strings.Contains(page, word) {
			t.Errorf("the notice does not say %q", word)
		}
	}
}
