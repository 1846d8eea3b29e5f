package httpload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
)

// bank is a system with one account that has versions, and a sum.
func bank(versions []int64, total string) http.Handler {
	var mu sync.Mutex
	at := 0
	mux := http.NewServeMux()
	mux.HandleFunc("GET /accounts", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, total) })
	mux.HandleFunc("GET /account", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, `{"version": %d, "balance": 7}`, versions[at%len(versions)])
		at++
	})
	mux.HandleFunc("PUT /things/{id}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /things/{id}", func(http.ResponseWriter, *http.Request) {})
	return mux
}

// TestPromises says what is recorded of sessions and versions.
func TestPromises(t *testing.T) {
	server := httptest.NewServer(bank([]int64{3, 4}, "[]"))
	defer server.Close()
	w, err := New(t.Context(), parseText(t, `
requests:
  - name: visit
    steps:
      - {name: make, session: true, set: {id: "${uuid}"}, put: "/things/${id}", ack: {key: "${id}", lookup: "/things/${key}"}}
      - {name: own, session: true, get: "/things/${id}"}
      - {name: other, get: "/things/${id}"}
      - {name: look, session: true, get: /account, sees: {key: "account 1", version: $.version, balance: $.balance, strong: true}}
      - {name: enter, get: /account, refused: true}
      - {name: press, get: /account, limited: {client: "user ${drill}", most: 3, per: 2s}}
`), Config{BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var file bytes.Buffer
	rec, err := history.NewRecorder(&file)
	if err != nil {
		t.Fatal(err)
	}
	_, err = loadgen.Drive(t.Context(), loadgen.Config{
		BaseURL: server.URL, Drill: 1, Workload: w, Recorder: rec, Phases: []loadgen.Phase{{Name: "p", For: time.Second, From: 1, To: 1}},
	})
	if err = errors.Join(err, rec.Close()); err != nil {
		t.Fatal(err)
	}
	got := map[string]history.Event{}
	for e, err := range history.Read(&file) {
		if err != nil {
			t.Fatal(err)
		}
		if e.By == history.ByLoad && e.Kind == history.OK {
			got[e.Op] = *e
		}
	}
	id := got["make"].ID
	for _, want := range []history.Event{
		{Op: "make", ID: id, Session: "visit-1-0"},
		{Op: "own", Key: id, Session: "visit-1-0"},
		{Op: "other"},
		{Op: "look", Key: "account 1", Session: "visit-1-0", Promise: history.PromiseStrong, Value: 3, Amount: 7},
		{Op: "enter", Promise: history.PromiseRefused},
		{Op: "press", Session: "user 1", Promise: history.Limited(3, 2*time.Second)},
	} {
		e := got[want.Op]
		if diff := cmp.Diff(want, history.Event{Op: e.Op, ID: e.ID, Key: e.Key, Session: e.Session, Promise: e.Promise, Value: e.Value, Amount: e.Amount}); diff != "" || id == "" {
			t.Errorf("%s (-want +got):\n%s", want.Op, diff)
		}
	}
}

// TestSums says what is recorded of what has to add up.
func TestSums(t *testing.T) {
	for _, tt := range []struct {
		name, before, after, equals string
		off                         int64
		text                        string // of the event, or of the error
		fails                       bool
	}{
		{name: "as before", before: `[{"v": 3}, {"v": -1}]`, after: `[{"v": 1}, {"v": 1}]`},
		{name: "less", before: `[{"v": 3}]`, after: `[{"v": 2}]`, off: -1, text: "the sum is 2 and should be 3"},
		{name: "as it should be", before: `[]`, after: `[{"v": 5}]`, equals: ", equals: 5"},
		{name: "more", before: `[]`, after: `[{"v": 6}]`, equals: ", equals: 5", off: 1, text: "the sum is 6 and should be 5"},
		{name: "decimals as before", before: `[{"v": 0.1}, {"v": "0.20"}]`, after: `[{"v": "0.30"}]`},
		{name: "decimals less", before: `[{"v": 10.50}]`, after: `[{"v": "10.49"}]`, off: -1, text: "the sum is 10.49 and should be 10.5"},
		{name: "many digits", before: `[]`, after: `[{"v": "123456789012345678901.01"}]`, equals: `, equals: "123456789012345678901.00"`, off: 1, text: "the sum is 123456789012345678901.01 and should be 123456789012345678901"},
		{name: "decimals as they should be", before: `[]`, after: `[{"v": 1.25}, {"v": 1e1}]`, equals: ", equals: 11.25"},
		{name: "no end", before: `[{"v": 3}]`, after: `[{"v": "1e999999999"}]`, fails: true, text: "add up money: what was found is not all numbers"},
		{name: "a fraction", before: `[{"v": 3}]`, after: `[{"v": "1/3"}]`, fails: true, text: "add up money: what was found is not all numbers"},
		{name: "no number", before: `[{"v": 3}]`, after: `[{"v": "x"}]`, fails: true, text: "add up money: what was found is not all numbers"},
		{name: "nothing", before: `[{"v": 3}]`, after: `[]`, fails: true, text: "add up money: what was found is not all numbers: there is nothing"},
		{name: "no JSON", before: `[{"v": 3}]`, after: `<html>`, fails: true, text: "add up money: invalid character"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := tt.before
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, now) }))
			defer server.Close()
			file := "sums: [{name: money, get: /accounts, sum: \"$[*].v\"" + tt.equals + "}]\nrequests: [{name: home, get: /}]\n"
			w, err := New(t.Context(), parseText(t, file), Config{BaseURL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			if err = w.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			now = tt.after
			var out bytes.Buffer
			rec, err := history.NewRecorder(&out)
			if err != nil {
				t.Fatal(err)
			}
			auditErr := w.Audit(t.Context(), AuditConfig{Drill: 1, Recorder: rec})
			if err := rec.Close(); err != nil {
				t.Fatal(err)
			}
			for e, err := range history.Read(&out) {
				if err != nil {
					t.Fatal(err)
				}
				if e.Op != history.AuditBooks || e.Node != "money" || e.Value != tt.off || !strings.HasPrefix(e.Text, tt.text) || (e.Kind == history.Fail) != tt.fails {
					t.Errorf("recorded %+v, want %d off and %q", e, tt.off, tt.text)
				}
			}
			if (auditErr != nil) != tt.fails {
				t.Errorf("Audit: %v", auditErr)
			}
		})
	}
}
