package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
)

func TestGenerator(t *testing.T) {
	inFault := func(s float64) bool { return s >= 0.5 } // the fault below has that phase to itself from then on
	kill := join(faulted(0.5, history.FaultInject), faulted(0.5, history.FaultSettled))
	lag := func(d time.Duration) func(*history.Event) {
		return func(e *history.Event) { e.Sent, e.At = e.Sent+d, e.At+d }
	}
	shed := func(e *history.Event) { e.Kind, e.Class, e.Sent = history.Fail, "shed", 0 }
	tests := []struct {
		name   string
		change func(*history.Event)
		where  func(s float64) bool
		fault  bool
		reason string
	}{
		{"sound", lag(time.Millisecond), func(float64) bool { return true }, false, ""},
		{"late", lag(60 * time.Millisecond), func(s float64) bool { return s < 0.02 }, false, "the send lag outside fault windows was 60 ms at the 99th percentile, 50 ms is allowed"},
		{"rarely late", lag(60 * time.Millisecond), func(s float64) bool { return s < 0.009 }, false, ""},
		{"late in a fault window", lag(60 * time.Millisecond), inFault, true, ""},
		{"shed", shed, func(s float64) bool { return s < 0.0015 }, false, "2 operations were shed outside fault windows: too many were in flight"},
		{"shed in a fault window", shed, inFault, true, ""},
		{"missing", nil, func(s float64) bool { return s < 0.012 }, false, "98.8 % of the 1,000 operations planned in only of drill 1 arrived, 99 % is needed"},
		{"missing in a fault window", nil, func(s float64) bool { return s > 0.9 }, true, "90.1 % of the 1,000 operations planned in only of drill 1 arrived, 99 % is needed"},
		{"few missing", nil, func(s float64) bool { return s < 0.01 }, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var events []history.Event
			for i, e := range load(1000, 0) {
				if i == 1 && tt.fault {
					events = append(events, kill...)
				}
				if e.By == history.ByLoad && tt.where(e.Sched.Seconds()) {
					if tt.change == nil {
						continue
					}
					tt.change(&e)
				}
				events = append(events, e)
			}
			g := judge(t, onlyPhase(1000), events).Generator
			if g.Reason != tt.reason || g.Fell != (tt.reason != "") {
				t.Errorf("fell %t: %q, want %q", g.Fell, g.Reason, tt.reason)
			}
			if g.Offered != g.Sent+g.Shed || g.Completed != g.Sent {
				t.Errorf("counts %+v", g)
			}
		})
	}
}

// TestStepsOfJourneysThatAreShed has one later request of a journey that was never
// sent: it is no arrival, and the generator did not do what it was to.
func TestStepsOfJourneysThatAreShed(t *testing.T) {
	var events []history.Event
	for i, e := range load(1000, 0) {
		events = append(events, e)
		if i == 100 {
			e.Kind, e.Class, e.Sent, e.Step, e.At = history.Fail, history.ClassShed, 0, 1, e.Sched
			events = append(events, e)
		}
	}
	g := judge(t, onlyPhase(1000), events).Generator
	if g.Offered != 1000 || g.Shed != 0 || g.Reason != "1 operation was shed outside fault windows: too many were in flight" {
		t.Errorf("offered %d, shed %d, %q", g.Offered, g.Shed, g.Reason)
	}
}

// TestStepsOfJourneysAreNoArrivals has every second arrival missing, and as many
// later requests of journeys in their place.
func TestStepsOfJourneysAreNoArrivals(t *testing.T) {
	var events []history.Event
	n := 0
	for _, e := range load(1000, 0) {
		if e.By == history.ByLoad && e.Kind != history.Invoke {
			e.Step = n % 2
			n++
		}
		events = append(events, e)
	}
	j := judge(t, onlyPhase(1000), events)
	if g := j.Generator; g.Offered != 500 || !g.Fell || !strings.HasPrefix(g.Reason, "50 % of the 1,000 operations planned") {
		t.Errorf("offered %d, %q; want 500, and that half is missing", g.Offered, g.Reason)
	}
	if got := j.Windows[0].Count; got != 1000 {
		t.Errorf("%d operations in the phase, want the later requests as well", got)
	}
}

