package httpload

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/proofload/proofload/scenarios"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files")

// environment of the files in testdata.
func environ(name string) (string, bool) {
	v, ok := map[string]string{"API_KEY": "k3y", "PASSWORD": "hunter2"}[name]
	return v, ok
}

func contents(tb testing.TB, file string) []byte {
	tb.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return src
}

// parse reads a file that must be sound.
func parse(tb testing.TB, file string) *File {
	tb.Helper()
	f, err := Parse(file, contents(tb, file), Options{Lookup: environ})
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

// parseText reads a workload from the text below its name.
func parseText(tb testing.TB, text string) *File {
	tb.Helper()
	f, err := Parse("testdata/w.yaml", []byte("proofload: workload/v1\nname: w\n"+text), Options{Lookup: environ})
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

// TestLint has a file for each group of rules. Its golden file is what a user
// sees.
func TestLint(t *testing.T) {
	files, err := filepath.Glob("testdata/lint/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			_, err := Parse(file, contents(t, file), Options{Lookup: environ})
			if err == nil {
				t.Fatal("no problem found")
			}
			problems, ok := errors.AsType[*scenarios.Problems](err)
			if !ok {
				t.Fatalf("error is %T, want *scenarios.Problems", err)
			}
			for _, q := range problems.List {
				if q.Hint == "" || q.Pos.Line < 1 || q.Pos.Col < 1 {
					t.Errorf("%d:%d: %s: no place, or not how to mend it", q.Pos.Line, q.Pos.Col, q.Msg)
				}
			}
			want := strings.TrimSuffix(file, ".yaml") + ".golden"
			got := err.Error() + "\n"
			if *update {
				if err := os.WriteFile(want, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(contents(t, want)), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParse(t *testing.T) {
	f := parse(t, "testdata/full.yaml")
	want := []string{"create-order", "place", "list-orders", "read-own-write", "login", "add", "buy-3"}
	if diff := cmp.Diff(want, f.Ops()); diff != "" {
		t.Errorf("ops (-want +got):\n%s", diff)
	}
	if f.Name != "full" || f.Base != "http://localhost:8080" || f.weight != 38 || f.auth.clients != 2 {
		t.Errorf("name %q, base %q, weight %d, %d clients", f.Name, f.Base, f.weight, f.auth.clients)
	}
}

// shipped is the workload that ships.
const shipped = "../../scenarios/library/workloads/object-store.yaml"

func TestShippedWorkload(t *testing.T) {
	f := parse(t, shipped)
	if want := []string{"put-object", "get-object"}; cmp.Diff(want, f.Ops()) != "" || !f.Counts() {
		t.Errorf("ops %q, counts %t; want %q, and that they count", f.Ops(), f.Counts(), want)
	}
}

// TestCheckout reads a file that needs something of the environment.
func TestCheckout(t *testing.T) {
	const file = "testdata/checkout.yaml"
	_, err := Parse(file, contents(t, file), Options{})
	for _, want := range []string{
		`checkout.yaml:4:7: BASE_URL is not set: set BASE_URL, for example https://staging.example.com`,
		`checkout.yaml:6:25: the secret API_TOKEN is not set`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %q", err, want)
		}
	}
	f, err := Parse(file, contents(t, file), Options{Lookup: func(name string) (string, bool) {
		v, ok := map[string]string{"BASE_URL": "https://staging.example.com", "API_TOKEN": "s3cret"}[name]
		return v, ok
	}})
	if err != nil {
		t.Fatal(err)
	}
	w := workload(t, f, 1)
	op := w.Next(1, 0)
	if op.Op != "create-order" || op.Header.Get("Authorization") != "Bearer s3cret" || op.Timeout != 2*time.Second {
		t.Errorf("first operation, within %v: %s", op.Timeout, describe(op))
	}
	if l := f.steps[0].ack.lookup; len(l.headers) != 1 || l.headers[0].value.render(nil) != "Bearer s3cret" {
		t.Errorf("a lookup is sent with %v, want the fixed headers of the file", l.headers)
	}
}

// TestSecretsStayOut makes sure that no message about a file holds a secret.
func TestSecretsStayOut(t *testing.T) {
	for _, text := range []string{
		"auth: {post: /t, token: $.t, header: \"${secret:PASSWORD} x\"}\nrequests: [{name: a, get: /}]",
		"base: ${secret:PASSWORD}\nrequests: [{name: a, get: /}]",
		"endpoints: {db: \"${secret:PASSWORD}\"}\nrequests: [{name: a, get: /}]",
		"endpoints: {db: \"x://u:${secret:PASSWORD}@localhost/\"}\nrequests: [{name: a, get: /}]",
		"data: {d: {csv: \"${secret:PASSWORD}.csv\"}}\nrequests: [{name: a, get: /}]",
	} {
		_, err := Parse("w.yaml", []byte("proofload: workload/v1\nname: w\n"+text), Options{
			Lookup: environ, ReadFile: func(string) ([]byte, error) { return nil, os.ErrNotExist },
		})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestBombIsRefused has a body that says very much in few words.
func TestBombIsRefused(t *testing.T) {
	var b strings.Builder
	b.WriteString("proofload: workload/v1\nname: w\nrequests:\n  - name: a\n    post: /\n    json:\n      v0: &v0 x\n")
	for i := 1; i < 60; i++ {
		fmt.Fprintf(&b, "      v%d: &v%d [*v%d, *v%d]\n", i, i, i-1, i-1)
	}
	_, err := Parse("w.yaml", []byte(b.String()), Options{})
	if err == nil || !strings.Contains(err.Error(), "more than 100000 values") {
		t.Errorf("error = %v", err)
	}
}

// FuzzParse checks that no input makes the parser panic, that every problem has
// a place, and that a workload that is sound makes operations.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/lint/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "testdata/full.yaml", "testdata/direct.yaml") {
		f.Add(contents(f, file))
	}
	options := Options{Lookup: environ, ReadFile: func(path string) ([]byte, error) {
		if strings.HasSuffix(path, "l") {
			return []byte(`{"name": "ada", "address": {"city": "London"}}`), nil
		}
		return []byte("id,price,name\nA,1,x\n"), nil
	}}
	f.Fuzz(func(t *testing.T, src []byte) {
		file, err := Parse("f.yaml", src, options)
		if err != nil {
			problems, ok := errors.AsType[*scenarios.Problems](err)
			if !ok {
				t.Fatalf("error is %T, want *Problems", err)
			}
			for _, q := range problems.List {
				if q.Pos.Line < 1 || q.Pos.Col < 1 || q.Msg == "" {
					t.Fatalf("a problem without a place or text: %+v", q)
				}
			}
			return
		}
		w, err := New(t.Context(), file, Config{BaseURL: "http://localhost", NoAudit: true})
		if err != nil {
			return // a login elsewhere
		}
		defer w.Close()
		for seq := range uint64(3) {
			if op := w.Next(1, seq); op.Op == "" || op.Method == "" || op.Run == nil && !strings.HasPrefix(op.Path, "/") && !strings.Contains(op.Path, "://") {
				t.Fatalf("not an operation: %+v", op)
			}
		}
	})
}
