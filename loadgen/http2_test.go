package loadgen

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	h2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/proofload/proofload/reports/history"
)

// TestNoHiddenRetriesOnHTTP2 has a server take in each request and then, for
// every second one, do what invites a client to repeat it. The server must see
// each request at most once, and whatever it did not answer must be seen by
// the client.
func TestNoHiddenRetriesOnHTTP2(t *testing.T) {
	for _, end := range []string{"refuse", "go away", "close"} {
		for _, tt := range []struct{ method, body string }{{http.MethodGet, ""}, {http.MethodPut, "{}"}, {http.MethodDelete, ""}} {
			t.Run(end+" "+tt.method, func(t *testing.T) {
				s := &rawHTTP2{end: end, received: map[string]int{}}
				url := serve(t, s.serve)
				const n = 60
				w := &ops{next: func(seq uint64) Operation {
					id := strconv.FormatUint(seq, 10)
					return Operation{
						Op: "write", Write: true, ID: id, Method: tt.method, Path: "/" + id, Body: []byte(tt.body),
						Header: http.Header{"Idempotency-Key": {id}},
					}
				}}
				events, _ := driveWith(t, url, n, w, func(c *Config) { c.Protocol = H2C })
				var ok, lost, unsent int
				for _, e := range events {
					switch {
					case e.Kind == history.Invoke:
					case e.Kind == history.OK:
						ok++
					case e.Kind == history.Info && (e.Class == ClassReset || e.Class == ClassEOF):
						lost++
					case e.Kind == history.Fail && e.Class == ClassNotSent:
						unsent++
					default:
						t.Errorf("operation %s ended as %s %q", e.ID, e.Kind, e.Class)
					}
				}
				s.mu.Lock()
				defer s.mu.Unlock()
				for path, count := range s.received {
					if count != 1 {
						t.Errorf("the server received %s %d times", path, count)
					}
				}
				// An answer can be lost on its way, together with the connection.
				if ok > s.answered || ok+lost+unsent != n || len(s.received) > ok+lost || s.killed == 0 || lost < s.killed {
					t.Errorf("%d ok, %d lost, %d not sent of %d; the server received %d, answered %d and killed %d",
						ok, lost, unsent, n, len(s.received), s.answered, s.killed)
				}
			})
		}
	}
}

// rawHTTP2 is a server of HTTP/2 that answers every first request, and ends
// every second one in its own way once it has taken it in.
type rawHTTP2 struct {
	end string

	mu               sync.Mutex
	requests         int
	received         map[string]int
	answered, killed int
}

func (s *rawHTTP2) serve(conn net.Conn) {
	if _, err := io.ReadFull(conn, make([]byte, len(h2.ClientPreface))); err != nil {
		return
	}
	f := h2.NewFramer(conn, conn)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = f.WriteSettings()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *h2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *h2.MetaHeadersFrame:
			s.mu.Lock()
			s.received[frame.PseudoValue("path")]++
			s.mu.Unlock()
			if frame.StreamEnded() && !s.finish(f, frame.StreamID) {
				return
			}
		case *h2.DataFrame:
			if frame.StreamEnded() && !s.finish(f, frame.StreamID) {
				return
			}
		}
	}
}

// finish answers a request or not. It reports whether the connection goes on.
func (s *rawHTTP2) finish(f *h2.Framer, stream uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if s.requests%2 == 1 {
		s.answered++
		var head bytes.Buffer
		_ = hpack.NewEncoder(&head).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
		return f.WriteHeaders(h2.HeadersFrameParam{StreamID: stream, BlockFragment: head.Bytes(), EndStream: true, EndHeaders: true}) == nil
	}
	s.killed++
	switch s.end {
	case "refuse":
		return f.WriteRSTStream(stream, h2.ErrCodeRefusedStream) == nil
	case "go away":
		_ = f.WriteGoAway(0, h2.ErrCodeNo, nil)
	}
	return false
}

// TestHTTP2 checks that load reaches a server by HTTP/2 over one connection,
// and by nothing less where it is asked for.
func TestHTTP2(t *testing.T) {
	var mu sync.Mutex
	protocols := map[string]int{}
	remotes := map[string]bool{}
	s := newTLSServer(t, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		protocols[r.Proto+" "+r.Method]++
		remotes[r.RemoteAddr] = true
	})
	s.EnableHTTP2 = true
	s.StartTLS()
	secure := func(c *Config) {
		c.Protocol, c.TLS, c.Connections = HTTP2, s.Client().Transport.(*http.Transport).TLSClientConfig.Clone(), ConnectionsPerHost(1)
	}
	events, stats := driveWith(t, s.URL, 50, &ops{next: reads}, secure)
	mu.Lock()
	defer mu.Unlock()
	if stats.Completed != 50 || len(remotes) != 1 || protocols["HTTP/2.0 GET"] != 50 {
		t.Errorf("%d completed over %d connections as %v; want 50 over 1 as HTTP/2.0", stats.Completed, len(remotes), protocols)
	}
	made := 0
	for _, e := range events {
		if e.Connect > 0 && e.TLS > 0 {
			made++
		}
		if e.FirstByte < 0 || e.FirstByte > time.Minute {
			t.Errorf("first byte after %v", e.FirstByte)
		}
	}
	if made != 1 {
		t.Errorf("%d operations made a connection, want 1", made)
	}
}

func TestHTTP2IsNotNegotiatedAway(t *testing.T) {
	s := newTLSServer(t, func(http.ResponseWriter, *http.Request) {})
	s.StartTLS() // HTTP/1.1 alone
	c := Config{BaseURL: s.URL, Protocol: HTTP2, TLS: s.Client().Transport.(*http.Transport).TLSClientConfig, Timeouts: long()}
	if e := sendOne(t, c, reads(0)); e.Kind != history.Fail || e.Class != ClassTLS {
		t.Errorf("operation ended as %s %q, want %s %q", e.Kind, e.Class, history.Fail, ClassTLS)
	}
	rec, err := history.NewRecorder(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	for url, protocol := range map[string]Protocol{"http://127.0.0.1": HTTP2, "https://127.0.0.1": H2C, "http://127.0.0.2": "spdy"} {
		if _, err := Drive(t.Context(), Config{BaseURL: url, Protocol: protocol, Workload: &ops{next: reads}, Recorder: rec}); err == nil {
			t.Errorf("Drive of %s by %s succeeded", url, protocol)
		}
	}
}

// long are timeouts that no busy machine reaches.
func long() Timeouts { return Timeouts{Dial: time.Minute, TLS: time.Minute, Total: time.Minute} }

func ExampleConnections_String() {
	fmt.Println(Reuse(), FreshConnections(), ConnectionsPerHost(3))
	// Output: reuse new 3 per host
}
