package live

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
)

func header() Header {
	return Header{
		Scenario: "primary-failover", Run: "7f3c", Target: "stack/ledger", Total: 20 * time.Second,
		Spec: check.Spec{
			Drills: 2,
			Phases: []check.Phase{
				{Name: "steady", For: 10 * time.Second, From: 100, To: 100, Score: true},
				{Name: "failover", Start: 10 * time.Second, For: 10 * time.Second, From: 100, To: 100, Score: true},
			},
			Objectives: []check.Objective{
				{Subject: "steady", Metric: "p99", Limit: 250},
				{Subject: "primary-lost", Metric: "rto", Limit: 20_000},
			},
		},
	}
}

// play feeds a short run: two seconds of load, then the primary goes.
func play(s *State) {
	s.Observe(&history.Event{At: time.Second, By: history.ByRun, Op: history.RunDrill, Drill: 1})
	s.Observe(&history.Event{At: time.Second, By: history.ByProbe, Kind: history.Info, Op: history.ProbeDatabase, Node: "pg-1", Role: "primary", Timeline: 1})
	for i := range 200 {
		sched := time.Second + time.Duration(i)*10*time.Millisecond
		s.Observe(&history.Event{
			At: sched + 5*time.Millisecond, By: history.ByLoad, Kind: history.OK, Op: "read-account", Drill: 1,
			Phase: "steady", Sched: sched, Sent: sched + time.Millisecond, Status: 200,
		})
	}
	s.Observe(&history.Event{At: 3 * time.Second, By: history.ByFault, Op: history.FaultInject, ID: "primary-lost", Verb: "lose", Target: "pg-1", Drill: 1})
	s.Observe(&history.Event{At: 3 * time.Second, By: history.ByProbe, Kind: history.Fail, Op: history.ProbeDatabase, Node: "pg-1", Text: "timeout"})
	s.Observe(&history.Event{At: 3100 * time.Millisecond, By: history.ByFault, Op: history.FaultSettled, ID: "primary-lost", Verb: "lose", Target: "pg-1", Drill: 1, Text: "supervisor: exited"})
}

func TestLines(t *testing.T) {
	s := NewState(header())
	play(s)
	got := s.Lines(5 * time.Second)
	for i, want := range []string{
		"primary-failover  4s of 20s  drill 1 of 2  run 7f3c  stack/ledger",
		"load        steady  100/s asked  100/s completed  ok 100.0 %  p99 5 ms  latest send 1 ms late",
		"system      pg-1 DOWN",
		"faults      lose pg-1 in effect, 2 s ago",
		"objectives  steady p99 5 ms of 250 ms  primary-lost 2 s ago, rto 20 s",
	} {
		if got[i] != want {
			t.Errorf("line %d = %q\nwant     %q", i+1, got[i], want)
		}
	}
}

func TestPlainPrintsChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewState(header())
		play(s)
		s.Say(0, "answered: \x1b[31mno\a")
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		var out bytes.Buffer
		Plain(ctx, &out, s, func() time.Duration { return time.Since(began) })
		for _, want := range []string{"drill 1 of 2 begins", "pg-1 is DOWN (was primary)", "lose pg-1 (primary-lost)", "in effect: supervisor: exited", "answered: [31mno\n"} {
			if n := strings.Count(out.String(), want); n != 1 {
				t.Errorf("Plain() printed %q %d times, want once:\n%s", want, n, out.String())
			}
		}
		if n := strings.Count(out.String(), " | "); n != 2 {
			t.Errorf("Plain() printed %d summaries in 40 s, want 2 (each 15 s):\n%s", n, out.String())
		}
		if strings.Contains(out.String(), "\x1b") {
			t.Error("Plain() printed an escape sequence")
		}
	})
}

// TestPanelKeepsFiveRows redraws on terminals of several widths: a line of the
// panel takes one row, with what can be done at the end of the first, and what
// scrolls by above it is not cut.
func TestPanelKeepsFiveRows(t *testing.T) {
	const gate = "gate-1: On-call told, dashboards open, no deploy running. Start the outage?  press g, or proofload approve 7f3c"
	for _, width := range []int{10, 40, 80, 200} {
		synctest.Test(t, func(t *testing.T) {
			s := NewState(header())
			play(s)
			s.Say(3*time.Second, gate)
			s.Hint("a abort")
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 350*time.Millisecond)
			defer cancel()
			var out bytes.Buffer
			Panel(ctx, &out, func() int { return width }, s, func() time.Duration { return time.Since(began) })
			screens := strings.Split(out.String(), "\x1b[5A\x1b[J")
			if len(screens) != 5 {
				t.Fatalf("width %d: went back five rows %d times in 350 ms, want 4 (three redraws and the end)", width, len(screens)-1)
			}
			if !strings.Contains(screens[0], gate) {
				t.Errorf("width %d: the question is cut:\n%s", width, screens[0])
			}
			lines := strings.Split(strings.TrimSuffix(screens[1], "\n"), "\n")
			if len(lines) != 5 || !strings.HasSuffix(lines[0], "a abort") || width >= 80 && !strings.Contains(lines[0], "s of 20s  drill 1 of 2") {
				t.Errorf("width %d: %q", width, lines)
			}
			for _, line := range lines {
				if n := len([]rune(line)); n > width {
					t.Errorf("width %d: a line of %d columns: %q", width, n, line)
				}
			}
		})
	}
}

// TestPanelBeforeTheFirstDrill says what can be done while the system comes up.
func TestPanelBeforeTheFirstDrill(t *testing.T) {
	s := NewState(header())
	s.Hint("a abort")
	if got := s.panel(time.Second, 80); len(got) != 1 || got[0] != "a abort" {
		t.Errorf("got %q", got)
	}
}

func TestWhatIsAsked(t *testing.T) {
	for want, p := range map[string]check.Phase{
		"200/s asked":    {For: time.Minute, From: 200, To: 200},
		"50/s asked":     {For: time.Minute, From: 0, To: 200},
		"300/s asked":    {For: time.Minute, From: 200, To: 2000, Planned: 18_000},
		"up to 50 users": {For: time.Minute, Users: 50},
		"0/s asked":      {For: time.Minute},
	} {
		if got := askedOf(p, 15*time.Second); got != want {
			t.Errorf("asked: %q, want %q", got, want)
		}
	}
}

// TestLinesAtAGate stand still with the clock of the drill, and say why.
func TestLinesAtAGate(t *testing.T) {
	s := NewState(header())
	play(s)
	s.Observe(&history.Event{At: 5 * time.Second, By: history.ByRun, Op: history.RunHold, ID: "gate-1", Drill: 1})
	for now, want := range map[time.Duration]string{
		4 * time.Second:  "  3s of 20s  drill 1 of 2",
		90 * time.Second: "  4s of 20s, waits at a gate  drill 1 of 2",
	} {
		if got := s.Lines(now); !strings.Contains(got[0], want) || !strings.Contains(got[1], "100/s asked") {
			t.Errorf("at %v: %q, want %q", now, got[:2], want)
		}
	}
	s.Observe(&history.Event{At: 95 * time.Second, By: history.ByRun, Op: history.RunGoOn, ID: "gate-1", Drill: 1})
	if got, want := s.Lines(97 * time.Second)[0], "  6s of 20s  drill 1 of 2"; !strings.Contains(got, want) {
		t.Errorf("after the gate: %q, want %q", got, want)
	}
}
