package draft

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/loadgen/httpload"
)

var update = flag.Bool("update", false, "write the golden files")

func environ(name string) (string, bool) {
	if name == "BASE_URL" {
		return "", false
	}
	return "set", true
}

// read makes sure that what was written is a workload.
func read(t *testing.T, text []byte) *httpload.File {
	t.Helper()
	f, err := httpload.Parse("w.yaml", text, httpload.Options{Lookup: environ})
	if err != nil {
		t.Fatalf("what was written is no workload: %v\n%s", err, text)
	}
	return f
}

// TestGolden writes a workload from each file of testdata.
func TestGolden(t *testing.T) {
	for _, file := range []string{"shop.openapi.yaml", "petstore.openapi.json", "shop.har", "notes.har"} {
		t.Run(file, func(t *testing.T) {
			src, err := os.ReadFile(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			write := OpenAPI
			if strings.HasSuffix(file, ".har") {
				write = HAR
			}
			got, err := write(filepath.Join("testdata", file), src)
			if err != nil {
				t.Fatal(err)
			}
			if f := read(t, got); len(f.Ops()) == 0 || len(f.Warnings) > 0 {
				t.Errorf("ops %q, warnings %v", f.Ops(), f.Warnings)
			}
			golden := filepath.Join("testdata", file+".golden")
			if *update {
				if err = os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(string(got), "hunter2") || strings.Contains(string(got), "eyJ") {
				t.Errorf("a secret of the recording is written:\n%s", got)
			}
		})
	}
}

// bomb says very much in few words.
func bomb() string {
	var b strings.Builder
	b.WriteString("openapi: 3.1.0\nv0: &v0 x\n")
	for i := 1; i < 90; i++ {
		fmt.Fprintf(&b, "v%d: &v%d [*v%d, *v%d]\n", i, i, i-1, i-1)
	}
	return b.String()
}

func TestBadDocuments(t *testing.T) {
	for _, tc := range []struct{ name, src, openAPI, har string }{
		{"empty", "", "the file is empty", "this is not JSON"},
		{"no JSON", "{\n  \"openapi\": }", "bad:2:14: this is not JSON", "bad:2:14: this is not JSON"},
		{"no YAML", "a: b: c", "bad:1:5", "this is not JSON"},
		{"a list", "- a", "want a mapping", "this is not JSON"},
		{"another version", `{"swagger": "2.0"}`, "this is Swagger 2.0, only OpenAPI 3 is read", "it has no log.entries"},
		{"neither", `{"a": 1}`, "does not begin with openapi", "it has no log.entries"},
		{"no paths", `{"openapi": "3.0.0", "paths": {"/x": {"delete": {}}}}`, "no requests", "it has no log.entries"},
		{"two values", `{"openapi": "3.0.0"} {}`, "more follows", "more follows"},
		{"a bomb", bomb(), "it has more than 2000000 values", "this is not JSON"},
		{"no entries", `{"log": {"entries": []}, "openapi": "3.1.0"}`, "no requests", "no requests"},
	} {
		for _, w := range []struct {
			want  string
			write func(string, []byte) ([]byte, error)
		}{{tc.openAPI, OpenAPI}, {tc.har, HAR}} {
			text, err := w.write("bad", []byte(tc.src))
			if err == nil || !strings.Contains(err.Error(), w.want) {
				t.Errorf("%s: %v, want %q; wrote %q", tc.name, err, w.want, text)
			}
		}
	}
}

// FuzzOpenAPI checks that whatever is written can be read.
func FuzzOpenAPI(f *testing.F) {
	for _, file := range []string{"testdata/shop.openapi.yaml", "testdata/petstore.openapi.json"} {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if text, err := OpenAPI("f", src); err == nil {
			read(t, text)
		}
	})
}

// FuzzHAR checks that whatever is written can be read.
func FuzzHAR(f *testing.F) {
	src, err := os.ReadFile("testdata/shop.har")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(src)
	f.Fuzz(func(t *testing.T, src []byte) {
		if text, err := HAR("f", src); err == nil {
			read(t, text)
		}
	})
}

// TestExampleOfAnAddress: who is made is somebody new each time, and who logs in
// is not.
func TestExampleOfAnAddress(t *testing.T) {
	operation := func(example string) string {
		return `{"post": {"requestBody": {"content": {"application/json": {"example": ` + example + `}}}, "responses": {"200": {"description": "ok"}}}}`
	}
	got, err := OpenAPI("api.json", []byte(`{"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {
		"/customers": `+operation(`{"mail": "ada@shop.example.com"}`)+`,
		"/login": `+operation(`{"mail": "bob@shop.example.com", "password": "x"}`)+`}}`))
	if err != nil {
		t.Fatal(err)
	}
	text := string(got)
	if !strings.Contains(text, `mail: "`+sampleMail) || strings.Contains(text, "ada@") || !strings.Contains(text, "bob@shop.example.com") {
		t.Errorf("written:\n%s", text)
	}
}
