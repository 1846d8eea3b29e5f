package httpload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
)

// issuer is a token endpoint in memory.
type issuer struct {
	mu    sync.Mutex
	asked []string // the forms it was sent
	fail  bool
	slow  time.Duration
	hang  string // a form that begins so is never answered; empty: none
	lasts int    // in s; 0 is 100
}

func (s *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.asked = append(s.asked, string(body))
	n, fail := len(s.asked), s.fail
	s.mu.Unlock()
	answered := time.After(s.slow)
	if s.hang != "" && strings.HasPrefix(string(body), s.hang) {
		answered = nil
	}
	select {
	case <-answered:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	w := httptest.NewRecorder()
	if fail {
		w.WriteHeader(http.StatusServiceUnavailable)
	} else {
		fmt.Fprintf(w.Body, `{"access_token": "t%d", "refresh_token": "r%d", "expires_in": %d}`, n, n, cmp.Or(s.lasts, 100))
	}
	return w.Result(), nil
}

func (s *issuer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

//nolint:gosec // names of secrets alone
const tokenFile = `
data: {users: {jsonl: users.jsonl}}
auth:
  clients: 2
  post: /token
  form: {user: "${users.name}", pass: "${secret:PASSWORD}"}
  token: $.access_token
  expires: $.expires_in
  extract: {refresh: $.refresh_token}
  refresh:
    post: /token
    form: {refresh: "${refresh}"}
requests:
  - {name: a, get: /}
`

// issued makes a workload whose tokens come from memory, within a bubble of
// synctest.
func issued(t *testing.T, text string) (*Workload, *issuer) {
	t.Helper()
	w, err := New(t.Context(), parseText(t, text), Config{BaseURL: "http://localhost"})
	if err != nil {
		t.Fatal(err)
	}
	s := &issuer{slow: 50 * time.Millisecond}
	w.client = &http.Client{Transport: s}
	return w, s
}

// bearer sends an operation as far as its header.
func bearer(ctx context.Context, w *Workload, seq uint64) (string, error) {
	op := w.Next(1, seq)
	h := http.Header{}
	err := op.Prepare(ctx, h)
	return h.Get("Authorization"), err
}

// TestTokenIsShared has many operations want a token at once: each client logs
// in once.
func TestTokenIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := issued(t, tokenFile)
		defer w.Close()
		var wg sync.WaitGroup
		ops := make([]loadgen.Operation, 100)
		for i := range ops {
			ops[i] = w.Next(1, uint64(i))
		}
		for i := range ops {
			wg.Go(func() {
				h := http.Header{}
				if err := ops[i].Prepare(t.Context(), h); err != nil || !strings.HasPrefix(h.Get("Authorization"), "Bearer t") {
					t.Errorf("Authorization = %q, %v", h.Get("Authorization"), err)
				}
			})
		}
		wg.Wait()
		if s.count() != 2 {
			t.Errorf("%d logins, want one for each client", s.count())
		}
		if s.asked[0] == s.asked[1] || !strings.Contains(s.asked[0]+s.asked[1], "user=ada&pass=hunter2") {
			t.Errorf("logins = %q, want a row of its own for each client", s.asked)
		}
	})
}

// TestTokenIsRefreshedInTime keeps every operation supplied while tokens expire,
// without waiting for one.
func TestTokenIsRefreshedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := issued(t, strings.Replace(tokenFile, "clients: 2", "clients: 1", 1))
		defer w.Close()
		if err := w.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range 500 {
			began := time.Now()
			got, err := bearer(t.Context(), w, uint64(i))
			if err != nil || got == "" || time.Since(began) > 0 {
				t.Fatalf("after %d s: %q, %v, waited %v", i, got, err, time.Since(began))
			}
			loadgen.Wait(t.Context(), time.Second)
		}
		if s.count() < 6 || s.count() > 8 {
			t.Errorf("%d requests for tokens of 100 s in 500 s, want about one in 80 s", s.count())
		}
		for _, form := range s.asked[1:] {
			if !strings.HasPrefix(form, "refresh=r") {
				t.Errorf("asked with %q, want a refresh", form)
			}
		}
	})
}

