package plan_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/library"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// topology has the shape of a replicated service with all roles.
func topology() sut.Topology {
	t := sut.Topology{Name: "stack/ledger", Nodes: []sut.Node{
		{Name: "lb", Role: sut.RoleBalancer, Zone: "a"},
		{Name: "api-1", Role: sut.RoleService, Zone: "a"},
		{Name: "api-2", Role: sut.RoleService, Zone: "b"},
		{Name: "worker-1", Role: sut.RoleWorker, Zone: "c"},
		{Name: "pgbouncer", Role: sut.RolePooler, Zone: "a"},
		{Name: "pg-1", Role: sut.RoleDatabase, Zone: "a"},
		{Name: "pg-2", Role: sut.RoleDatabase, Zone: "b"},
		{Name: "pg-3", Role: sut.RoleDatabase, Zone: "c"},
		{Name: "redis", Role: sut.RoleCache, Zone: "b"},
	}}
	for _, pg := range []string{"pg-1", "pg-2", "pg-3"} {
		t.Links = append(t.Links, sut.Link{Name: "replication:" + pg, From: pg, To: "*", Carries: sut.TrafficReplication})
	}
	t.Links = append(t.Links, sut.Link{Name: "api-1->redis", From: "api-1", To: "redis", Carries: sut.TrafficCache})
	return t
}

// catalog has faults that can be planned but not made.
// touches says which faults exclude each other.
func touches(name string) []string {
	if name == "kill" || name == "pause" {
		return []string{chaos.TouchesProcess}
	}
	return nil
}

func catalog() chaos.Catalog {
	on := func(name, about string, check func(p chaos.Params) error) chaos.Kind {
		return chaos.Kind{
			Name: name, About: about, Needs: "containers", Check: check, Touches: touches(name),
			New: func(sut.Environment, *chaos.Targets, chaos.Params) (chaos.Fault, error) {
				return nil, sut.ErrUnsupported
			},
			Heal: func(context.Context, sut.Environment, chaos.Undo) error { return nil },
		}
	}
	nodes := func(p chaos.Params) error {
		if len(p.Target.Nodes) == 0 {
			return errors.New("want a node, got a link")
		}
		return nil
	}
	links := func(p chaos.Params) error {
		if len(p.Target.Links) == 0 {
			return errors.New("want a link, got a node")
		}
		return nil
	}
	clock := on("clock-offset", "The kernel's function that tells the time leads elsewhere.", nodes)
	clock.Params = []chaos.Param{{Name: "by", Measure: chaos.Text, About: "how far it is ahead"}}
	return chaos.NewCatalog([]chaos.Kind{
		clock,
		on("stall", "Connections live on, but the link's proxy passes nothing in either direction.", links),
		{
			Name: "latency", About: "Data waits at the link's proxy.", Needs: "containers", Check: links,
			Params: []chaos.Param{{Name: "delay", Measure: chaos.Duration, About: "how long data waits"}},
			New: func(sut.Environment, *chaos.Targets, chaos.Params) (chaos.Fault, error) {
				return nil, sut.ErrUnsupported
			},
			Heal: func(context.Context, sut.Environment, chaos.Undo) error { return nil },
		},
		on("lose", "Cut off the network by firewall rules, then killed.", nodes),
		on("kill", "SIGKILL to all processes of the container.", nil),
		on("pause", "All processes of the container are frozen by its control group.", nodes),
	})
}

func workloads() map[string][]string {
	return map[string][]string{
		"ledger/mixed": {"create-transfer", "get-account", "get-transfer"},
		"ledger/read":  {"get-account"},
	}
}

func parse(t *testing.T, file string, src []byte) *scenarios.Scenario {
	t.Helper()
	sc, err := scenarios.Parse(file, src, nil)
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

// shipped parses a scenario of the library, with some of its text replaced.
func shipped(t *testing.T, name string, replace ...string) *scenarios.Scenario {
	t.Helper()
	src, ok := library.Open(name)
	if !ok {
		t.Fatalf("no scenario %q", name)
	}
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(string(src), replace[i]) {
			t.Fatalf("%s does not hold %q", name, replace[i])
		}
	}
	return parse(t, "library:"+name, []byte(strings.NewReplacer(replace...).Replace(string(src))))
}

