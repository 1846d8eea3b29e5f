package explore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
)

// city is a system with three databases, two instances and a cache.
func city() sut.Topology {
	t := sut.Topology{Name: "city", Nodes: []sut.Node{
		{Name: "api-1", Role: sut.RoleService, Zone: "a"},
		{Name: "api-2", Role: sut.RoleService, Zone: "b"},
		{Name: "redis", Role: sut.RoleCache, Zone: "a"},
		{Name: "proxies", Role: sut.RoleLinks},
	}}
	for i, zone := range []string{"a", "b", "c"} {
		name := "pg-" + string(rune('1'+i))
		t.Nodes = append(t.Nodes, sut.Node{Name: name, Role: sut.RoleDatabase, Zone: zone})
		t.Links = append(t.Links, sut.Link{Name: "replication:" + name, From: name, To: "*", Carries: sut.TrafficReplication})
	}
	return t
}

// crafts are three kinds of fault: two of nodes and one of links.
func crafts() chaos.Catalog {
	nodes := func(p chaos.Params) error {
		if len(p.Target.Nodes) == 0 {
			return errors.New("acts on nodes")
		}
		return nil
	}
	links := func(p chaos.Params) error {
		if len(p.Target.Links) == 0 {
			return errors.New("acts on links")
		}
		return nil
	}
	return chaos.NewCatalog([]chaos.Kind{
		{Name: "kill", Touches: []string{chaos.TouchesProcess}, Check: nodes},
		{Name: "pause", Touches: []string{chaos.TouchesProcess}, Check: nodes},
		{Name: "latency", Touches: []string{chaos.TouchesLink}, Check: links, Params: []chaos.Param{{Name: "delay", Measure: chaos.Duration}}},
		{Name: "query", Check: nodes, Params: []chaos.Param{{Name: "sql", Measure: chaos.Text}}},
	})
}

