package netfault

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
)

// stockFaults are the faults that a stock Toxiproxy server can carry out and a
// probe can see.
func stockFaults() []struct {
	kind   string
	values map[string]string
} {
	list := linkFaults()[:0:0]
	for _, tt := range linkFaults() {
		if tt.kind != kindHalfOpen && tt.values["distribution"] != "normal" {
			list = append(list, tt)
		}
	}
	list = append(list, list[len(list)-1])
	list[len(list)-1].kind, list[len(list)-1].values = kindStall, nil
	return list
}

// webServer is what links of a system that somebody else runs lead to.
func webServer(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// TestStockIsProbed sees what a stock Toxiproxy server does by a client of its
// own, beside one that goes past it.
func TestStockIsProbed(t *testing.T) {
	for _, tt := range stockFaults() {
		t.Run(tt.kind+tt.values["direction"], func(t *testing.T) {
			t.Parallel()
			env := newStockEnvTo(t, webServer(t))
			in, _ := inject(t, env, kind(t, tt.kind), chaos.Params{Target: env.selection(testLink), Values: tt.values})
			seen, err := in.Settle(deadline(t, 30*time.Second))
			if err != nil || seen.By != probeMeans || !strings.Contains(seen.Saw, "without the toxic") {
				t.Errorf("seen %+v, %v", seen, err)
			}
			err = in.Recover(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if seen, err = in.Recovered(deadline(t, 30*time.Second)); err != nil || !strings.Contains(seen.Saw, "a probe was answered") {
				t.Errorf("recovered: %+v, %v", seen, err)
			}
		})
	}
}

// lie puts a server before the control interface of the environment that lists
// what it is told, and does none of it.
func (e *stockEnv) lie(t *testing.T) {
	t.Helper()
	honest, err := url.Parse(e.url)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	toxics, enabled := []toxicInfo{}, true
	mux := http.NewServeMux()
	mux.Handle("/", httputil.NewSingleHostReverseProxy(honest))
	mux.HandleFunc("/proxies/pg/toxics", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPost {
			var told toxicInfo
			if err := json.NewDecoder(r.Body).Decode(&told); err != nil {
				t.Error(err)
			}
			toxics = append(toxics, told)
		}
		json.NewEncoder(w).Encode(toxics)
	})
	mux.HandleFunc("/proxies/pg", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPatch {
			enabled = !enabled
		}
		link := e.ports[testLink]
		json.NewEncoder(w).Encode(map[string]any{"enabled": enabled, "listen": link, "upstream": link})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	e.url = server.URL
}

// TestStockIsNotBelieved has a server that lists each toxic, and lets everything
// pass as before: none of them is taken for a fault in effect.
func TestStockIsNotBelieved(t *testing.T) {
	for _, tt := range stockFaults() {
		t.Run(tt.kind+tt.values["direction"], func(t *testing.T) {
			t.Parallel()
			env := newStockEnvTo(t, webServer(t))
			env.lie(t)
			in, _ := inject(t, env, kind(t, tt.kind), chaos.Params{Target: env.selection(testLink), Values: tt.values})
			chaostest.NotInEffect(t, in, "a probe does not see the toxic")
		})
	}
}

// TestStockUnseen has toxics that no probe can see, and a server that does not
// answer one: neither is taken for a fault in effect.
func TestStockUnseen(t *testing.T) {
	for _, tt := range []struct {
		name, kind string
		values     map[string]string
		upstream   func(t *testing.T) string
		want       string
	}{
		{"too fast", kindBandwidth, map[string]string{"rate": "1GiB"}, webServer, "would not meet this toxic"},
		{"too far", kindLimit, map[string]string{"bytes": "1000000"}, webServer, "would not meet this toxic"},
		{"nobody there", kindLatency, map[string]string{"delay": "50ms"}, func(*testing.T) string { return "127.0.0.1:1" }, "not answered before the fault either"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := newStockEnvTo(t, tt.upstream(t))
			in, _ := inject(t, env, kind(t, tt.kind), chaos.Params{Target: env.selection(testLink), Values: tt.values})
			chaostest.NotInEffect(t, in, tt.want)
			if err := in.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
			if seen, err := in.Recovered(deadline(t, time.Minute)); err != nil {
				t.Errorf("recovered: %+v, %v", seen, err)
			}
		})
	}
}
