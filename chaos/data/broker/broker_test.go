package broker

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
	topology := sut.Topology{Name: "local", Nodes: []sut.Node{{Name: "rabbitmq", Role: sut.RoleBroker}, {Name: "worker-1", Role: sut.RoleWorker}}}
	for _, tt := range []struct {
		kind, target string
		values       map[string]string
		want         string // part of the error; empty: none
	}{
		{"rabbit-unbind", "rabbitmq", map[string]string{"queue": "ledger.settlement"}, ""},
		{"rabbit-unbind", "rabbitmq", nil, "the parameter queue is missing"},
		{"rabbit-unbind", "rabbitmq", map[string]string{"queue": `a"; halt().`}, "want letters, digits"},
		{"rabbit-deny", "rabbitmq", map[string]string{"user": "$(reboot)"}, "want letters, digits"},
		{"rabbit-poison", "rabbitmq", map[string]string{"queue": "q", "every": "1ms"}, "every=1ms: want 10ms to 5s"},
		{"rabbit-flood", "rabbitmq", map[string]string{"messages": "1000000"}, "messages=1000000: want 100000 at most"},
		{"rabbit-flood", "rabbitmq", map[string]string{"messages": "100000", "size": "1MiB"}, "100000 messages of 1MiB are 100000 MiB: want 1024 MiB at most"},
		{"rabbit-stop-app", "worker", nil, "rabbit-stop-app acts on rabbitmq, and worker-1 is worker"},
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