func deck(t *testing.T, change func(*Config)) *Deck {
	t.Helper()
	cfg := Config{Topology: city(), Catalog: crafts(), Within: 30 * time.Second, Most: 4}
	if change != nil {
		change(&cfg)
	}
	d, err := NewDeck(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDraw says that whatever is drawn can be carried out: in time, on targets
// that exist, with parameters, and with a majority of each role left whole.
func TestDraw(t *testing.T) {
	d := deck(t, nil)
	if diff := cmp.Diff([]string{"kill", "latency", "pause"}, d.Kinds()); diff != "" {
		t.Errorf("a kind whose parameter nobody can make up, or: %s", diff)
	}
	seen := map[string]bool{}
	for n := range uint64(2000) {
		drawn := d.Draw(7, n)
		if len(drawn.Faults) < 1 || len(drawn.Faults) > 4 || drawn.Seed == 0 || drawn.End() > 30*time.Second {
			t.Fatalf("%d: %v, seed %d", n, drawn, drawn.Seed)
		}
		for i, f := range drawn.Faults {
			seen[f.Verb+" "+f.Target] = true
			together := []sut.Selection{selected(t, f.Target)}
			for _, o := range drawn.Faults[:i] {
				if o.At > f.At {
					t.Fatalf("%d: not in order: %v", n, drawn)
				}
				if o.At+o.For > f.At {
					together = append(together, selected(t, o.Target))
				}
			}
			if !d.spares(together[:min(2, len(together))]) || f.Verb == "latency" && f.With["delay"] == "" || f.For < shortest {
				t.Fatalf("%d: %v", n, drawn)
			}
		}
	}
	for _, want := range []string{"kill postgres.primary", "pause postgres.replica[1]", "kill zone:a", "latency link:replication", "latency link:replication:pg-2", "kill redis"} {
		if !seen[want] {
			t.Errorf("%s was never drawn", want)
		}
	}
	for _, never := range []string{"kill proxies", "kill link:replication", "latency redis"} {
		if seen[never] {
			t.Errorf("%s was drawn", never)
		}
	}
}

func selected(t *testing.T, ref string) sut.Selection {
	t.Helper()
	sel, err := city().Select(ref)
	if err != nil {
		t.Fatal(err)
	}
	return sel
}

func TestDrawDependsOnTheSeed(t *testing.T) {
	one, same := deck(t, nil), deck(t, nil)
	different := false
	for n := range uint64(20) {
		if diff := cmp.Diff(one.Draw(1, n), same.Draw(1, n)); diff != "" {
			t.Errorf("the same seed draws another timeline:\n%s", diff)
		}
		different = different || one.Draw(1, n).key() != one.Draw(2, n).key()
	}
	if !different {
		t.Error("all seeds draw the same")
	}
}

// TestDrawDealsTheUsual says that a budget of a few dozen runs is not spent on
// what is rare: every way in which most outages begin has its turn, and half of
// all faults outlast leases and deadlines.
func TestDrawDealsTheUsual(t *testing.T) {
	d := deck(t, nil)
	long, all := 0, 0
	for seed := range uint64(50) {
		for round := range uint64(5) {
			seen := map[string]bool{}
			for n := range uint64(4) { // two kinds, on the databases and on the instances
				for _, f := range d.Draw(seed, 4*round+n+1).Faults {
					seen[f.Verb+" "+strings.TrimRight(f.Target, "12")] = true
					all++
					if f.For >= 13300*time.Millisecond { // of 20 s
						long++
					}
				}
			}
			for _, want := range []string{"kill postgres.primary", "pause postgres.primary", "kill api-", "pause api-"} {
				if !seen[want] {
					t.Errorf("seed %d has no %s in round %d, but %v", seed, want, round, seen)
				}
			}
		}
	}
	if 2*long < all {
		t.Errorf("only %d of %d faults are long", long, all)
	}
}

// TestDrawDealsLinks says that what an instance or a worker says to another is lost
// in its turn, and that this is nothing that databases begin with.
func TestDrawDealsLinks(t *testing.T) {
	craft := crafts()
	craft["half-open"] = chaos.Kind{Name: "half-open", Touches: []string{chaos.TouchesLink}, Check: craft["latency"].Check}
	d := deck(t, func(c *Config) {
		c.Catalog = craft
		c.Topology.Links = append(c.Topology.Links, sut.Link{Name: "api-1->redis", From: "api-1", To: "redis", Carries: sut.TrafficCache})
	})
	const hands = 5 // gone and silent, of databases and instances, and this
	for seed := range uint64(50) {
		dealt := false
		for n := range uint64(hands) {
			lead := d.lead(seed, n+1)
			if lead[0].verb == "half-open" {
				dealt = true
				if len(lead) != 1 || lead[0].target.Ref != "link:api-1->redis" {
					t.Errorf("seed %d: dealt %v", seed, lead)
				}
			}
		}
		if !dealt {
			t.Errorf("seed %d deals no link in the first %d", seed, hands)
		}
	}
}

func TestDeckKeepsToWhatIsAllowed(t *testing.T) {
	d := deck(t, func(c *Config) {
		c.Policy = chaos.Policy{Faults: []string{"kill", "latency"}, On: []string{"pg-1", "pg-2", "replication:pg-1"}, Active: 1, TTL: 2 * time.Second}
	})
	for n := range uint64(300) {
		drawn := d.Draw(1, n)
		for i, f := range drawn.Faults {
			if f.For > 2*time.Second || f.Verb == "pause" || !slices.Contains([]string{"pg-1", "pg-2", "link:replication:pg-1"}, f.Target) {
				t.Fatalf("drew %v", drawn)
			}
			if i > 0 && drawn.Faults[i-1].At+drawn.Faults[i-1].For > f.At {
				t.Fatalf("two at the same time: %v", drawn)
			}
		}
	}
	_, err := NewDeck(Config{Topology: city(), Catalog: crafts(), Within: time.Second, Policy: chaos.Policy{Class: chaos.ClassProduction}})
	if err == nil || !strings.Contains(err.Error(), "nothing of city can be broken") {
		t.Errorf("in production: %v", err)
	}
}

func TestSetAside(t *testing.T) {
	d := deck(t, nil)
	if !d.SetAside("pause", "postgres.primary") || d.SetAside("pause", "pg-2") || !d.SetAside("latency", "link:replication:pg-1") {
		t.Error("not what was in the deck was set aside")
	}
	for n := range uint64(300) {
		for _, f := range d.Draw(3, n).Faults {
			if f.Verb == "latency" || f.Verb == "pause" && (strings.HasPrefix(f.Target, "pg-") || strings.HasPrefix(f.Target, "postgres") || strings.HasPrefix(f.Target, "zone:")) {
				t.Fatalf("drew %v", f)
			}
		}
	}
}

func of(verbs ...string) Timeline {
	t := Timeline{Seed: 1}
	for i, v := range verbs {
		t.Faults = append(t.Faults, Fault{Verb: v, Target: "pg-1", At: time.Duration(5*i+3) * time.Second, For: 4 * time.Second})
	}
	return t
}

// verbs is what is broken, in order.
func verbs(t Timeline) string {
	var all []string
	for _, f := range t.Faults {
		all = append(all, f.Verb)
	}
	return strings.Join(all, " ")
}

// TestMinimize looks for the faults that a made-up system fails with.
func TestMinimize(t *testing.T) {
	has := func(t Timeline, verb string, least time.Duration) bool {
		return slices.ContainsFunc(t.Faults, func(f Fault) bool { return f.Verb == verb && f.For >= least })
	}
	for _, tt := range []struct {
		name  string
		fails func(Timeline) bool
		want  string // the verbs
		end   time.Duration
	}{
		{"one of eight", func(t Timeline) bool { return has(t, "f", time.Second) }, "f", time.Second},
		{"two together", func(t Timeline) bool { return has(t, "b", 0) && has(t, "g", 2*time.Second) }, "b g", 2500 * time.Millisecond},
		{"all of them", func(t Timeline) bool { return len(t.Faults) == 8 }, "a b c d e f g h", 4 * time.Second},
		{"whatever is broken", func(Timeline) bool { return true }, "", 0},
		{"only what was drawn", func(t Timeline) bool { return t.key() == of("a", "b", "c", "d", "e", "f", "g", "h").key() }, "a b c d e f g h", 42 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var found []Timeline
			runs := 0
			got, err := Minimize(t.Context(), of("a", "b", "c", "d", "e", "f", "g", "h"), func(_ context.Context, t Timeline) (Ending, error) {
				runs++
				if tt.fails(t) {
					return Failed, nil
				}
				return Survived, nil
			}, func(t Timeline) { found = append(found, t) })
			if err != nil || verbs(got) != tt.want || got.End() != tt.end {
				t.Errorf("%v, %v; want %q that ends at %v", got, err, tt.want, tt.end)
			}
			if runs > 70 {
				t.Errorf("%d runs", runs)
			}
			for _, f := range found {
				if !tt.fails(f) {
					t.Errorf("%v does not fail", f)
				}
			}
			if len(found) > 0 && found[len(found)-1].key() != got.key() {
				t.Errorf("the last found is %v, and the result %v", found[len(found)-1], got)
			}
		})
	}
}

// TestMinimizeUnclear has every second run say nothing.
func TestMinimizeUnclear(t *testing.T) {
	runs := 0
	got, err := Minimize(t.Context(), of("a", "b", "c"), func(_ context.Context, t Timeline) (Ending, error) {
		runs++
		switch {
		case runs%2 == 1:
			return Unclear, nil
		case strings.Contains(verbs(t), "b"):
			return Failed, nil
		}
		return Survived, nil
	}, func(Timeline) {})
	if err != nil || verbs(got) != "b" {
		t.Errorf("%v, %v", got, err)
	}
	runs = 0
	got, err = Minimize(t.Context(), of("a", "b"), func(context.Context, Timeline) (Ending, error) { runs++; return Unclear, nil }, func(Timeline) {})
	if err != nil || verbs(got) != "a b" || runs%unclearTimes != 0 {
		t.Errorf("%v, %v after %d runs", got, err, runs)
	}
}

// TestMinimizeEndsEarly keeps what was found when there is no time left, and when
// something goes wrong.
func TestMinimizeEndsEarly(t *testing.T) {
	broken := errors.New("no engine")
	for stop, want := range map[error]error{ErrEnough: nil, broken: broken} {
		runs := 0
		got, err := Minimize(t.Context(), of("a", "b", "c", "d"), func(_ context.Context, t Timeline) (Ending, error) {
			runs++
			if runs > 3 {
				return "", stop
			}
			if strings.Contains(verbs(t), "c") {
				return Failed, nil
			}
			return Survived, nil
		}, func(Timeline) {})
		if !errors.Is(err, want) || verbs(got) != "c d" {
			t.Errorf("%v, %v; want the half that failed and %v", got, err, want)
		}
	}
}

// TestScenario says that what is written is a flawless scenario that says the
// same.
func TestScenario(t *testing.T) {
	s := Settings{
		Name: "explore-7", About: []string{"Found by: proofload explore --seed 7"}, Target: "sim/ledger", Options: map[string]string{"defect": "stale"},
		Workload: "ledger/mixed", Rate: 50, Checks: []string{"acknowledged-writes", "goodput-returns"}, Settle: 2 * time.Second,
	}
	drawn := Timeline{Seed: 11, Faults: []Fault{
		{Verb: "kill", Target: "postgres.replica[1]", At: 0, For: 1500 * time.Millisecond},
		{Verb: "latency", Target: "link:replication", At: 61 * time.Second, For: 2 * time.Second, With: map[string]string{"delay": "200ms"}},
	}}
	for _, timeline := range []Timeline{drawn, {Seed: 11}} {
		src := s.Scenario(timeline)
		sc, err := scenarios.Parse("explore.yaml", src, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		if len(sc.Warnings) > 0 || sc.Seed != 11 || sc.Target != s.Target || sc.Options["defect"] != "stale" || len(sc.Verify) != 2 || sc.Bounds.Return != s.Settle {
			t.Errorf("warnings %v of\n%s", sc.Warnings, src)
		}
		var got []Fault
		for _, e := range sc.Timeline {
			got = append(got, Fault{Verb: e.Verb, Target: e.Target, At: e.Offset, For: e.For, With: e.With})
		}
		if diff := cmp.Diff(timeline.Faults, got); diff != "" {
			t.Errorf("(-drawn +parsed):\n%s", diff)
		}
		var total time.Duration
		for _, p := range sc.Load.Phases {
			total += p.For
		}
		if total != s.Length(timeline) {
			t.Errorf("it takes %v, said %v", total, s.Length(timeline))
		}
	}
}
