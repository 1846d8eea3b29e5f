// Package live shows a run while it goes on: five lines that are redrawn on a
// terminal, or a line for every change of state where there is none.
//
// It reads the same events that the history keeps and decides nothing.
package live

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
)

// A Header says what is running.
type Header struct {
	Scenario string
	Run      string
	Target   string
	Total    time.Duration // of one drill's phases
	Spec     check.Spec
}

// A State is what is known of a run at a moment. It is safe for concurrent
// use: events come in from any goroutine, drawing reads it.
type State struct {
	header Header

	mu      sync.Mutex
	drill   int
	clock   history.Clock // of the drill's phases
	phase   string
	quiet   bool   // the drill's load is over
	now     second // the second that is being counted
	last    second // the one before, which is shown
	system  *system
	faults  map[string]faultState
	order   []string       // of faults
	tally   *history.Tally // of the drill
	cell    *history.Cell  // of the phase, as of second cellAt: merging it is too much for every drawing
	cellAt  int64
	changes []change // that were not printed yet
	hint    string   // what can be done
}

// A change of state is worth a line.
type change struct {
	at   time.Duration // since the run began
	text string
}

// A second counts what was offered and answered in one second.
type second struct {
	at            int64
	offered, sent int
	ok, bad       int
	maxLag        time.Duration
	latency       *hdrhistogram.Histogram
}

type faultState struct {
	verb, target string
	injected     time.Duration
	state        string
	drill        int
}

// NewState returns the state of a run that has not begun.
func NewState(h Header) *State {
	return &State{
		header: h,
		hint:   "Ctrl-C stops and heals",
		system: newSystem(),
		faults: map[string]faultState{},
		tally:  history.NewTally(),
		now:    newSecond(0),
		last:   newSecond(0),
	}
}

func newSecond(at int64) second {
	return second{at: at, latency: newLatency()}
}

// newLatency counts milliseconds up to two minutes, to two digits.
func newLatency() *hdrhistogram.Histogram { return hdrhistogram.New(1, 120_000, 2) }

// Observe takes the next event.
func (s *State) Observe(e *history.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.By {
	case history.ByLoad:
		s.operation(e)
	case history.ByProbe:
		for _, text := range s.system.observe(e) {
			s.change(e, text)
		}
	case history.ByFault:
		s.fault(e)
	case history.ByRun:
		s.course(e)
	case history.ByAudit:
		if e.Op == history.AuditDone {
			s.change(e, "final reads done")
		}
	}
}

func (s *State) operation(e *history.Event) {
	if e.Kind == history.Invoke {
		return
	}
	if at := int64(e.At / time.Second); at != s.now.at {
		s.last, s.now = s.now, newSecond(at)
	}
	s.now.offered++
	if e.Sent > 0 {
		s.now.sent++
		s.now.maxLag = max(s.now.maxLag, e.Sent-e.Sched)
	}
	// Answers come in another order than their phases: only forward counts.
	if s.place(e.Phase) > s.place(s.phase) {
		s.phase = e.Phase
		s.change(e, "phase "+e.Phase)
	}
	s.tally.Observe(e)
	if e.Kind != history.OK {
		s.now.bad++
		return
	}
	s.now.ok++
	ms := max(1, (e.At - e.Sched).Milliseconds())
	_ = s.now.latency.RecordValue(ms) // beyond two minutes nothing is answered
}

// place is where a phase stands in a drill, -1 before the first.
func (s *State) place(phase string) int {
	return slices.IndexFunc(s.header.Spec.Phases, func(p check.Phase) bool { return p.Name == phase })
}

func (s *State) fault(e *history.Event) {
	f := s.faults[e.ID]
	switch e.Op {
	case history.FaultInject:
		f = faultState{verb: e.Verb, target: e.Target, injected: e.At, state: "injecting", drill: e.Drill}
		s.order = append(slices.DeleteFunc(s.order, func(n string) bool { return n == e.ID }), e.ID)
		s.change(e, fmt.Sprintf("%s %s (%s)", e.Verb, e.Target, e.ID))
	case history.FaultSettled:
		f.state = "in effect"
		s.change(e, fmt.Sprintf("%s in effect: %s", e.ID, e.Text))
	case history.FaultRecover:
		f.state = "mending"
	case history.FaultRecovered:
		f.state = "gone"
		s.change(e, fmt.Sprintf("%s gone: %s", e.ID, e.Text))
	case history.FaultFailed:
		f.state = "FAILED"
		s.change(e, fmt.Sprintf("%s FAILED: %s", e.ID, e.Text))
	default:
		return
	}
	s.faults[e.ID] = f
}

func (s *State) course(e *history.Event) {
	s.clock.Observe(e)
	switch e.Op {
	case history.RunTopology:
		if t, ok := history.TopologyOf(e); ok {
			s.system.take(t)
		}
	case history.RunDrill:
		s.drill, s.phase, s.quiet = e.Drill, "", false
		s.tally = history.NewTally()
		s.change(e, fmt.Sprintf("drill %d of %d begins", e.Drill, s.header.Spec.Drills))
	case history.RunLoadEnd:
		s.quiet = true
		s.change(e, "load is over: mending, waiting for quiet, reading the final state")
	case history.RunAbort:
		s.quiet = true
		s.change(e, "stopped: "+e.Text)
	case history.RunNote, history.RunMisfit:
		s.change(e, "note: "+e.Text)
	case history.RunCut:
		s.change(e, e.Text)
	case history.RunMark:
		s.change(e, "mark: "+e.Text)
	}
}