// TestLateGenerator has clients served late, by a generator that is late itself
// and by a system that is not: only the second is a miss.
func TestLateGenerator(t *testing.T) {
	limits := []Objective{
		{Subject: "only", Metric: "p99", Op: "<=", Limit: 1500},
		{Subject: "only", Metric: "errors", Op: "<=", Limit: 0.1},
	}
	tests := []struct {
		name    string
		sent    time.Duration // later than scheduled
		class   string        // of every fiftieth, if it fails
		shed    time.Duration // later than scheduled, if it is shed
		outcome []Outcome     // of p99 and errors
		says    string
	}{
		{"the generator", 3 * time.Second, "", 0, []Outcome{Inconclusive, Pass}, "that may be the load generator's doing, which fell behind: the send lag outside fault windows was 3"},
		{"the system", 0, "", 0, []Outcome{Fail, Pass}, "p99 of only was 3"},
		{"the system has errors too", 3 * time.Second, "5xx", 0, []Outcome{Inconclusive, Fail}, "load generator's doing"},
		{"the generator sheds", 3 * time.Second, history.ClassShed, 3 * time.Second, []Outcome{Inconclusive, Inconclusive}, "load generator's doing"},
		{"the generator sheds all that is late", 0, history.ClassShed, 3 * time.Second, []Outcome{Inconclusive, Inconclusive}, "20 operations were shed because the generator was late"},
		{"the system makes it shed", 0, history.ClassShed, 0, []Outcome{Fail, Fail}, "p99 of only is a failed operation"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := slices.Clone(load(1000, 0))
			for i := range events {
				e := &events[i]
				if e.By != history.ByLoad || e.Kind != history.OK {
					continue
				}
				e.Sent, e.At = e.Sched+tt.sent, e.Sched+3*time.Second+time.Millisecond
				if tt.class != "" && i%50 == 0 {
					e.Kind, e.Class = history.Fail, tt.class
				}
				if e.Class == history.ClassShed {
					e.Sent, e.At = 0, e.Sched+tt.shed
				}
			}
			j := judge(t, onlyPhase(1000, limits...), events)
			if got := []Outcome{j.Objectives[0].Outcome, j.Objectives[1].Outcome}; !slices.Equal(got, tt.outcome) {
				t.Errorf("p99 and errors are %s, want %s", got, tt.outcome)
			}
			if reason := j.Objectives[0].Reason; !strings.Contains(reason, tt.says) {
				t.Errorf("p99 says %q, want %q", reason, tt.says)
			}
			if want := Worst(tt.outcome...); j.Outcome != want {
				t.Errorf("the run is %s, want %s", j.Outcome, want)
			}
		})
	}
}

// TestFaultWindow says how long a fault excuses the load generator.
func TestFaultWindow(t *testing.T) {
	tests := []struct {
		name   string
		events []history.Event
		s      float64
		want   bool
	}{
		{"before", join(faulted(12, history.FaultInject)), 11.9, false},
		{"in effect", join(faulted(12, history.FaultInject)), 12, true},
		{"gone, same phase", join(faulted(12, history.FaultInject), faulted(14, history.FaultRecovered)), 19, true},
		{"gone, next phase", join(faulted(12, history.FaultInject), faulted(14, history.FaultRecovered)), 20, false},
		{"gone in the next phase", join(faulted(12, history.FaultInject), faulted(24, history.FaultRecovered)), 23, true},
		{"never gone", join(faulted(12, history.FaultInject)), 29, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCourt(Spec{Phases: []Phase{{Name: "a", For: at(10)}, {Name: "b", Start: at(10), For: at(10)}, {Name: "c", Start: at(20), For: at(10)}}})
			c.hear(stream(join(drillNo(0, 1), tt.events), nil))
			if got := c.faults.disturb(1, at(tt.s)); got != tt.want {
				t.Errorf("disturb(%v s) = %t, want %t", tt.s, got, tt.want)
			}
			if c.faults.disturb(2, at(tt.s)) {
				t.Error("a fault disturbs another drill")
			}
		})
	}
}

func TestFaultWindows(t *testing.T) {
	note := faulted(3, history.FaultInject)
	note.ID, note.Verb, note.Target = "n", "note", "hello"
	j := judge(t, Spec{}, join(drillNo(0, 1), faulted(1, history.FaultInject), faulted(2, history.FaultSettled), note))
	want := FaultWindow{Name: "gone", Verb: "kill", Target: "redis", Drill: 1, From: 1000, Settled: 2000, To: -1, Open: true}
	if len(j.Faults) != 2 || j.Faults[0] != want || j.Faults[1].Open {
		t.Errorf("faults %+v, want %+v and a note that is not open", j.Faults, want)
	}
}
