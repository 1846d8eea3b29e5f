package netfault

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

func TestStall(t *testing.T) {
	for _, traffic := range []bool{false, true} {
		t.Run(fmt.Sprintf("traffic %t", traffic), func(t *testing.T) {
			env := newLinkEnv(t, "replication:pg-1", "api-1->pgbouncer")
			if traffic {
				env.chatter(t, "replication:pg-1")
			}
			p := chaos.Params{Target: env.selection("replication:pg-1")}
			chaostest.TestFault(t, env, kind(t, kindStall), p, env.broken("replication:pg-1"))
			chaostest.Whole(t, env.broken("api-1->pgbouncer"))
		})
	}
}

// deadline bounds one step of a test.
func deadline(tb testing.TB, d time.Duration) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), d)
	tb.Cleanup(cancel)
	return ctx
}

// TestStallEvidence checks what is said of a link with traffic and one without.
func TestStallEvidence(t *testing.T) {
	env := newLinkEnv(t, "replication:pg-1", "replication:pg-2")
	env.chatter(t, "replication:pg-1")
	in, _ := injectStall(t, env, "replication:pg-1", "replication:pg-2")
	seen, err := in.Settle(deadline(t, 30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if seen.Idle {
		t.Error("one of the links has traffic, and the fault is said to have been met by none")
	}
	for _, want := range []string{"replication:pg-1: ", " bytes in, 0 out in ", "replication:pg-2: no traffic, toxic listed, 0 bytes out"} {
		if !strings.Contains(seen.Saw, want) || strings.Contains(seen.Saw, " 0 bytes in") {
			t.Errorf("saw %q, want %q", seen.Saw, want)
		}
	}
	err = in.Recover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if seen, err = in.Recovered(deadline(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{" bytes delivered since", "replication:pg-2: toxic gone, no traffic"} {
		if !strings.Contains(seen.Saw, want) {
			t.Errorf("saw %q, want %q", seen.Saw, want)
		}
	}
}

func injectStall(t *testing.T, env sut.Environment, links ...string) (chaos.Injection, chaos.Undo) {
	t.Helper()
	sel := sut.Selection{Ref: "link:replication"}
	for _, l := range links {
		sel.Links = append(sel.Links, sut.Link{Name: l})
	}
	f, err := kind(t, kindStall).New(env, nil, chaos.Params{Target: sel})
	if err != nil {
		t.Fatal(err)
	}
	undo, err := f.Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in, err := f.Inject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return in, undo
}

// TestStallsOverlap ends the first of two stalls of a link first.
func TestStallsOverlap(t *testing.T) {
	const link = "replication:pg-1"
	env := newLinkEnv(t, link)
	first, _ := injectStall(t, env, link)
	second, _ := injectStall(t, env, link)
	if err := first.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if broken, err := env.broken(link)(t.Context()); !broken || err != nil {
		t.Errorf("broken %t, %v while the second stall is in effect", broken, err)
	}
	if err := second.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	chaostest.Whole(t, env.broken(link))
}

// TestStallProxyGone heals a stall whose proxy has ended, and its toxics with
// it, or has been started again and knows nothing of them.
func TestStallProxyGone(t *testing.T) {
	const link = "replication:pg-1"
	env := newLinkEnv(t, link)
	_, undo := injectStall(t, env, link)
	again := newLinkEnv(t, link)
	if err := kind(t, kindStall).Heal(t.Context(), again, undo); err != nil {
		t.Errorf("heal through a new proxy: %v", err)
	}
	env.process.Process.Kill()
	env.process.Wait()
	if err := kind(t, kindStall).Heal(t.Context(), env, undo); err != nil {
		t.Errorf("heal through a proxy that has ended: %v", err)
	}
}

// fakeLinks is an environment of links whose control interface misbehaves.
type fakeLinks struct {
	plain

	url string

	mu       sync.Mutex
	requests []string
}

// newFakeLinks answers each request with the status that answer gives for
// "METHOD LINK REST", or 200.
func newFakeLinks(t *testing.T, answer func(request string) int) *fakeLinks {
	t.Helper()
	f := &fakeLinks{}
	mux := http.NewServeMux()
	mux.HandleFunc("/links/{link}/{rest...}", func(w http.ResponseWriter, r *http.Request) {
		request := r.Method + " " + r.PathValue("link") + " " + r.PathValue("rest")
		if i := strings.Index(request, "proofload-"); i >= 0 { // the id differs
			request = request[:i] + request[i+len("proofload-01234567"):]
		}
		var body map[string]any
		if r.Method == http.MethodPatch && json.NewDecoder(r.Body).Decode(&body) == nil {
			request += fmt.Sprint(" ", body["enabled"])
		}
		f.mu.Lock()
		f.requests = append(f.requests, request)
		f.mu.Unlock()
		status := answer(request)
		if status == 0 {
			status = http.StatusOK
		}
		w.WriteHeader(status)
		switch {
		case r.Method == http.MethodGet && strings.HasSuffix(request, "/toxics"):
			fmt.Fprint(w, `[]`)
		case r.Method == http.MethodGet:
			fmt.Fprint(w, `{"enabled": true}`)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// LinkControl implements [sut.LinkController].
func (f *fakeLinks) LinkControl(link string) (string, bool) { return f.url + "/links/" + link, true }

// sent returns the requests that begin so, in their order.
func (f *fakeLinks) sent(prefix string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []string
	for _, r := range f.requests {
		if strings.HasPrefix(r, prefix) {
			list = append(list, r)
		}
	}
	return list
}

// TestStallLadder has a proxy that cannot remove a toxic before the link is
// closed.
func TestStallLadder(t *testing.T) {
	var env *fakeLinks
	env = newFakeLinks(t, func(request string) int {
		if strings.HasPrefix(request, "DELETE") && len(env.sent("PATCH")) == 0 {
			return http.StatusServiceUnavailable
		}
		return 0
	})
	in, _ := injectStall(t, env, "a")
	if err := in.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"PATCH a proxies/link false", "PATCH a proxies/link true"}
	if diff := cmp.Diff(want, env.sent("PATCH")); diff != "" {
		t.Errorf("closing and opening (-want +got):\n%s", diff)
	}
	if n := len(env.sent("DELETE a ")); n != 4 {
		t.Errorf("%d attempts to remove, want 2 for each direction", n)
	}
}

// TestStallLadderEndsWhereNobodyAnswers has a proxy that stands still: what it is
// asked then it does when it goes on, so that it must not be asked to close.
func TestStallLadderEndsWhereNobodyAnswers(t *testing.T) {
	deaf := false
	env := newFakeLinks(t, func(string) int {
		if deaf {
			return http.StatusServiceUnavailable
		}
		return 0
	})
	in, _ := injectStall(t, env, "a")
	deaf = true
	if err := in.Recover(t.Context()); err == nil {
		t.Error("it was recovered")
	}
	if got := env.sent("PATCH"); len(got) != 0 {
		t.Errorf("it was sent %q", got)
	}
}

// TestStallStuck has a proxy that never removes a toxic: the error names the
// link, and the journal keeps the fault with the commands that mend it.
func TestStallStuck(t *testing.T) {
	env := newFakeLinks(t, func(request string) int {
		if strings.HasPrefix(request, "DELETE b ") {
			return http.StatusInternalServerError
		}
		return 0
	})
	_, undo := injectStall(t, env, "a", "b")
	err := kind(t, kindStall).Heal(t.Context(), env, undo)
	if err == nil || !strings.Contains(err.Error(), "link b: DELETE") || strings.Contains(err.Error(), "link a") {
		t.Errorf("heal: %v, want an error about link b only", err)
	}
	if len(undo.Manual) != 4 || !strings.HasPrefix(undo.Manual[0], "curl -X DELETE 'http://127.0.0.1:") {
		t.Errorf("commands %q, want one for each direction of each link", undo.Manual)
	}
}

// TestStallPartial has one of two links refuse: the other is healed at once.
func TestStallPartial(t *testing.T) {
	env := newFakeLinks(t, func(request string) int {
		if strings.HasPrefix(request, "POST b ") {
			return http.StatusInternalServerError
		}
		return 0
	})
	journal, err := chaos.OpenJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close()
	k := kind(t, kindStall)
	sel := sut.Selection{Ref: "link:x", Links: []sut.Link{{Name: "a"}, {Name: "b"}}}
	f, err := k.New(env, nil, chaos.Params{Target: sel})
	if err != nil {
		t.Fatal(err)
	}
	_, err = chaos.Arm(t.Context(), journal, chaos.NewCatalog([]chaos.Kind{k}), env, f, nil)
	if err == nil || !strings.Contains(err.Error(), "inject stall link:x: link b: POST") {
		t.Errorf("arm: %v, want an error about link b", err)
	}
	if n := len(env.sent("DELETE a proxies/link/toxics/_")); n != 2 {
		t.Errorf("%d toxics removed from link a, want both", n)
	}
	if left := journal.Pending(); len(left) > 0 {
		t.Errorf("pending %v", left)
	}
}

// TestStallNotInEffect checks that a stall is not settled while bytes get
// through.
func TestStallNotInEffect(t *testing.T) {
	const link = "replication:pg-1"
	env := newLinkEnv(t, link)
	env.chatter(t, link)
	in, undo := injectStall(t, env, link)
	if err := kind(t, kindStall).Heal(t.Context(), env, undo); err != nil {
		t.Fatal(err)
	}
	chaostest.NotInEffect(t, in, "no stall is listed")
}

func TestHolding(t *testing.T) {
	at := time.Now()
	after := at.Add
	q := quietness{link: "x", gap: 2}
	q.update(byteCounts{UpstreamIn: 5, UpstreamOut: 5}, at)
	q.update(byteCounts{UpstreamIn: 9, UpstreamOut: 5}, after(100*time.Millisecond))
	if err := holding([]quietness{q}); err == nil {
		t.Error("100 ms of silence are taken for a stall")
	}
	q.update(byteCounts{UpstreamIn: 9, UpstreamOut: 7}, after(180*time.Millisecond)) // delivered
	if q.held != 0 {
		t.Errorf("%d bytes held, want none beside those before the fault", q.held)
	}
	q.update(byteCounts{UpstreamIn: 12, UpstreamOut: 7}, after(300*time.Millisecond))
	if err := holding([]quietness{q}); err == nil {
		t.Error("bytes delivered 120 ms ago are not noticed")
	}
	q.update(byteCounts{UpstreamIn: 12, UpstreamOut: 7}, after(400*time.Millisecond))
	if err := holding([]quietness{q}); err != nil {
		t.Errorf("220 ms of silence while 3 bytes came in: %v", err)
	}
	idle := quietness{link: "y", lasted: 500 * time.Millisecond}
	if err := holding([]quietness{idle}); err == nil {
		t.Error("500 ms without any traffic are taken for a stall")
	}
	if err := holding([]quietness{idle, q}); err != nil {
		t.Errorf("traffic on one link: %v", err)
	}
}
