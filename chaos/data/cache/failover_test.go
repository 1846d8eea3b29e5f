package cache

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// two are a pair of Redis as its nodes and the link of a client show it.
type two struct {
	follows  map[string]string // HOST PORT by node; empty for a master
	down     string            // a node
	underWay bool              // the failover of the first, which ends while it is waited for
	upstream string
	link     *httptest.Server
	did      []string
}

func newTwo(t *testing.T, first, second, upstream string) *two {
	t.Helper()
	w := &two{follows: map[string]string{"redis": first, "redis-2": second}, upstream: upstream}
	w.link = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		proxy := struct {
			Upstream string `json:"upstream"`
		}{w.upstream}
		if r.Method == http.MethodPatch {
			if err := json.NewDecoder(r.Body).Decode(&proxy); err != nil {
				t.Error(err)
			}
			w.upstream = proxy.Upstream
			w.did = append(w.did, "the link leads to "+proxy.Upstream)
		}
		if err := json.NewEncoder(out).Encode(proxy); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(w.link.Close)
	return w
}

func (w *two) Topology() sut.Topology {
	return sut.Topology{
		Name:  "two",
		Nodes: []sut.Node{{Name: "redis", Role: sut.RoleCache}, {Name: "redis-2", Role: sut.RoleCache}},
		Links: []sut.Link{{Name: "app->redis", From: "app", To: "redis", Carries: sut.TrafficCache}},
	}
}
func (*two) Endpoint(string) (string, bool)      { return "", false }
func (*two) Close(context.Context) error         { return nil }
func (w *two) LinkControl(string) (string, bool) { return w.link.URL, true }
func (*two) Kill(context.Context, string) error  { return nil }
func (*two) Start(context.Context, string) error { return nil }
func (w *two) State(_ context.Context, node string) (sut.State, error) {
	if node == w.down {
		return sut.Down, nil
	}
	return sut.Running, nil
}

// NodeExec carries out the last command of a script.
func (w *two) NodeExec(_ context.Context, node string, _ []string, argv ...string) (string, error) {
	if node == w.down {
		return "", fmt.Errorf("%s is down", node)
	}
	script := argv[len(argv)-1]
	other := map[string]string{"redis": "redis-2", "redis-2": "redis"}[node]
	if strings.Contains(script, "master_failover_state") {
		if w.underWay {
			w.underWay, w.follows["redis"], w.follows["redis-2"] = false, "10.0.0.2 6379", ""
		}
		return "", nil
	}
	if strings.Contains(script, "cli failover") {
		w.did = append(w.did, node+" hands over")
		w.follows[node], w.follows[other] = "10.0.0.1 6379", ""
		return "", nil
	}
	if _, command, ok := strings.Cut(script, "cli replicaof "); ok {
		master, _, _ := strings.Cut(command, " ||")
		w.did = append(w.did, node+" follows "+master)
		if w.follows[node] = master; master == "no one" {
			w.follows[node] = ""
		}
		return "", nil
	}
	if w.follows[node] == "" {
		return "role=master\nconnected_slaves=1\n", nil
	}
	host, port, _ := strings.Cut(w.follows[node], " ")
	return "role=slave\nmaster_link_status=up\nmaster_host=" + host + "\nmaster_port=" + port + "\n", nil
}

// TestFailoverIsUndone begins with what there may be when a failover is undone,
// and ends with the roles that there were, in both of two attempts.
func TestFailoverIsUndone(t *testing.T) {
	const before, after = "redis:6379", "redis-2:6379"
	tests := []struct {
		name, first, second, down, upstream string
		underWay                            bool
		want                                []string
	}{
		{
			name: "it is under way", second: "redis 6379", underWay: true, upstream: before,
			want: []string{"redis-2 hands over", "redis-2 follows redis 6379"},
		},
		{name: "nothing was done", second: "redis 6379", upstream: before},
		{
			name: "all was done", first: "10.0.0.2 6379", upstream: after,
			want: []string{"redis-2 hands over", "redis-2 follows redis 6379", "the link leads to " + before},
		},
		{
			name: "the links were not led yet", first: "10.0.0.2 6379", upstream: before,
			want: []string{"redis-2 hands over", "redis-2 follows redis 6379"},
		},
		{
			name: "the master was restarted", upstream: after,
			want: []string{"redis follows redis-2 6379", "redis-2 hands over", "redis-2 follows redis 6379", "the link leads to " + before},
		},
		{
			name: "the replica was restarted", first: "10.0.0.2 6379", second: "redis 6379", upstream: after,
			want: []string{"redis follows no one", "the link leads to " + before},
		},
		{
			name: "the master is down", first: "10.0.0.2 6379", down: "redis", upstream: after,
			want: []string{"redis-2 follows redis 6379", "the link leads to " + before},
		},
		{
			name: "the replica is down", first: "10.0.0.2 6379", down: "redis-2", upstream: after,
			want: []string{"redis follows no one", "the link leads to " + before},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newTwo(t, tt.first, tt.second, tt.upstream)
			w.down, w.underWay = tt.down, tt.underWay
			undo := chaos.Undo{Kind: kindFailover, Data: json.RawMessage(`{"master":"redis","replica":"redis-2","follows":"redis 6379",
				"to":"redis-2:6379","links":{"app->redis":"redis:6379"}}`)}
			for range 2 {
				if err := failover().Heal(t.Context(), w, undo); err != nil {
					t.Fatal(err)
				}
			}
			if w.down != "" {
				w.did = w.did[:len(tt.want)] // what is told twice changes nothing
			}
			if diff := cmp.Diff(tt.want, w.did); diff != "" {
				t.Errorf("done (-want +got):\n%s", diff)
			}
			if w.upstream != before {
				t.Errorf("the link leads to %s", w.upstream)
			}
		})
	}
}

// TestFailoverWantsAPair refuses what has no replica that could take over.
func TestFailoverWantsAPair(t *testing.T) {
	const refused = 2 * time.Second // what is refused is looked at until its time is over
	for name, tt := range map[string]struct {
		target, first, second, want string
		within                      time.Duration
	}{
		"a pair":      {"redis", "", "redis 6379", "", time.Minute},
		"the replica": {"redis-2", "", "redis 6379", "redis-2 is not the master", refused},
		"two masters": {"redis", "", "", "no node follows redis", refused},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTwo(t, tt.first, tt.second, "redis:6379")
			target, err := w.Topology().Select(tt.target)
			if err != nil {
				t.Fatal(err)
			}
			fault, err := failover().New(w, chaos.NewTargets(w), chaos.Params{Target: target})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), tt.within)
			defer cancel()
			undo, err := fault.Prepare(ctx)
			switch {
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("Prepare: %v, want %q", err, tt.want)
			case tt.want == "" && (err != nil || undo.Target != "redis,redis-2" || len(undo.Manual) != 3):
				t.Errorf("Prepare: %+v, %v", undo, err)
			}
			if len(w.did) > 0 {
				t.Errorf("preparing did %q", w.did)
			}
		})
	}
}
