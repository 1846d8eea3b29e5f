package live

import (
	"slices"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// A glance is one observation of a probe.
type glance = history.Event

func answers(node, what string, value int64) glance {
	return glance{By: history.ByProbe, Kind: history.Info, Op: history.ProbeCounter, Node: node, Target: what, Value: value}
}

func silent(op, node string) glance {
	return glance{By: history.ByProbe, Kind: history.Fail, Op: op, Node: node, Text: "no answer within 500ms"}
}

func is(op, node, role string, timeline int) glance {
	return glance{By: history.ByProbe, Kind: history.Info, Op: op, Node: node, Role: role, Timeline: timeline}
}

// glances is all that is seen of a healthy ledger at once.
func glances(tb testing.TB) []glance {
	tb.Helper()
	shape := history.Topology{}
	for _, n := range [][2]string{{"lb", "lb"}, {"api-1", "app"}, {"api-2", "app"}, {"worker-1", "worker"}, {"pg-1", "postgres"}} {
		shape.Nodes = append(shape.Nodes, history.TopologyNode{Name: n[0], Role: n[1]})
	}
	first, err := shape.Event()
	if err != nil {
		tb.Fatal(err)
	}
	return []glance{
		first,
		answers("api-1", history.CounterRequests, 7), answers("api-1", history.CounterCacheUp, 1),
		answers("api-2", history.CounterRequests, 8), answers("api-2", history.CounterCacheUp, 1),
		answers("worker-1", history.CounterDead, 0), answers("worker-1", history.CounterBrokerUp, 1),
		is(history.ProbeRoute, "pgbouncer", "primary", 1),
		is(history.ProbeDatabase, "pg-1", "primary", 1), is(history.ProbeDatabase, "pg-2", "replica", 1), is(history.ProbeDatabase, "pg-3", "replica", 1),
		is(history.ProbeAgent, "pg-1", "primary", 1), is(history.ProbeAgent, "pg-2", "replica", 1), is(history.ProbeAgent, "pg-3", "replica", 1),
	}
}

// TestSystemLine follows a ledger whose parts go and come back.
func TestSystemLine(t *testing.T) {
	unled := is(history.ProbeAgent, "pg-2", "replica", 1)
	unled.Text = unlocked
	unreached := silent(history.ProbeRoute, "pgbouncer")
	unreached.Class = history.ClassUnreached
	const (
		calm      = "app 3/3  pgbouncer up  pg-1 primary  pg-2 replica  pg-3 replica  rabbitmq up  redis up"
		databases = "  pg-1 primary  pg-2 replica  pg-3 replica"
	)
	s := NewState(header())
	for _, step := range []struct {
		what    string
		seen    []glance
		line    string
		changes []string
	}{
		{"all is well", glances(t), calm, nil},
		{
			"an instance is gone, and with it what it said",
			[]glance{silent(history.ProbeCounter, "api-2"), answers("api-1", history.CounterCacheUp, 0)},
			"app 2/3 (api-2 DOWN)  pgbouncer up" + databases + "  rabbitmq up  redis DOWN",
			[]string{"api-2 is DOWN (was up)", "redis is DOWN (was up)"},
		},
		{
			"it is back, and gets on with the cache",
			[]glance{answers("api-2", history.CounterRequests, 0), answers("api-2", history.CounterCacheUp, 1)},
			"app 3/3  pgbouncer up" + databases + "  rabbitmq up  redis up for 1 of 2",
			[]string{"api-2 is up (was DOWN)", "redis is up for 1 of 2 (was DOWN)"},
		},
		{
			"nobody is left who knows of the broker",
			[]glance{answers("api-1", history.CounterCacheUp, 1), silent(history.ProbeCounter, "worker-1")},
			"app 2/3 (worker-1 DOWN)  pgbouncer up" + databases + "  rabbitmq unknown  redis up",
			[]string{"redis is up (was up for 1 of 2)", "worker-1 is DOWN (was up)"},
		},
		{
			"the worker is back",
			[]glance{answers("worker-1", history.CounterDead, 0), answers("worker-1", history.CounterBrokerUp, 1)},
			calm,
			[]string{"worker-1 is up (was DOWN)"},
		},
		{
			"the pooler is gone",
			[]glance{unreached},
			"app 3/3  pgbouncer DOWN" + databases + "  rabbitmq up  redis up",
			[]string{"route to the database: DOWN"},
		},
		{
			"it is back, and leads nowhere, for the primary is gone",
			[]glance{silent(history.ProbeRoute, "pgbouncer"), silent(history.ProbeDatabase, "pg-1"), silent(history.ProbeAgent, "pg-1")},
			"app 3/3  pgbouncer up, no database  pg-1 DOWN  pg-2 replica  pg-3 replica  no primary  rabbitmq up  redis up",
			[]string{"pg-1 is DOWN (was primary)"},
		},
		{
			"its agents have noticed",
			[]glance{unled},
			"app 3/3  pgbouncer up, no database  pg-1 DOWN  pg-2 replica  pg-3 replica  no primary, electing  rabbitmq up  redis up",
			nil,
		},
		{
			"one of them leads",
			[]glance{is(history.ProbeAgent, "pg-2", "replica", 1)},
			"app 3/3  pgbouncer up, no database  pg-1 DOWN  pg-2 replica  pg-3 replica  no primary, promoting  rabbitmq up  redis up",
			nil,
		},
		{
			"and its database is the primary, which the pooler does not know yet",
			[]glance{is(history.ProbeDatabase, "pg-2", "primary", 2), is(history.ProbeRoute, "pgbouncer", "replica", 1)},
			"app 3/3  pgbouncer up, leads to a replica  pg-1 DOWN  pg-2 primary  pg-3 replica  rabbitmq up  redis up",
			[]string{"pg-2 is primary (was replica)", "route to the database: replica timeline 1"},
		},
		{
			"then nobody is the primary, and nobody was missed",
			[]glance{is(history.ProbeDatabase, "pg-2", "replica", 2), is(history.ProbeRoute, "pgbouncer", "replica", 1)},
			"app 3/3  pgbouncer up, leads to a replica  pg-1 DOWN  pg-2 replica  pg-3 replica  no primary  rabbitmq up  redis up",
			[]string{"pg-2 is replica (was primary)"},
		},
	} {
		for _, e := range step.seen {
			s.Observe(&e)
		}
		if got := s.Lines(2 * time.Second)[2]; got != "system      "+step.line {
			t.Errorf("%s:\n got %q\nwant %q", step.what, got, "system      "+step.line)
		}
		var texts []string
		for _, c := range s.take() {
			texts = append(texts, c.text)
		}
		if !slices.Equal(texts, step.changes) {
			t.Errorf("%s: changes %q, want %q", step.what, texts, step.changes)
		}
	}
}

// TestSystemLineWithoutTopology counts what answers, where nobody says what
// there is.
func TestSystemLineWithoutTopology(t *testing.T) {
	s := newSystem()
	for _, e := range []glance{answers("api-1", history.CounterRequests, 1), silent(history.ProbeCounter, "api-2")} {
		s.observe(&e)
	}
	if got, want := s.line(), "app 1/2 (api-2 DOWN)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
