package cache

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
	topology := sut.Topology{Name: "local", Nodes: []sut.Node{{Name: "redis", Role: sut.RoleCache}, {Name: "worker-1", Role: sut.RoleWorker}}}
	for _, tt := range []struct {
		kind, target string
		values       map[string]string
		want         string // part of the error; empty: none
	}{
		{"redis-flush", "redis", nil, ""},
		{"redis-flush", "redis", map[string]string{"every": "10ms"}, "every=10ms: want 100ms to 5s"},
		{"redis-slow", "redis", map[string]string{"delay": "1m"}, "delay=1m: want 10ms to 2s"},
		{"redis-evict", "redis", map[string]string{"size": "1GiB"}, "size=1GiB: want 64 MiB at most"},
		{"redis-evict", "redis", map[string]string{"size": "64MiB"}, ""},
		{"redis-oom", "worker", nil, "redis-oom acts on redis, and worker-1 is worker"},
		{"redis-oom", "redis", map[string]string{"size": "1MiB"}, `redis-oom has no parameter "size"`},
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