// Say adds a line to the changes of state that comes from somewhere else, for
// example from bringing a system up. At is the time since the run began.
func (s *State) Say(at time.Duration, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.change(&history.Event{At: at}, text)
}

// Hint says what whoever looks on can do now, or is asked.
func (s *State) Hint(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hint = text
}

func (s *State) hinted() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hint
}

// Begun reports whether the first drill has begun.
func (s *State) Begun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drill > 0
}

// change keeps a line about a change of state for the next drawing.
func (s *State) change(e *history.Event, text string) {
	s.changes = append(s.changes, change{e.At, plain(text)})
}

// Changes returns the lines about changes since the last call.
func (s *State) Changes() []string {
	var lines []string
	for _, c := range s.take() {
		lines = append(lines, fmt.Sprintf("%8s  %s", clock(c.at), c.text))
	}
	return lines
}

// take returns the changes since the last call.
func (s *State) take() []change {
	s.mu.Lock()
	defer s.mu.Unlock()
	changes := s.changes
	s.changes = nil
	return changes
}

// Lines draws the panel as of now, which is the time since the run began. It
// always has five lines.
func (s *State) Lines(now time.Duration) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	into, waits := s.into(now), ""
	if s.clock.Held(now) && !s.quiet {
		waits = ", waits at a gate"
	}
	// What changes comes first: the rest may have no room.
	head := fmt.Sprintf("%s  %s of %s%s  drill %d of %d  run %s  %s",
		s.header.Scenario, clock(into), clock(s.header.Total), waits, max(1, s.drill), s.header.Spec.Drills, s.header.Run, s.header.Target)
	return []string{
		head,
		"load        " + s.load(into),
		"system      " + s.system.line(),
		"faults      " + s.faultLine(now),
		"objectives  " + s.objectives(now),
	}
}

// Summary is the state in one line, for places that cannot be redrawn.
func (s *State) Summary(now time.Duration) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	into := s.into(now)
	line := fmt.Sprintf("%8s  %s", clock(now), s.load(into))
	if system := s.system.line(); system != "" {
		line += " | " + system
	}
	return line
}

// into is what the clock of the drill's phases shows.
func (s *State) into(now time.Duration) time.Duration {
	return min(max(0, s.clock.Into(now)), s.header.Total)
}

func (s *State) load(into time.Duration) string {
	asked := "0/s asked"
	for _, p := range s.header.Spec.Phases {
		if into >= p.Start && into < p.Start+p.For {
			asked = askedOf(p, into-p.Start)
		}
	}
	l := s.last
	if s.quiet {
		return "over; mending, waiting for quiet, reading the final state"
	}
	if l.offered == 0 {
		return s.phase + "  nothing answered yet"
	}
	p99 := "-"
	if l.ok > 0 {
		p99 = fmt.Sprintf("%d ms", l.latency.ValueAtQuantile(99))
	}
	return fmt.Sprintf("%s  %s  %d/s completed  ok %.1f %%  p99 %s  latest send %d ms late",
		s.phase, asked, l.offered, 100*float64(l.ok)/float64(l.offered), p99, l.maxLag.Milliseconds())
}

// askedOf says what is asked of the system at a time within a phase. Of a rate
// that does not go evenly it is the mean.
func askedOf(p check.Phase, at time.Duration) string {
	rate := p.From + (p.To-p.From)*float64(at)/float64(p.For)
	switch {
	case p.Users > 0:
		return fmt.Sprintf("up to %d users", p.Users)
	case p.Planned > 0:
		rate = p.Planned / p.For.Seconds()
	}
	return fmt.Sprintf("%.0f/s asked", rate)
}

func (s *State) faultLine(now time.Duration) string {
	var parts []string
	for _, name := range s.order {
		f := s.faults[name]
		if f.drill == s.drill && f.state != "gone" {
			parts = append(parts, fmt.Sprintf("%s %s %s, %.0f s ago", f.verb, f.target, f.state, (now-f.injected).Seconds()))
		}
	}
	if len(parts) == 0 {
		return "none in effect"
	}
	return strings.Join(parts, "  ")
}

// objectives shows latency and errors of the phase under way, and how long ago
// an event with a recovery objective was.
func (s *State) objectives(now time.Duration) string {
	var parts []string
	for _, o := range s.header.Spec.Objectives {
		if f, ok := s.faults[o.Subject]; ok && o.Metric == "rto" && f.drill == s.drill {
			parts = append(parts, fmt.Sprintf("%s %.0f s ago, rto %g s", o.Subject, (now-f.injected).Seconds(), o.Limit/1000))
		}
		if o.Subject != s.phase {
			continue
		}
		cell := s.phaseCell()
		switch o.Metric {
		case "p99":
			parts = append(parts, fmt.Sprintf("%s p99 %d ms of %g ms", o.Subject, cell.Latency(history.OK, 0.99).Milliseconds(), o.Limit))
		case "errors":
			parts = append(parts, fmt.Sprintf("errors %.2f %% of %g %%", 100*float64(cell.Errors())/float64(max(1, cell.Offered)), o.Limit))
		}
	}
	return strings.Join(parts, "  ")
}

// phaseCell is what was counted in the phase under way, up to a second old.
func (s *State) phaseCell() *history.Cell {
	if s.cell == nil || s.cellAt != s.now.at {
		s.cell, s.cellAt = s.tally.Cell(s.phase, ""), s.now.at
	}
	return s.cell
}

// clock writes a duration as 1m42s, to the second.
func clock(d time.Duration) string { return d.Round(time.Second).String() }
