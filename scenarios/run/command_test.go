package run

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios/plan"
)

// shell is an environment in whose nodes commands can be run.
type shell struct {
	fakeEnv

	run func(ctx context.Context, node string, argv []string) (string, error)
}

func (s shell) NodeExec(ctx context.Context, node string, _ []string, argv ...string) (string, error) {
	return s.run(ctx, node, argv)
}

// commandStep runs a command on nodes.
func commandStep(t *testing.T, on string, within time.Duration) plan.Step {
	t.Helper()
	target, err := fakeEnv{}.Topology().Select(on)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Step{
		Entry: check.Entry{Name: "reload", Verb: "exec", Target: on, For: within}, Verb: "exec", Text: "kill -HUP 1",
		Params: chaos.Params{Target: target},
	}
}

// TestCommand runs a command on nodes one after another. One that fails ends the
// drill, and nothing is run after it.
func TestCommand(t *testing.T) {
	type calls []string
	for _, tt := range []struct {
		name, on string
		fails    string // the node on which it fails
		calls    calls
		wantOps  []string
		says     string
	}{
		{"one", "pg-1", "", calls{"pg-1"}, []string{"inject", "injected", "settled"}, "pg-1 says it is done"},
		{"all", "postgres", "", calls{"pg-1", "pg-2"}, []string{"inject", "injected", "inject", "injected", "settled"}, "pg-1 says it is done; pg-2 says it is done"},
		{"one that fails", "postgres", "pg-1", calls{"pg-1"}, []string{"inject", "failed"}, "carry out reload: exit status 3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rig, ops := newTestRig(t, &fakeFault{})
			var got calls
			var audited []string
			rig.Journal.Observe(func(action string, u chaos.Undo, detail string) error {
				audited = append(audited, action+" "+u.Target+" "+detail)
				return nil
			})
			rig.Env = shell{run: func(_ context.Context, node string, argv []string) (string, error) {
				got = append(got, node)
				if diff := cmp.Diff([]string{"timeout", "--kill-after=1", "60", "sh", "-c", "kill -HUP 1"}, argv); diff != "" {
					t.Errorf("it ran (-want +got):\n%s", diff)
				}
				if node == tt.fails {
					return "", errors.New("exit status 3")
				}
				return "it\n  is done\n", nil
			}}
			var last history.Event
			rig.Recorder.Tap(func(e *history.Event) { last = *e })
			tl := newTimeline(rig, plan.Drill{N: 1}, []plan.Step{commandStep(t, tt.on, 0)})
			err := tl.carryOut(t.Context(), 0, 0)
			if (err != nil) != (tt.fails != "") || last.Text != tt.says {
				t.Errorf("carryOut() = %v, the history ends with %q", err, last.Text)
			}
			if diff := cmp.Diff(tt.calls, got); diff != "" {
				t.Errorf("nodes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.wantOps, ops()); diff != "" {
				t.Errorf("history (-want +got):\n%s", diff)
			}
			if len(audited) != len(tt.calls) || audited[0] != "exec pg-1 kill -HUP 1" {
				t.Errorf("the audit log has %q", audited)
			}
		})
	}
}

// TestCommandIsBounded gives up a node that does not answer, and one of which the
// drill is over.
func TestCommandIsBounded(t *testing.T) {
	for _, ends := range []time.Duration{time.Hour, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			rig, _ := newTestRig(t, &fakeFault{})
			rig.Env = shell{run: func(ctx context.Context, _ string, _ []string) (string, error) { <-ctx.Done(); return "", ctx.Err() }}
			ctx, cancel := context.WithTimeout(t.Context(), ends)
			defer cancel()
			began := time.Now()
			err := newTimeline(rig, plan.Drill{N: 1}, []plan.Step{commandStep(t, "pg-1", 3*time.Second)}).carryOut(ctx, 0, 0)
			if want := min(ends, 3*time.Second+giveUpTimeout); time.Since(began) != want || (err != nil) != (ends == time.Hour) {
				t.Errorf("carryOut() = %v after %v, want %v", err, time.Since(began), want)
			}
		})
	}
}

