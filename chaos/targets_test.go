package chaos

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/proofload/proofload/sut"
)

// ledEnv is three databases behind a router, of which one leads.
type ledEnv struct {
	primary string
	err     error
}

func (ledEnv) Topology() sut.Topology {
	t := sut.Topology{Name: "led", Nodes: []sut.Node{{Name: "router", Role: sut.RoleRouter}}}
	for _, pg := range []string{"pg-1", "pg-2", "pg-3"} {
		t.Nodes = append(t.Nodes, sut.Node{Name: pg, Role: sut.RoleDatabase})
		t.Links = append(t.Links,
			sut.Link{Name: "router->" + pg, From: "router", To: pg}, sut.Link{Name: "router->" + pg + ":check", From: "router", To: pg},
			sut.Link{Name: "replication:" + pg, From: pg, To: "*"})
	}
	return t
}
func (ledEnv) Endpoint(string) (string, bool) { return "", false }
func (ledEnv) Close(context.Context) error    { return nil }

func (e *ledEnv) Primary(context.Context) (sut.Node, error) {
	return sut.Node{Name: e.primary, Role: sut.RoleDatabase}, e.err
}

// TestTargetsLinks has links follow whoever is primary, and stay with who was.
func TestTargetsLinks(t *testing.T) {
	env := &ledEnv{primary: "pg-1"}
	targets := NewTargets(env)
	links := func(ref string) ([]string, error) {
		t.Helper()
		sel, err := env.Topology().Select(ref)
		if err != nil {
			t.Fatal(err)
		}
		list, err := targets.Links(t.Context(), sel)
		var names []string
		for _, l := range list {
			names = append(names, l.Name)
		}
		return names, err
	}
	if _, err := links("link:router->postgres.old-primary"); err == nil || !strings.Contains(err.Error(), "no primary was broken before") {
		t.Errorf("an old primary from the first: %v", err)
	}
	for _, tt := range []struct {
		primary, ref string
		want         []string
	}{
		{"pg-1", "link:router->postgres.primary", []string{"router->pg-1", "router->pg-1:check"}},
		{"pg-3", "link:router->postgres.old-primary", []string{"router->pg-1", "router->pg-1:check"}},
		{"pg-3", "link:router->postgres.replica[2]", []string{"router->pg-2", "router->pg-2:check"}},
		{"pg-3", "link:postgres.replica->*", []string{"replication:pg-1", "replication:pg-2"}},
		{"pg-3", "link:postgres.primary->*", []string{"replication:pg-3"}},
		{"pg-2", "link:router->pg-1", []string{"router->pg-1", "router->pg-1:check"}},
		{"pg-2", "link:postgres.old-primary->*", []string{"replication:pg-3"}},
	} {
		env.primary = tt.primary
		if got, err := links(tt.ref); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s while %s is primary: %q, %v; want %q", tt.ref, tt.primary, got, err, tt.want)
		}
	}
	env.primary = "pg-9"
	if got, err := links("link:router->postgres.primary"); err == nil {
		t.Errorf("the links of a node that has none are %q", got)
	}
	env.err = errors.New("nobody leads")
	if _, err := links("link:router->postgres.primary"); !errors.Is(err, env.err) {
		t.Errorf("error is %v, want %v", err, env.err)
	}
}
