package netfault

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// ledLinks are links to two databases, of which one leads.
type ledLinks struct {
	*linkEnv

	primary string
}

func (e *ledLinks) Topology() sut.Topology {
	t := sut.Topology{Name: "led"}
	for _, pg := range []string{"pg-1", "pg-2"} {
		t.Nodes = append(t.Nodes, sut.Node{Name: pg, Role: sut.RoleDatabase})
		t.Links = append(t.Links, sut.Link{Name: "router->" + pg, From: "router", To: pg})
	}
	return t
}

func (e *ledLinks) Primary(context.Context) (sut.Node, error) {
	return sut.Node{Name: e.primary, Role: sut.RoleDatabase}, nil
}

// TestLinkOfWhoLeads breaks the link of whoever is primary when the fault is
// injected, says so in the journal, and leaves it at that.
func TestLinkOfWhoLeads(t *testing.T) {
	for _, name := range []string{kindStall, kindLinkDown, kindLatency} {
		t.Run(name, func(t *testing.T) {
			env := &ledLinks{newLinkEnv(t, "router->pg-1", "router->pg-2"), "pg-1"}
			target, err := env.Topology().Select("link:router->postgres.primary")
			if err != nil {
				t.Fatal(err)
			}
			p := chaos.Params{Target: target}
			if name == kindLatency {
				p.Values = map[string]string{"delay": "1s"}
			}
			catalog := chaos.NewCatalog(Kinds())
			fault, err := catalog.New(name, env, chaos.NewTargets(env), p)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = fault.Prepare(t.Context()); err != nil { // ahead of time, as a run does
				t.Fatal(err)
			}
			env.primary = "pg-2"
			journal, err := chaos.OpenJournal(filepath.Join(t.TempDir(), "journal"))
			if err != nil {
				t.Fatal(err)
			}
			defer journal.Close()
			active, err := chaos.Arm(t.Context(), journal, catalog, env, fault, nil)
			if err != nil {
				t.Fatal(err)
			}
			env.primary = "pg-1"
			if pending := journal.Pending(); len(pending) != 1 || pending[0].Undo.Target != "router->pg-2" {
				t.Errorf("the journal has %+v, want router->pg-2", pending)
			}
			for link, want := range map[string]bool{"router->pg-1": false, "router->pg-2": true} {
				if broken, err := env.slow(link)(t.Context()); broken != want || err != nil {
					t.Errorf("%s: broken %t, %v; want %t", link, broken, err, want)
				}
			}
			if err := active.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
			if broken, err := env.slow("router->pg-2")(t.Context()); broken || err != nil {
				t.Errorf("router->pg-2 is broken after that: %t, %v", broken, err)
			}
		})
	}
}
