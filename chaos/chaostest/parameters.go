package chaostest

import (
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// A Given is what somebody writes of a fault, and part of what is said against it
// before anything is touched; empty: nothing is.
type Given struct {
	Kind, Target string
	Values       map[string]string
	Want         string
}

// TestKinds wants of each kind what people are told of it, and that what is given
// is accepted or refused. The system has one node of the role that the kinds act
// on, named as the role is, and a worker.
func TestKinds(t *testing.T, kinds []chaos.Kind, role sut.Role, given []Given) {
	t.Helper()
	for _, k := range kinds {
		if k.About == "" || k.Undone == "" || k.Needs == "" || len(k.Touches) == 0 {
			t.Errorf("%s lacks what it is about, needs, touches, or how it is undone", k.Name)
		}
	}
	catalog := chaos.NewCatalog(kinds)
	topology := sut.Topology{Name: "local", Nodes: []sut.Node{{Name: string(role), Role: role}, {Name: "worker-1", Role: sut.RoleWorker}}}
	for _, g := range given {
		p := chaos.Params{For: time.Minute, Values: g.Values}
		var err error
		if p.Target, err = topology.Select(g.Target); err != nil {
			t.Fatal(err)
		}
		err = catalog[g.Kind].CheckAll(p)
		switch {
		case g.Want == "" && err != nil:
			t.Errorf("%s of %s with %v: %v", g.Kind, g.Target, g.Values, err)
		case g.Want != "" && (err == nil || !strings.Contains(err.Error(), g.Want)):
			t.Errorf("%s of %s with %v: %v, want %q", g.Kind, g.Target, g.Values, err, g.Want)
		}
	}
}
