package chaos

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/sut"
)

// TestAllowsBeside refuses before the run what a permit would refuse for certain.
func TestAllowsBeside(t *testing.T) {
	topo := sut.Topology{Nodes: []sut.Node{
		{Name: "pg-1", Role: sut.RoleDatabase},
		{Name: "pg-2", Role: sut.RoleDatabase},
		{Name: "pg-3", Role: sut.RoleDatabase},
		{Name: "redis", Role: sut.RoleCache},
	}}
	databases := topo.ByRole(sut.RoleDatabase)
	node := func(i int) sut.Selection { return sut.Selection{Ref: databases[i].Name, Nodes: databases[i : i+1]} }
	member := func(m string, index int) sut.Selection {
		return sut.Selection{Ref: "postgres." + m, Nodes: databases, Member: m, Index: index}
	}
	link := sut.Selection{Ref: "link", Links: []sut.Link{{Name: "pg-2->etcd", From: "pg-2", To: "etcd"}}}
	quorum := Policy{Quorum: []sut.Role{sut.RoleDatabase}}
	for _, tt := range []struct {
		name   string
		policy Policy
		others []sut.Selection
		next   sut.Selection
		want   string
	}{
		{"anything", Policy{}, []sut.Selection{node(0), node(1)}, node(2), ""},
		{"one of three", quorum, nil, node(0), ""},
		{"two of three", quorum, []sut.Selection{node(0)}, node(1), "kill pg-2: the target does not allow it: of postgres 2 of 3 nodes would be broken"},
		{"the same twice", quorum, []sut.Selection{node(1)}, link, ""},
		{"a node, and a link of another", quorum, []sut.Selection{node(0)}, link, "2 of 3 nodes"},
		{"a link of some member", quorum, []sut.Selection{node(0)}, sut.Selection{Ref: "link", Links: link.Links, Member: sut.MemberPrimary}, ""},
		{"all of the role", quorum, nil, sut.Selection{Ref: "postgres", Nodes: databases}, "3 of 3 nodes"},
		{"all replicas", quorum, nil, member(sut.MemberReplica, 0), "2 of 3 nodes"},
		{"a replica", quorum, nil, member(sut.MemberReplica, 1), ""},
		{"perhaps the same", quorum, []sut.Selection{node(0)}, member(sut.MemberPrimary, 0), ""},
		{"another role", quorum, []sut.Selection{node(0)}, sut.Selection{Ref: "redis", Nodes: topo.ByRole(sut.RoleCache)}, ""},
		{"one at a time", Policy{Active: 1}, []sut.Selection{node(0)}, node(1), "1 in effect by then, and 1 at one time at most"},
		{"the first", Policy{Active: 1}, nil, node(1), ""},
	} {
		err := tt.policy.AllowsBeside(topo, tt.others, "kill", tt.next)
		if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, ErrNotAllowed) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestAllowsAt wants each moment of a fault within a window.
func TestAllowsAt(t *testing.T) {
	window, err := ParseWindow("Mon 09:00-10:00")
	if err != nil {
		t.Fatal(err)
	}
	p := Policy{Windows: []Window{window}}
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	at := func(clock string) time.Time {
		d, parseErr := time.Parse("15:04", clock)
		if parseErr != nil {
			t.Fatal(parseErr)
		}
		return monday.Add(time.Duration(d.Hour())*time.Hour + time.Duration(d.Minute())*time.Minute)
	}
	if err = p.AllowsAt(at("09:10"), at("09:50")); err != nil {
		t.Error(err)
	}
	if err = (Policy{}).AllowsAt(at("20:00"), at("21:00")); err != nil {
		t.Error(err)
	}
	err = p.AllowsAt(at("09:50"), at("10:10"))
	if !errors.Is(err, ErrNotAllowed) || !strings.Contains(err.Error(), "from Mon 09:50 until 10:10 UTC: only Mon 09:00-10:00") {
		t.Errorf("it says %v", err)
	}
}
