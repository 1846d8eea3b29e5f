package balancer

import (
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// TestParameters tries what is wrong with parameters and targets at plan time.
func TestParameters(t *testing.T) {
	catalog := chaos.NewCatalog(Kinds())
	topology := sut.Topology{Name: "local", Nodes: []sut.Node{{Name: "lb", Role: sut.RoleBalancer}, {Name: "worker-1", Role: sut.RoleWorker}}}
	for _, tt := range []struct {
		kind, target string
		values       map[string]string
		want         string // part of the error; empty: none
	}{
		{"http-status", "lb", map[string]string{"path": "/v2/transfers", "method": "POST", "share": "20%", "status": "429"}, ""},
		{"http-status", "lb", map[string]string{"status": "418"}, "status=418: want one of 429, 500, 502, 503, 504"},
		{"http-abort", "lb", map[string]string{"path": "v2"}, "path=v2: want a path without a query"},
		{"http-abort", "lb", map[string]string{"path": "/a b"}, "want a path without a query"},
		{"http-delay", "lb", map[string]string{"method": "get"}, "method=get: want one of ANY, GET"},
		{"http-delay", "lb", map[string]string{"delay": "1m"}, "delay=1m: want 1ms to 30s"},
		{"http-delay", "lb", map[string]string{"share": "0.5%"}, "share=0.5%: want whole percents"},
		{"http-delay", "lb", map[string]string{"share": "120%"}, "share=120%"},
		{"backend-down", "lb", map[string]string{"server": "api-1"}, ""},
		{"backend-down", "lb", nil, "the parameter server is missing"},
		{"backend-drain", "lb", map[string]string{"server": "api-1; shutdown"}, "want a name"},
		{"backend-drain", "worker", map[string]string{"server": "api-1"}, "backend-drain acts on lb, and worker-1 is worker"},
	} {
		p := chaos.Params{For: time.Minute, Values: tt.values}
		var err error
		if p.Target, err = topology.Select(tt.target); err != nil {
			t.Fatal(err)
		}
		err = catalog[tt.kind].CheckAll(p)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s of %s with %v: %v", tt.kind, tt.target, tt.values, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s of %s with %v: %v, want %q", tt.kind, tt.target, tt.values, err, tt.want)
		}
	}
}

// TestKindsSayWhatTheyAre wants of each what people are told of it.
func TestKindsSayWhatTheyAre(t *testing.T) {
	for _, k := range Kinds() {
		if k.About == "" || k.Undone == "" || k.Needs == "" || len(k.Touches) == 0 {
			t.Errorf("%s lacks what it is about, needs, touches, or how it is undone", k.Name)
		}
	}
}
