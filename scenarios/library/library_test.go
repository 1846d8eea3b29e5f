package library_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/library"
)

// TestScenarios checks that each shipped scenario is flawless, bears the name
// of its file and is short enough for a pull request.
func TestScenarios(t *testing.T) {
	names := library.Names()
	if diff := cmp.Diff([]string{"api-kill", "clock-skew", "primary-failover", "restore-drill", "steady-gate"}, names); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	for _, name := range names {
		src, ok := library.Open(name)
		if !ok {
			t.Fatalf("no scenario %q", name)
		}
		sc, err := scenarios.Parse("library:"+name, src, nil)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if sc.Name != name || sc.About == "" || len(sc.Warnings) > 0 {
			t.Errorf("%s: name %q, about %q, warnings %v", name, sc.Name, sc.About, sc.Warnings)
		}
		var total time.Duration
		for _, p := range sc.Load.Phases {
			total += p.For
		}
		if total > 210*time.Second {
			t.Errorf("%s: a drill takes %v", name, total)
		}
	}
}

// TestRehearsals checks that whatever ships can be rehearsed in seconds: the load
// of one takes less than 30 s, so that it is over 40 s after the system is up.
func TestRehearsals(t *testing.T) {
	for _, name := range append(library.Names(), library.Controls()...) {
		src, _ := library.Open(name)
		sc, err := scenarios.Parse("library:"+name, src, nil)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		sc.Once()
		var total time.Duration
		for _, p := range sc.Load.Phases {
			total += p.For
		}
		if total >= 30*time.Second {
			t.Errorf("%s: a rehearsal loads for %v", name, total)
		}
	}
}

// TestControls checks that each scenario about proofload itself is flawless, bears
// the name of its file, and is told apart from the others.
func TestControls(t *testing.T) {
	names := library.Controls()
	if len(names) < 10 {
		t.Errorf("only %q", names)
	}
	for _, name := range names {
		src, ok := library.Open(name)
		if !ok {
			t.Fatalf("no scenario %q", name)
		}
		sc, err := scenarios.Parse("library:"+name, src, nil)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		kind, _, _ := strings.Cut(sc.About, ".")
		if "controls/"+sc.Name != name || len(sc.Warnings) > 0 || len(sc.Tags) != 1 || !strings.EqualFold(kind, sc.Tags[0]) {
			t.Errorf("%s: name %q, about %q, tags %q, warnings %v", name, sc.Name, sc.About, sc.Tags, sc.Warnings)
		}
	}
}

// TestPrimaryFailoverLeavesRoomToRecover checks the layout of the headline
// drill at its largest jitter: a recovery that just meets the objective is
// watched for long enough, before the old primary comes back and after.
func TestPrimaryFailoverLeavesRoomToRecover(t *testing.T) {
	src, _ := library.Open("primary-failover")
	sc, err := scenarios.Parse("library:primary-failover", src, nil)
	if err != nil {
		t.Fatal(err)
	}
	stall, lost, start := sc.Timeline[0], sc.Timeline[1], sc.Timeline[2]
	failover := sc.Load.Phases[2]
	const rto = 20 * time.Second
	if stall.Offset >= lost.Offset || stall.Offset+stall.For <= lost.Offset {
		t.Error("the replication is not stalled when the primary is lost")
	}
	if hold := failover.For - sc.Repeat.Jitter - lost.Offset - rto; hold < 15*time.Second {
		t.Errorf("only %v between the latest recovery and the end of its phase", hold)
	}
	// The return of the old primary has a phase of its own: what it costs must
	// not be taken for a late recovery, nor be hidden in a quiet phase.
	rejoin := sc.Load.Phases[3]
	if start.Phase != rejoin.Name {
		t.Errorf("the old primary is started in %s, want %s", start.Phase, rejoin.Name)
	}
	if rest := rejoin.For - sc.Repeat.Jitter - start.Offset; rest < 25*time.Second {
		t.Errorf("only %v for the old primary to rejoin", rest)
	}
	if after := sc.Load.Phases[4]; after.For < 30*time.Second {
		t.Errorf("%s takes only %v", after.Name, after.For)
	}
}

// TestReadmeShowsWhatShips compares the example that everybody reads first.
func TestReadmeShowsWhatShips(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	src, _ := library.Open("primary-failover")
	if !strings.Contains(string(readme), "```yaml\n"+string(src)+"```\n") {
		t.Error("the example in README.md is not the scenario primary-failover as it ships")
	}
}

func TestOpenUnknown(t *testing.T) {
	for _, name := range []string{"", "nothing", "../scenario", "library.go"} {
		if _, ok := library.Open(name); ok {
			t.Errorf("there is a scenario %q", name)
		}
	}
}