func build(t *testing.T, sc *scenarios.Scenario, opts plan.Options) *plan.Plan {
	t.Helper()
	p, err := plan.Build(sc, topology(), catalog(), workloads(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func render(t *testing.T, p *plan.Plan, width int) string {
	t.Helper()
	var b strings.Builder
	if err := p.Render(&b, width); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestRender prints every shipped scenario, and one that has all the rest.
func TestRender(t *testing.T) {
	for _, name := range library.Names() {
		golden(t, filepath.Join("testdata", name+".golden"), render(t, build(t, shipped(t, name), plan.Options{Seed: 42}), 100))
	}
	src, err := os.ReadFile("testdata/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p := build(t, parse(t, "everything.yaml", src), plan.Options{Seed: 42})
	golden(t, "testdata/everything.golden", render(t, p, 100))
	golden(t, "testdata/everything-narrow.golden", render(t, p, 1))
}

// TestJSON writes the plans for programs.
func TestJSON(t *testing.T) {
	src, err := os.ReadFile("testdata/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*plan.Plan{
		"everything":       build(t, parse(t, "everything.yaml", src), plan.Options{Seed: 42}),
		"primary-failover": build(t, shipped(t, "primary-failover"), plan.Options{Seed: 42}),
	} {
		var b strings.Builder
		if err := p.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("testdata", name+".json"), b.String())
	}
}

// TestProblems checks that all that does not fit the system is reported at
// once, where it stands in the file.
func TestProblems(t *testing.T) {
	src, err := os.ReadFile("testdata/misfit.yaml")
	if err != nil {
		t.Fatal(err)
	}
	topo := topology()
	topo.Nodes = topo.Nodes[:6] // one database node
	_, err = plan.Build(parse(t, "misfit.yaml", src), topo, catalog(), workloads(), plan.Options{})
	problems, ok := errors.AsType[*scenarios.Problems](err)
	if !ok {
		t.Fatalf("error is %T %v, want *scenarios.Problems", err, err)
	}
	for _, q := range problems.List {
		if q.Hint == "" {
			t.Errorf("%s: not how to mend it", q.Msg)
		}
	}
	golden(t, "testdata/misfit.golden", err.Error()+"\n")
}

func TestUnknownWorkload(t *testing.T) {
	sc := shipped(t, "steady-gate", "ledger/mixed", "ledger/mixd")
	_, err := plan.Build(sc, topology(), catalog(), workloads(), plan.Options{})
	const want = `library:steady-gate:10:13: no workload "ledger/mixd"
  10 |   workload: ledger/mixd
     |             ^^^^^^^^^^^
     = did you mean "ledger/mixed"?
1 problem`
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestVerifyNamesAreTheCheckers holds the language against the checkers.
func TestVerifyNamesAreTheCheckers(t *testing.T) {
	var names []string
	for _, c := range scenarios.Checks() {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	if diff := cmp.Diff(slices.Sorted(slices.Values(check.Names())), names); diff != "" {
		t.Errorf("(-checkers +language):\n%s", diff)
	}
}

func TestSpec(t *testing.T) {
	sc := shipped(t, "api-kill")
	sc.Recovered.Within = 2 * time.Second
	p := build(t, sc, plan.Options{Seed: 1})
	recovered := check.DefaultRecovered()
	recovered.Within = 2 * time.Second
	want := check.Spec{
		Phases: []check.Phase{
			{Name: "warmup", For: 20 * time.Second, From: 20, To: 200},
			{Name: "steady", Start: 20 * time.Second, For: 30 * time.Second, From: 200, To: 200, Score: true},
			{Name: "outage", Start: 50 * time.Second, For: time.Minute, From: 200, To: 200, Score: true},
			{Name: "after", Start: 110 * time.Second, For: 30 * time.Second, From: 200, To: 200, Score: true},
		},
		Events: []check.Entry{{
			Name: "instance-lost", Verb: "kill", Target: "app[1]", Phase: "outage", At: time.Minute, For: 20 * time.Second, Line: 18,
		}},
		Objectives: []check.Objective{
			{Subject: "steady", Metric: "p99", Op: "<=", Limit: 250, Line: 24, Col: 17},
			{Subject: "steady", Metric: "errors", Op: "<=", Limit: 0.1, Line: 24, Col: 32},
			{Subject: "instance-lost", Metric: "rto", Op: "<=", Limit: 10_000, Line: 25, Col: 24},
			{Subject: "instance-lost", Metric: "lost_writes", Op: "<=", Limit: 0, Line: 25, Col: 42},
			{Subject: "after", Metric: "p99", Op: "<=", Limit: 300, Line: 26, Col: 16},
			{Subject: "after", Metric: "errors", Op: "<=", Limit: 0.1, Line: 26, Col: 31},
		},
		Verify:    []string{"acknowledged-writes", "observed-writes", "no-duplicates", "balances", "jobs-done"},
		Recovered: recovered,
		Drills:    1,
	}
	if diff := cmp.Diff(want, p.Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	step := plan.Step{
		Entry: want.Events[0], Verb: "kill", Fault: true, Until: "after 20s",
		Params: chaos.Params{
			Target: sut.Selection{Ref: "app[1]", Nodes: []sut.Node{{Name: "api-1", Role: sut.RoleService, Zone: "a"}}, Index: 1},
			For:    20 * time.Second,
		},
	}
	if diff := cmp.Diff([]plan.Step{step}, p.Steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if p.Arrivals != loadgen.Poisson || p.Peak() != 200 || p.Duration() != 140*time.Second || p.Operations() != 26_200 {
		t.Errorf("arrivals %q, peak %v, duration %v, operations %d", p.Arrivals, p.Peak(), p.Duration(), p.Operations())
	}
}

// TestSameSeedSamePlan hashes all that a run does.
func TestSameSeedSamePlan(t *testing.T) {
	hash := func(seed uint64) [32]byte {
		p := build(t, shipped(t, "primary-failover"), plan.Options{Seed: seed})
		b, err := json.Marshal([]any{p.Seed, p.Workload, p.Phases, p.Arrivals, p.Steps, p.Drills, p.Spec})
		if err != nil {
			t.Fatal(err)
		}
		return sha256.Sum256(append(b, render(t, p, 100)...))
	}
	first, second := hash(7), hash(7)
	if first != second {
		t.Error("the same seed gives two plans")
	}
	if first == hash(8) {
		t.Error("two seeds give the same plan")
	}
}

func TestSeed(t *testing.T) {
	sc := shipped(t, "steady-gate")
	derived := build(t, sc, plan.Options{}).Seed
	if derived == 0 || derived != build(t, sc, plan.Options{}).Seed {
		t.Errorf("derived seed %d is not stable", derived)
	}
	sc.Seed = 5
	if got := build(t, sc, plan.Options{}).Seed; got != 5 {
		t.Errorf("seed %d, want the scenario's 5", got)
	}
	if got := build(t, sc, plan.Options{Seed: 6}).Seed; got != 6 {
		t.Errorf("seed %d, want the caller's 6", got)
	}
}

func TestDrills(t *testing.T) {
	sc := shipped(t, "primary-failover")
	few := build(t, sc, plan.Options{Seed: 3}).Drills
	many := build(t, sc, plan.Options{Seed: 3, Repeat: 200})
	if len(few) != 5 || len(many.Drills) != 200 || many.Spec.Drills != 200 {
		t.Fatalf("%d and %d drills", len(few), len(many.Drills))
	}
	if diff := cmp.Diff(few, many.Drills[:5]); diff != "" {
		t.Errorf("a drill depends on how many there are:\n%s", diff)
	}
	late, seeds := 0, map[uint64]bool{}
	for i, d := range many.Drills {
		if d.N != i+1 || d.Jitter < 0 || d.Jitter >= 10*time.Second {
			t.Errorf("drill %d: %+v", i+1, d)
		}
		if d.Jitter > 5*time.Second {
			late++
		}
		seeds[d.Seed] = true
	}
	if late < 70 || late > 130 { // 4 standard deviations of 200 tosses
		t.Errorf("%d of 200 drills are in the later half", late)
	}
	if len(seeds) != 200 {
		t.Errorf("%d different seeds", len(seeds))
	}
	if d := build(t, shipped(t, "api-kill"), plan.Options{Seed: 3, Repeat: 2}).Drills; d[0].Jitter != 0 || d[1].Jitter != 0 {
		t.Errorf("jitter without jitter: %+v", d)
	}
}

// TestRecoveryPointNeedsAStall checks when a plan warns that an rpo: objective
// will not be exercised.
func TestRecoveryPointNeedsAStall(t *testing.T) {
	const stall = "stall: link:replication           # standbys stop receiving: a lost acknowledged write becomes possible\n    for: 30s"
	for _, tc := range []struct {
		name    string
		replace []string
		warned  bool
	}{
		{"stalled", nil, false},
		{"for ever", []string{stall, "stall: link:replication"}, false},
		{"too short", []string{stall, "stall: link:replication\n    for: 2s"}, true},
		{"another link", []string{stall, "stall: link:api-1->redis"}, true},
		{"of one of the nodes", []string{stall, "stall: link:replication:pg-1"}, true}, // any may be the primary then
		{"of that node", []string{stall, "stall: link:replication:pg-1", "lose: postgres.primary", "lose: pg-1", "start: postgres.old-primary", "start: pg-1"}, false},
		{"of another node", []string{stall, "stall: link:replication:pg-2", "lose: postgres.primary", "lose: pg-1", "start: postgres.old-primary", "start: pg-1"}, true},
		{"of the primary", []string{stall, "stall: link:postgres.primary->*"}, false},
		{"of a replica", []string{stall, "stall: link:postgres.replica[1]->*"}, true},
		{"another fault", []string{stall, "pause: redis"}, true},
		{"healed", []string{stall, "stall: link:replication\n    as: s\n  - {at: failover + 9s, heal: s}"}, true},
		{"no rpo", []string{stall, "pause: redis", "rpo: 0s, ", ""}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := build(t, shipped(t, "primary-failover", tc.replace...), plan.Options{Seed: 1})
			got := false
			for _, w := range p.Warnings {
				got = got || strings.Contains(w.Msg, "rpo is not exercised")
			}
			if got != tc.warned {
				t.Errorf("warned %v, want %v: %v", got, tc.warned, p.Warnings)
			}
			if shown := strings.Contains(render(t, p, 400), "warning    library:primary-failover:"); shown != tc.warned {
				t.Errorf("the printed plan shows a warning: %v, want %v", shown, tc.warned)
			}
		})
	}
}

func TestBuildLeavesTheScenarioAlone(t *testing.T) {
	sc, same := shipped(t, "primary-failover"), shipped(t, "primary-failover")
	sc.Options, same.Options = map[string]string{"ttl": "20"}, map[string]string{"ttl": "20"}
	p := build(t, sc, plan.Options{Seed: 9, Repeat: 2})
	p.Options["ttl"] = "changed"
	if diff := cmp.Diff(same, sc); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// TestNeeds checks that a plan says what its target takes, if that is known.
func TestNeeds(t *testing.T) {
	p := build(t, shipped(t, "primary-failover"), plan.Options{})
	p.Needs = "Docker"
	var text, document strings.Builder
	if err := errors.Join(p.Render(&text, 100), p.WriteJSON(&document)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "\n  needs Docker\n") || !strings.Contains(document.String(), `"needs": "Docker",`) {
		t.Errorf("%s\n%s", &text, &document)
	}
}

// TestParameters checks that the parameters of a fault reach it, and that what
// is wrong with them is an error at their place.
func TestParameters(t *testing.T) {
	const stall = "stall: link:replication           # standbys stop receiving: a lost acknowledged write becomes possible\n    for: 30s"
	latency := func(with string) string { return "latency: link:replication\n    for: 30s" + with }
	p := build(t, shipped(t, "primary-failover", stall, latency("\n    with: {delay: 200ms}")), plan.Options{})
	i := slices.IndexFunc(p.Steps, func(s plan.Step) bool { return s.Verb == "latency" })
	if i < 0 || p.Steps[i].Params.Values["delay"] != "200ms" {
		t.Errorf("steps %+v", p.Steps)
	}
	for with, want := range map[string]string{
		"":                                     "the parameter delay is missing",
		"\n    with: {delay: 200}":             "delay=200: want a duration",
		"\n    with: {delay: 1s, wobble: 3ms}": `has no parameter "wobble": it has delay`,
	} {
		sc := shipped(t, "primary-failover", stall, latency(with))
		_, err := plan.Build(sc, topology(), catalog(), workloads(), plan.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", with, err, want)
		}
	}
}
