package draft

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/loadgen/httpload"
	"github.com/proofload/proofload/reports/history"
)

// notebook is a classic web application: each visitor has tokens of their own, one
// in the head of the page and one in its form, and each note has an address.
func notebook() http.Handler {
	var mu sync.Mutex
	tokens, made := map[string]string{}, 100
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		visitor := fmt.Sprintf("visitor-%d", len(tokens))
		tokens[visitor] = "of-" + visitor
		w.Header().Set("Set-Cookie", "sid="+visitor)
		fmt.Fprintf(w, `<meta name="csrf-token" content="head-%[1]s"><input type="hidden" value="field-%[1]s" name="csrf">`, tokens[visitor])
	})
	post := func(pattern, kind string, then http.HandlerFunc) {
		mux.HandleFunc("POST "+pattern, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			c, err := r.Cookie("sid")
			if err != nil || r.PostFormValue("csrf") != kind+tokens[c.Value] {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			then(w, r)
		})
	}
	post("/notes", "field-", func(w http.ResponseWriter, r *http.Request) {
		made++
		http.Redirect(w, r, fmt.Sprintf("/notes/%d", made), http.StatusSeeOther)
	})
	post("/notes/{id}/edit", "head-", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") == "17" { // that of the recording
			w.WriteHeader(http.StatusNotFound)
		}
	})
	mux.HandleFunc("GET /notes/{id}", func(w http.ResponseWriter, r *http.Request) {
		if id := r.PathValue("id"); id == "17" || id == "171" {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) })
	mux.HandleFunc("GET /login", func(http.ResponseWriter, *http.Request) {})
	return mux
}

// TestRecordingIsSent drives what was written of a recording against the system
// again, for which every visitor and every note is another.
func TestRecordingIsSent(t *testing.T) {
	src, err := os.ReadFile("testdata/notes.har")
	if err != nil {
		t.Fatal(err)
	}
	text, err := HAR("notes.har", src)
	if err != nil {
		t.Fatal(err)
	}
	f := read(t, regexp.MustCompile(`(?m)^ +think: .*\n`).ReplaceAll(text, nil))
	server := httptest.NewServer(notebook())
	defer server.Close()
	w, err := httpload.New(t.Context(), f, httpload.Config{Seed: 1, BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	rec, err := history.NewRecorder(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	var mu sync.Mutex
	got := map[string]int{}
	defer rec.Tap(func(e *history.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind != history.Invoke {
			got[fmt.Sprint(e.Op, " ", e.Kind, " ", e.Status)]++
		}
	})()
	_, err = loadgen.Drive(t.Context(), loadgen.Config{
		BaseURL: server.URL, Drill: 1, Workload: w, Recorder: rec, Timeouts: loadgen.Timeouts{Dial: time.Minute, Total: time.Minute},
		Phases: []loadgen.Phase{{Name: "p", For: 10 * time.Millisecond, From: 300, To: 300}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{
		"get ok 200": 3, "post-notes ok 303": 3, "get-notes-17 ok 200": 3, "post-notes-17-edit ok 200": 3, "get-notes-171 ok 404": 3,
		"post-logout ok 302": 3, "get-login ok 200": 3,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
}
