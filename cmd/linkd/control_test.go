package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	toxiclient "github.com/Shopify/toxiproxy/v2/client"
)

func TestAPIErrors(t *testing.T) {
	const toxics = "/proxies/link/toxics"
	tests := []struct {
		name, method, link, path, body string
		status                         int
		says                           string
	}{
		{"unknown link", "GET", "a->z", "/proxies", "", 404, `no link "a->z"`},
		{"unknown proxy", "GET", "a->b", "/proxies/other", "", 404, "proxy not found"},
		{"unknown toxic", "DELETE", "a->b", toxics + "/stall", "", 404, "toxic not found"},
		{"remove guard", "DELETE", "a->b", toxics + "/guard_upstream", "", 403, "stays"},
		{"add guard", "POST", "a->b", toxics, `{"type":"guard"}`, 400, "offers bandwidth, half_open, latency, limit_data, reset_peer, slicer, stall"},
		{"unsafe toxic", "POST", "a->b", toxics, `{"type":"timeout"}`, 400, `no toxic of type "timeout"`},
		{"same toxic twice", "POST", "a->b", toxics, `{"name":"present","type":"stall"}`, 409, "already exists"},
		{"bad JSON", "POST", "a->b", toxics, `{"type":`, 400, "read toxic"},
		{"unknown key", "POST", "a->b", toxics, `{"type":"stall","for":"3s"}`, 400, `unknown field "for"`},
		{"unknown attribute", "POST", "a->b", toxics, `{"type":"latency","attributes":{"delay":3}}`, 400, `unknown field "delay"`},
		{"no latency", "POST", "a->b", toxics, `{"type":"latency"}`, 400, "must be positive"},
		{"no rate", "POST", "a->b", toxics, `{"type":"bandwidth","attributes":{"rate":0}}`, 400, "add a stall"},
		{"no connections", "POST", "a->b", toxics, `{"type":"stall","toxicity":0}`, 400, "share of the connections"},
		{"too many connections", "POST", "a->b", toxics, `{"type":"stall","toxicity":1.5}`, 400, "share of the connections"},
		{"bad distribution", "POST", "a->b", toxics, `{"type":"latency","attributes":{"latency":3,"distribution":"flat"}}`, 400, "uniform, normal and pareto"},
		{"no slices", "POST", "a->b", toxics, `{"type":"slicer","attributes":{"average_size":5,"size_variation":5}}`, 400, "smaller variation"},
		{"no limit", "POST", "a->b", toxics, `{"type":"limit_data"}`, 400, "not positive"},
		{"reset in the past", "POST", "a->b", toxics, `{"type":"reset_peer","attributes":{"timeout":-1}}`, 400, "negative"},
		{"bad stream", "POST", "a->b", toxics, `{"type":"stall","stream":"sideways"}`, 400, "stream was invalid"},
		{"change toxic", "PATCH", "a->b", toxics + "/present", `{"attributes":{}}`, 405, "delete it and add another"},
		{"move link", "PATCH", "a->b", "/proxies/link", `{"listen":":1"}`, 403, `only "enabled"`},
		{"bad upstream", "PATCH", "a->b", "/proxies/link", `{"upstream":"other"}`, 400, "want HOST:PORT"},
		{"delete proxy", "DELETE", "a->b", "/proxies/link", "", 405, "not possible"},
		{"create proxy", "POST", "a->b", "/proxies", `{"name":"x","upstream":"y:1"}`, 403, "linkd serves one proxy"},
		{"reset", "POST", "a->b", "/reset", "", 403, "linkd serves one proxy"},
	}
	d := start(t, map[string]string{"a->b": echo(t)})
	d.must(t, "POST", "a->b", toxics, `{"name":"present","type":"stall","stream":"upstream"}`)
	before := d.must(t, "GET", "a->b", "/proxies/link", "")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := d.do(t, tt.method, tt.link, tt.path, tt.body)
			var answer struct {
				Error  string
				Status int
			}
			if err := json.Unmarshal([]byte(body), &answer); err != nil {
				t.Fatalf("answer %q: %v", body, err)
			}
			if status != tt.status || answer.Status != tt.status || !strings.Contains(answer.Error, tt.says) {
				t.Errorf("status %d, body %s, want %d and %q", status, body, tt.status, tt.says)
			}
		})
	}
	if after := d.must(t, "GET", "a->b", "/proxies/link", ""); after != before {
		t.Errorf("refused requests changed the link:\nbefore %s\nafter  %s", before, after)
	}
}

