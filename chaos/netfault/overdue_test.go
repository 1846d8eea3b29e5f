package netfault

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
)

// TestLinkFaultWithoutEffect has a link that lists its toxic and has delayed data
// once: what comes through at once, for long, is not delayed any more.
func TestLinkFaultWithoutEffect(t *testing.T) {
	counts := byteCounts{}
	mux := http.NewServeMux()
	answer := func(path string, say func() any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(say()) })
	}
	data := stallData{ID: "x"}
	answer("/counters", func() any { return counts })
	answer("/proxies/link/toxics", func() any {
		return []toxicInfo{{Name: data.toxic("upstream"), Stream: "upstream"}, {Name: data.toxic("downstream"), Stream: "downstream"}}
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	for share, fails := range map[string]bool{"100%": true, "50%": false} {
		counts = byteCounts{}
		in := &linkInjection{
			linkFault: linkFault{kind: latencyKind(), data: data, params: chaos.Params{Values: map[string]string{"delay": "100ms", "connections": share}}},
			links:     []control{{link: "a->b", base: server.URL}}, last: make([]lastSeen, 1), called: time.Now().Add(-time.Minute),
		}
		step := func(pieces int64, waited, ago time.Duration, want string) {
			t.Helper()
			counts.UpstreamIn, counts.UpstreamOut = counts.UpstreamIn+10*pieces, counts.UpstreamOut+10*pieces
			counts.UpstreamPieces, counts.UpstreamWaited = counts.UpstreamPieces+pieces, counts.UpstreamWaited+waited.Microseconds()
			if ago > 0 {
				in.last[0].at = time.Now().Add(-ago)
			}
			seen, err := in.Settle(deadline(t, 200*time.Millisecond))
			if err != nil && !strings.Contains(err.Error(), want) || err == nil && !strings.Contains(seen.Saw, want) {
				t.Errorf("%s: seen %+v, %v, want %q", share, seen, err, want)
			}
		}
		step(10, time.Second, 0, "pieces waited 100ms")
		if !fails { // a part is delayed, and who is may have fallen silent
			step(5, 0, time.Hour, "pieces waited")
			continue
		}
		step(0, 0, 0, "no traffic, toxic listed")
		step(5, 0, 0, "toxic listed, 50 bytes in since")
		step(0, 0, unseenTime+time.Second, "no effect was seen on 50 bytes in")
		step(5, time.Second, 0, "10 pieces waited 100ms")
	}
}