// TestTokenEndpointFails: nothing is sent without a token, the endpoint is not
// overrun, and the run is not silent about it.
func TestTokenEndpointFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := issued(t, tokenFile)
		defer w.Close()
		s.fail = true
		err := w.Ready(t.Context())
		if err == nil || !strings.Contains(err.Error(), "testdata/w.yaml:6:3: log in: ask for a token: the answer is 503 Service Unavailable") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Ready = %v", err)
		}
		asked := s.count()
		for i := range 1000 {
			if _, unsent := bearer(t.Context(), w, uint64(i)); !errors.Is(unsent, loadgen.ErrNoToken) {
				t.Fatalf("an operation without a token: %v", unsent)
			}
			loadgen.Wait(t.Context(), 10*time.Millisecond)
		}
		if n := s.count() - asked; n > 22 {
			t.Errorf("%d logins in 10 s of two clients, want one a second each", n)
		}
		notes, open := w.Findings()
		if open == nil || !strings.Contains(open.Error(), "a: could not be sent: ask for a token") {
			t.Errorf("findings = %q, %v", notes, open)
		}

		s.fail = false
		loadgen.Wait(t.Context(), 2*time.Second)
		if got, err := bearer(t.Context(), w, 0); err != nil || got == "" {
			t.Errorf("once it works again: %q, %v", got, err)
		}

		// Between operations that are good it is for the history to say whether
		// something was broken when a login failed.
		s.fail = true
		loadgen.Wait(t.Context(), 100*time.Second) // the token is no more
		if _, err := bearer(t.Context(), w, 0); err == nil {
			t.Error("an operation is sent without a token")
		}
		op := w.Next(1, 1)
		op.Then(loadgen.End{Kind: history.OK})
		if notes, open := w.Findings(); len(notes) == 0 || open != nil {
			t.Errorf("findings = %q, %v, want notes that leave nothing open", notes, open)
		}
	})
}

// TestRefusedTokenIsDropped logs in again once, however many operations are
// refused.
func TestRefusedTokenIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := issued(t, strings.Replace(tokenFile, "clients: 2", "clients: 1", 1))
		defer w.Close()
		var ops []loadgen.Operation
		for i := range 20 {
			op := w.Next(1, uint64(i))
			if err := op.Prepare(t.Context(), http.Header{}); err != nil {
				t.Fatal(err)
			}
			ops = append(ops, op)
		}
		loadgen.Wait(t.Context(), 2*time.Second)
		for _, op := range ops {
			op.Then(loadgen.End{Kind: history.Fail, Status: http.StatusUnauthorized})
		}
		got, err := bearer(t.Context(), w, 30)
		if err != nil || got != "Bearer t2" || s.count() != 2 {
			t.Errorf("%q, %v after %d logins, want the second token", got, err, s.count())
		}
	})
}

// TestTokenIsWaitedForWithinTheOperation gives up when its operation does.
func TestTokenIsWaitedForWithinTheOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := issued(t, tokenFile)
		defer w.Close()
		s.slow = time.Hour
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := bearer(ctx, w, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v, want the operation's own timeout", err)
		}
	})
}

// TestLoginElsewhereIsRefused: load and logins go where they may.
func TestLoginElsewhereIsRefused(t *testing.T) {
	f := parseText(t, "auth: {post: \"https://auth.example.com/token\", token: $.t}\nrequests: [{name: a, get: /}]")
	if _, err := New(t.Context(), f, Config{BaseURL: "http://localhost"}); !errors.Is(err, loadgen.ErrHostNotAllowed) {
		t.Errorf("error = %v, want %v", err, loadgen.ErrHostNotAllowed)
	}
	w, err := New(t.Context(), f, Config{BaseURL: "http://localhost", AllowHosts: []string{"auth.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
}

// TestLoginWithoutAnExtract is no login: what follows would be sent with nothing
// in the value's place.
func TestLoginWithoutAnExtract(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := issued(t, strings.Replace(tokenFile, "$.refresh_token", "$.refresh", 1))
		defer w.Close()
		const want = "testdata/w.yaml:6:3: log in: ask for a token: $.refresh found nothing in the answer"
		if err := w.Ready(t.Context()); err == nil || err.Error() != want {
			t.Errorf("Ready = %v, want %q", err, want)
		}
	})
}

// TestTokenOfOneSecond: a token that lasts no longer than logins are held back
// is followed by the next without a gap, however many operations there are.
func TestTokenOfOneSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := issued(t, strings.Replace(tokenFile, "clients: 2", "clients: 1", 1))
		defer w.Close()
		s.lasts = 1
		for i := range 5000 {
			if got, err := bearer(t.Context(), w, uint64(i)); err != nil || got == "" {
				t.Fatalf("operation %d: %q, %v", i, got, err)
			}
			loadgen.Wait(t.Context(), time.Millisecond)
		}
		if n := s.count(); n < 5 || n > 8 {
			t.Errorf("%d logins in 5 s, want one each 0.8 s", n)
		}
	})
}

// TestRefreshThatHangs: where a refresh is not answered, the login that follows
// it has its own time, and clients are back with it.
func TestRefreshThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := issued(t, strings.Replace(tokenFile, "clients: 2", "clients: 1", 1))
		defer w.Close()
		s.hang = "refresh="
		for i := range 300 {
			if got, err := bearer(t.Context(), w, uint64(i)); err != nil || got == "" {
				t.Fatalf("after %d s: %q, %v", i, got, err)
			}
			loadgen.Wait(t.Context(), time.Second)
		}
	})
}