// TestToxiproxyClient checks that Toxiproxy's own client can use a link.
func TestToxiproxyClient(t *testing.T) {
	d := start(t, map[string]string{"plain": echo(t)})
	c := d.dial(t, "plain")
	proxy, err := toxiclient.NewClient(d.url + "/links/plain").Proxy("link")
	if err != nil {
		t.Fatal(err)
	}
	_, err = proxy.AddToxic("hold", "stall", "upstream", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "held")
	silent(t, c)
	toxics, err := proxy.Toxics()
	if err != nil || len(toxics) != 3 {
		t.Errorf("toxics %v, %v, want two guards and the stall", toxics, err)
	}
	if err := proxy.RemoveToxic("hold"); err != nil {
		t.Fatal(err)
	}
	expect(t, c, "held")
	if err := proxy.Disable(); err != nil {
		t.Error(err)
	}
	if err := proxy.Enable(); err != nil {
		t.Error(err)
	}
}

func TestParseConfig(t *testing.T) {
	tests := []struct {
		name, data string
		want       []string // in the error; none: valid
	}{
		{name: "valid", data: `{"links":[{"name":"a->b","listen":":7001","upstream":"b:1"}]}`},
		{"empty", `{}`, []string{"no links"}},
		{"not JSON", "{\n\"links\": [\n}", []string{"line 3"}},
		{"unknown key", `{"links":[{"nam":"x"}]}`, []string{`unknown field "nam"`}},
		{"two bad entries", `{"links":[
			{"name":"a->b","listen":":7001","upstream":"b"},
			{"name":"a->b","listen":":7001","upstream":":5"},
			{"listen":":99999","upstream":"b:0"}]}`, []string{
			`links[0] "a->b": upstream "b": want HOST:PORT`,
			`links[1] "a->b": links[0] has the same name`,
			`links[1] "a->b": links[0] listens on :7001 too`,
			`links[1] "a->b": upstream ":5": host is missing`,
			`links[2] "": name is missing`,
			`links[2] "": listen ":99999": port "99999" is not`,
			`links[2] "": upstream "b:0": port is 0`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseConfig([]byte(tt.data))
			if (err == nil) != (len(tt.want) == 0) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

// TestRun starts the command as the container does and stops it.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "links.json")
	entry := `{"links":[{"name":"a->b","listen":"127.0.0.1:0","upstream":"` + echo(t) + `"}]}`
	if err := os.WriteFile(file, []byte(entry), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var log lockedBuffer
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"-config", file, "-control", "127.0.0.1:0"}, &log) }()
	var address string
	wait(t, "control listens", func() bool {
		for line := range strings.Lines(log.String()) {
			var record struct{ Msg, Address string }
			if json.Unmarshal([]byte(line), &record) == nil && record.Msg == "control listens" {
				address = record.Address
			}
		}
		return address != ""
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/healthz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), `"links":1`) {
		t.Errorf("health: %s %s", resp.Status, body)
	}
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("did not stop")
	}
}

func TestRunErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "links.json")
	if err := os.WriteFile(file, []byte(`{"links":[{"name":"a","listen":"nowhere.invalid:1","upstream":"b:2"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "usage"},
		{[]string{"-config", "missing.json"}, "missing.json"},
		{[]string{"-config", file}, `links.json: links[0]: link "a"`},
	} {
		err := run(t.Context(), tt.args, io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("run %q: %v, want %q", tt.args, err, tt.want)
		}
	}
}

// A lockedBuffer may be written and read at the same time.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