// addressed is an environment that is served at an address.
type addressed struct {
	fakeEnv

	api string
}

func (a addressed) Endpoint(name string) (string, bool) {
	return map[string]string{"api": a.api + "/", "http/pg-2": a.api + "/two"}[name], name == "api" || name == "http/pg-2"
}

// TestRequest sends requests, and takes an answer that was not asked for as a
// failure.
func TestRequest(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/flags", "/two/flags":
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, strings.Join([]string{r.Method, r.URL.RawQuery, r.Header.Get("Content-Type"), string(body)}, "|")) //nolint:gosec // no browser reads it
		case "/who":
			_, _ = io.WriteString(w, r.Header.Get("Authorization")) //nolint:gosec // no browser reads it
		case "/moved":
			http.Redirect(w, r, "/flags", http.StatusFound)
		case "/slow":
			<-r.Context().Done()
		default:
			http.Error(w, strings.Repeat("no ", 300), http.StatusNotFound)
		}
	}))
	defer server.Close()
	for _, tt := range []struct {
		name, on, text string
		with           map[string]string
		says           string
		fails          bool
	}{
		{"plain", "", "POST /flags?slow=off", nil, "answered 201 POST|slow=off||", false},
		{"body", "", "PUT /flags", map[string]string{"body": `{"a":1}`, "status": "201"}, `answered 201 PUT||application/json|{"a":1}`, false},
		{"type", "", "PUT /flags", map[string]string{"body": "a", "type": "text/plain"}, "answered 201 PUT||text/plain|a", false},
		{"node", "pg-2", "GET /flags", nil, "answered 201 GET|||", false},
		{"unwanted", "", "GET /flags", map[string]string{"status": "204"}, "carry out flip: GET /flags: answered 201 GET|||, want 204", true},
		{"wanted error", "", "GET /gone", map[string]string{"status": "404"}, "answered 404 " + strings.Repeat("no ", 66) + "no...", false},
		{"header", "", "GET /who", nil, "answered 200 Bearer s3cret", false},
		{"header without its secret", "", "POST /who", nil, "carry out flip: make the request: the secret TOKEN is not set", true},
		{"redirect", "", "GET /moved", nil, `carry out flip: GET /moved: answered 302 <a href="/flags">Found</a>., want 2xx`, true},
		{"slow", "", "GET /slow", nil, "carry out flip: GET /slow: not answered within 50ms", true},
		{"nowhere", "pg-1", "GET /flags", nil, "carry out flip: find pg-1: it has no address of its own: not supported by this environment", true},
		{"several", "postgres", "GET /flags", nil, "carry out flip: postgres is 2 nodes, want one", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rig, _ := newTestRig(t, &fakeFault{})
			rig.Env, rig.Client = addressed{api: server.URL}, &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			defer rig.Client.CloseIdleConnections()
			var last history.Event
			rig.Recorder.Tap(func(e *history.Event) { last = *e })
			s := plan.Step{Entry: check.Entry{Name: "flip", Verb: "http", Target: tt.text, For: time.Minute}, Verb: "http", Text: tt.text, Params: chaos.Params{Values: tt.with}}
			if tt.on != "" {
				s.Entry.Target = tt.on
				s.Params.Target, _ = fakeEnv{}.Topology().Select(tt.on)
			}
			if strings.HasPrefix(tt.name, "header") {
				s.Headers = map[string]string{"Authorization": "Bearer ${secret:TOKEN}"}
				rig.Secret = func(string) (string, bool) { return map[bool]string{true: "s3cret"}[tt.name == "header"], true }
			}
			if tt.name == "slow" {
				s.Entry.For = 50 * time.Millisecond
			}
			err := newTimeline(rig, plan.Drill{N: 1}, []plan.Step{s}).carryOut(t.Context(), 0, 0)
			if (err != nil) != tt.fails || last.Text != tt.says {
				t.Errorf("carryOut() = %v, the history ends with %q, want %q", err, last.Text, tt.says)
			}
		})
	}
}
