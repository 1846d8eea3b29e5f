package httpload

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
)

// feeds is a system that keeps connections open.
func feeds(t *testing.T) *httptest.Server {
	t.Helper()
	flush := func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }
	mux := http.NewServeMux()
	mux.HandleFunc("GET /prices", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, ": hello\nevent: price\r\ndata: {\"n\":\ndata: 1}\n\nid: 7\n\n")
		flush(w)
		_, _ = io.WriteString(w, "data:{\"n\": 2}\n\n")
		flush(w)
		<-r.Context().Done()
	})
	mux.HandleFunc("GET /short", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		_, _ = io.WriteString(w, "data: only\n\n")
	})
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<html>data: only\n\n")
	})
	mux.HandleFunc("GET /silent", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		flush(w)
		<-r.Context().Done()
	})
	mux.HandleFunc("GET /forbidden", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	mux.HandleFunc("GET /chat", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			_, data, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if string(data) == "bye" {
				_ = c.Close(websocket.StatusGoingAway, "")
				return
			}
			if c.Write(r.Context(), websocket.MessageText, []byte("echo "+string(data))) != nil {
				return
			}
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server
}

// driven drives each request of a file a few times against a server, and counts
// how its operations ended.
func driven(t *testing.T, base, text string) map[string]int {
	t.Helper()
	w, err := New(t.Context(), parseText(t, text), Config{Seed: 1, BaseURL: base})
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
	n := map[string]int{}
	defer rec.Tap(func(e *history.Event) {
		mu.Lock()
		defer mu.Unlock()
		n[strings.TrimSpace(fmt.Sprint(e.Op, " ", e.Kind, " ", e.Status, " ", e.Class))]++
	})()
	_, err = loadgen.Drive(t.Context(), loadgen.Config{
		BaseURL: base, Drill: 1, Workload: w, Recorder: rec,
		Timeouts: loadgen.Timeouts{Dial: time.Minute, Total: time.Minute},
		Phases:   []loadgen.Phase{{Name: "p", For: 10 * time.Millisecond, From: 300, To: 300}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestChannels(t *testing.T) {
	base := feeds(t).URL
	for _, tc := range []struct {
		name, request string
		want          []string // three times each
	}{
		{"stream", `stream: /prices, expect: {json: {$.n: 1}}`, []string{"x ok 200"}},
		{"more events", `stream: /prices, events: 2, expect: {body: "2}"}, hold: 20ms`, []string{"x ok 200", "x-held ok 200"}},
		{"wrong event", `stream: /prices, expect: {json: {$.n: 7}}, hold: 20ms`, []string{"x fail 200 bad_body"}},
		{"too few events", `stream: /short, events: 2`, []string{"x fail 0 eof"}},
		{"broken while it is held", `stream: /short, hold: 10h`, []string{"x ok 200", "x-held fail 0 eof"}},
		{"no event", `stream: /silent, expect: {within: 30ms}`, []string{"x fail 0 timeout"}},
		{"no stream", `stream: /page`, []string{"x fail 0 other"}},
		{"wrong message", `socket: /chat, send: [a], expect: {body: b}`, []string{"x fail 101 bad_body"}},
		{"refused", `stream: /forbidden, hold: 1s`, []string{"x fail 403 status_4xx"}},
		{"socket", `socket: /chat, send: ["a ${seq}", {b: "${seq}"}], events: 2, expect: {body: "/^echo a \\d\necho ..b.:\\d.$/"}, hold: 20ms`, []string{"x ok 101", "x-held ok 200"}},
		{"socket that is closed", `socket: /chat, send: [a, bye], hold: 10h`, []string{"x ok 101", "x-held fail 0 eof"}},
		{"event over the limit", `stream: /prices, max_body: 8B`, []string{"x fail 0 too_large"}},
		{"message over the limit", `socket: /chat, send: [a long story], max_body: 8B`, []string{"x fail 0 too_large"}},
		{"socket refused", `socket: /forbidden`, []string{"x fail 403 status_4xx"}},
		{"no socket", `socket: /short`, []string{"x fail 200 bad_body"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := map[string]int{}
			for _, w := range tc.want {
				want[w] = 3
			}
			got := driven(t, base, "requests: [{name: x, "+tc.request+"}]")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("operations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadEvents(t *testing.T) {
	for _, tc := range []struct {
		body string
		want []string
		err  error
	}{
		{"data: a\n\ndata: b\r\n\r\ndata: c\r\rdata: d", []string{"a", "b", "c"}, io.EOF},
		{"data\n\n" + "data:\n" + "data:  x\n\n" + ":c\n\nretry: 1\n\n", []string{"", "\n x"}, io.EOF},
		{"data: " + strings.Repeat("x", 200), nil, errEvent},
		{strings.Repeat("data: xxxxxxxxx\n", 20), nil, errEvent},
		{"", nil, io.EOF},
	} {
		var got []string
		err := readEvents(strings.NewReader(tc.body), 100, func(e string) { got = append(got, e) })
		if !slices.Equal(got, tc.want) || !errors.Is(err, tc.err) {
			t.Errorf("%.20q: %q, %v; want %q, %v", tc.body, got, err, tc.want, tc.err)
		}
	}
}

// FuzzReadEvents checks that no stream makes the reader panic or go on for ever.
func FuzzReadEvents(f *testing.F) {
	f.Add("data: a\r\n\r\nevent: b\n\n", int64(10))
	f.Fuzz(func(t *testing.T, body string, limit int64) {
		limit = 1 + (limit&0x7fffffff)%1000
		err := readEvents(strings.NewReader(body), limit, func(e string) {
			if int64(len(e)) > 2*limit+int64(strings.Count(e, "\n"))+1 {
				t.Errorf("an event of %d bytes, the limit is %d", len(e), limit)
			}
		})
		if err == nil {
			t.Error("the end of a stream is no error")
		}
	})
}
