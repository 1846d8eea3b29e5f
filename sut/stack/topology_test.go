package stack

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/sut"
)

func topology(t *testing.T) sut.Topology {
	t.Helper()
	topology, err := Topology(LedgerName)
	if err != nil {
		t.Fatal(err)
	}
	return topology
}

func TestTopology(t *testing.T) {
	got := topology(t)
	if got.Name != "stack/ledger" {
		t.Errorf("Name = %q", got.Name)
	}
	zones := map[string][]string{}
	for _, n := range got.Nodes {
		zones[n.Zone] = append(zones[n.Zone], n.Name)
	}
	for _, names := range zones {
		slices.Sort(names)
	}
	want := map[string][]string{
		"a": {"api-1", "etcd", "lb", "pg-1", "pgbouncer", "router"},
		"b": {"api-2", "pg-2", "redis"},
		"c": {"pg-3", "rabbitmq", "redis-2", "worker-1"},
		"":  {"linkd"},
	}
	if diff := cmp.Diff(want, zones); diff != "" {
		t.Errorf("nodes by zone (-want +got):\n%s", diff)
	}
}

func TestTopologyOfUnknownStack(t *testing.T) {
	if _, err := Topology("web"); err == nil || !strings.Contains(err.Error(), `"ledger"`) {
		t.Errorf("Topology(web) = %v; want an error that names the stack there is", err)
	}
}

// TestSelect pins the references that scenarios use.
func TestSelect(t *testing.T) {
	for ref, want := range map[string][]string{
		"link:replication":       {"replication:pg-1", "replication:pg-2", "replication:pg-3"},
		"link:router->pg-1":      {"router->pg-1", "router->pg-1:check"},
		"link:pgbouncer->router": {"pgbouncer->router", "pgbouncer->router:replicas"},
		"link:app->pgbouncer":    {"api-1->pgbouncer", "api-2->pgbouncer"},
		"link:app->redis":        {"api-1->redis", "api-2->redis"},
		"link:api-1->redis":      {"api-1->redis"},
		"link:lb->app":           {"lb->api-1", "lb->api-2"},
		"link:messages":          {"worker-1->rabbitmq"},
	} {
		t.Run(ref, func(t *testing.T) {
			sel, err := topology(t).Select(ref)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range sel.Links {
				got = append(got, l.Name)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("links (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSelectFollows pins the references to links of a member of a role.
func TestSelectFollows(t *testing.T) {
	toAll := []string{"router->pg-1", "router->pg-1:check", "router->pg-2", "router->pg-2:check", "router->pg-3", "router->pg-3:check"}
	for ref, want := range map[string]sut.Selection{
		"link:router->postgres.primary":     {Member: sut.MemberPrimary, End: sut.EndTo},
		"link:router->postgres.old-primary": {Member: sut.MemberOldPrimary, End: sut.EndTo},
		"link:router->postgres.replica[2]":  {Member: sut.MemberReplica, Index: 2, End: sut.EndTo},
		"link:postgres.primary->etcd":       {Member: sut.MemberPrimary, End: sut.EndFrom},
		"link:postgres.replica->*":          {Member: sut.MemberReplica, End: sut.EndFrom},
	} {
		sel, err := topology(t).Select(ref)
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		var got []string
		for _, l := range sel.Links {
			got = append(got, l.Name)
		}
		links := toAll
		switch ref {
		case "link:postgres.primary->etcd":
			links = []string{"pg-1->etcd", "pg-2->etcd", "pg-3->etcd"}
		case "link:postgres.replica->*":
			links = []string{"replication:pg-1", "replication:pg-2", "replication:pg-3"}
		}
		if sel.Member != want.Member || sel.Index != want.Index || sel.End != want.End || len(sel.Nodes) > 0 || !slices.Equal(got, links) {
			t.Errorf("%s is %+v, want %+v of %q", ref, sel, want, links)
		}
	}
	for ref, want := range map[string]string{
		"link:app->postgres.primary":               `no link "app->postgres.primary" in stack/ledger, which has lb->api-1, `,
		"link:router->postgres.replica[3]":         "postgres.replica[3] does not exist: postgres has 1 to 2",
		"link:app->redis.primary":                  "redis has no primary: only postgres is replicated",
		"link:postgres.primary->postgres.replica":  "names a member at both ends",
		"link:replication:pg-1->postgres.primary2": "no link",
	} {
		if sel, err := topology(t).Select(ref); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is %+v, %v; want %q", ref, sel, err, want)
		}
	}
}

func TestLinks(t *testing.T) {
	names, ports := map[string]bool{}, map[int]bool{}
	for _, l := range ledgerLinks() {
		if names[l.Name] || ports[l.listen] {
			t.Errorf("link %s or its port %d is used twice", l.Name, l.listen)
		}
		names[l.Name], ports[l.listen] = true, true
	}
	for _, l := range topology(t).Links {
		if strings.HasPrefix(l.Name, "observe:") {
			t.Errorf("%s is in the topology: a fault could touch it", l.Name)
		}
	}
}

func TestEndpointURL(t *testing.T) {
	s := &Stack{topology: topology(t), ports: map[string]map[int]int{nodeLinks: {}, nodeBalancer: {portAPI: 20001}}}
	for _, l := range ledgerLinks() {
		s.ports[nodeLinks][l.listen] = 20100
	}
	s.ports[nodeLinks][portControl] = 20200
	for name, want := range map[string]string{ //nolint:gosec // a private network's passwords are no secret
		"api":                "http://127.0.0.1:20001",
		"postgres/pg-2":      "postgres://postgres:postgres@127.0.0.1:20100/ledger?sslmode=disable",
		"postgres/pgbouncer": "postgres://ledger:ledger@127.0.0.1:20100/ledger?sslmode=disable",
		"patroni/pg-3":       "http://127.0.0.1:20100",
		"amqp/rabbitmq":      "amqp://ledger:ledger@127.0.0.1:20100/",
		"redis/redis":        "redis://127.0.0.1:20100/0",
		"redis/redis-2":      "redis://127.0.0.1:20100/0",
		"http/worker-1":      "http://127.0.0.1:20100",
	} {
		if got, ok := s.Endpoint(name); !ok || got != want {
			t.Errorf("Endpoint(%q) = %q, %t; want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "postgres", "postgres/", "postgres/api-1", "postgres/pg-4"} {
		if got, ok := s.Endpoint(name); ok {
			t.Errorf("Endpoint(%q) = %q, true; want false", name, got)
		}
	}
	if got, ok := s.LinkControl("api-1->redis"); !ok || got != "http://127.0.0.1:20200/links/api-1-%3Eredis" {
		t.Errorf("LinkControl = %q, %t", got, ok)
	}
	if got, ok := s.LinkControl("observe:redis/redis"); ok {
		t.Errorf("LinkControl of an observer path = %q, true; want false: no fault may touch it", got)
	}
}
