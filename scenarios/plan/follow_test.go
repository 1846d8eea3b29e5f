package plan_test

import (
	"strings"
	"testing"

	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

// routed has the shape of a service that reaches its databases by way of others.
func routed() sut.Topology {
	t := sut.Topology{Name: "stack/ledger", Nodes: []sut.Node{
		{Name: "api-1", Role: sut.RoleService}, {Name: "pgbouncer", Role: sut.RolePooler}, {Name: "router", Role: sut.RoleRouter},
	}}
	link := func(from, to string) {
		t.Links = append(t.Links, sut.Link{Name: from + "->" + to, From: from, To: to, Carries: sut.TrafficSQL})
	}
	link("api-1", "pgbouncer")
	link("pgbouncer", "router")
	for _, pg := range []string{"pg-1", "pg-2", "pg-3"} {
		t.Nodes = append(t.Nodes, sut.Node{Name: pg, Role: sut.RoleDatabase})
		link("router", pg)
		t.Links = append(t.Links, sut.Link{Name: "replication:" + pg, From: pg, To: "*", Carries: sut.TrafficReplication})
	}
	return t
}

// follows plans entries of a timeline against that.
func follows(t *testing.T, entries ...string) (*plan.Plan, error) {
	t.Helper()
	src := `proofload: scenario/v1
name: follow
target: stack/ledger
load:
  workload: ledger/mixed
  phases:
    - {name: steady, for: 2m, rate: 100/s}
timeline:
  - ` + strings.Join(entries, "\n  - ") + `
objectives:
  steady: {p99: 1s}
`
	return plan.Build(parse(t, "follow.yaml", []byte(src)), routed(), catalog(), workloads(), plan.Options{Seed: 1})
}

// TestPlanOfLinksThatFollow shows which links those of a member may be, and that a
// node which is started ends no fault of a link.
func TestPlanOfLinksThatFollow(t *testing.T) {
	p, err := follows(t,
		`{at: steady + 1s, stall: "link:router->postgres.primary", for: 5s}`,
		`{at: steady + 10s, stall: "link:router->postgres.replica[2]", for: 5s}`,
		`{at: steady + 20s, stall: "link:postgres.replica->*", for: 5s}`,
		`{at: steady + 30s, stall: "link:router->postgres.old-primary", for: 5s}`,
		`{at: steady + 36s, stall: "link:postgres.primary->*"}`,
		`{at: steady + 40s, start: postgres.old-primary}`)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/follow.golden", render(t, p, 100))
}

func TestMistakesInLinksThatFollow(t *testing.T) {
	for entry, want := range map[string]string{
		`{at: steady, stall: "link:api-1->postgres.primary"}`: `no link "api-1->postgres.primary" in stack/ledger, which has api-1->pgbouncer, pgbouncer->router, router->pg-1, ` +
			`replication:pg-1, router->pg-2, replication:pg-2, router->pg-3, replication:pg-3`,
		`{at: steady, stall: "link:app->postgres.primary"}`: "= the way from app to postgres.primary is link:app->pgbouncer, link:pgbouncer->router, link:router->postgres.primary: " +
			"write the one that is to break",
		`{at: steady, stall: "link:pgbouncer->postgres.primary"}`:          "= the way from pgbouncer to postgres.primary is link:pgbouncer->router, link:router->postgres.primary: ",
		`{at: steady, stall: "link:pgbouncer->pg-2"}`:                      "= the way from pgbouncer to pg-2 is link:pgbouncer->router, link:router->pg-2: ",
		`{at: steady, stall: "link:postgres.primary->app"}`:                "= write link:FROM->TO for one of them",
		`{at: steady, stall: "link:postgres.primary->router"}`:             "= there are: link:pgbouncer->router",
		`{at: steady, stall: "link:router->postgres.primry"}`:              `= did you mean "link:router->postgres.primary"?`,
		`{at: steady, stall: "link:router->postgres.replica[3]"}`:          "postgres.replica[3] does not exist: postgres has 1 to 2",
		`{at: steady, stall: "link:router->postgres.old-primary"}`:         "no primary is broken before this entry",
		`{at: steady, start: "link:router->postgres.primary"}`:             "start wants a node, link:router->postgres.primary is a link",
		`{at: steady, sql: SELECT 1, on: "link:router->postgres.primary"}`: "carries out no statements",
	} {
		if _, err := follows(t, entry); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %q", entry, err, want)
		}
	}
}
