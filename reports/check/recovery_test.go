package check

import (
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// A drama is a hand-written drill of one phase of 40 s with a kill at 10 s, an
// operation every 20 ms, writes and reads in turn.
type drama struct {
	bad     func(s float64, write bool) bool // since the drill began
	slow    func(s float64, write bool) bool
	late    func(s float64, write bool) bool // sent 2 s late, and answered at once
	unsent  func(s float64, write bool) bool // as that would have been 2 s late
	skip    func(s float64, write bool) bool
	until   float64 // of what is recorded, in s; 0: all
	settled bool
	beside  func(s float64) bool // whether it is good for a client beside the load's path; nil: there is none
}

func (d drama) judge(t *testing.T) (*Judgement, ObjectiveResult) {
	t.Helper()
	is := func(f func(float64, bool) bool, s float64, write bool) bool { return f != nil && f(s, write) }
	events := join(drillNo(0, 1))
	rate := 0
	for i := range 2000 {
		s, write := float64(i)*0.02, i%2 == 0
		if i == 500 {
			events = append(events, faulted(10, history.FaultInject), faulted(10.1, history.FaultInjected))
			if d.settled {
				events = append(events, faulted(10.5, history.FaultSettled))
			}
		}
		if is(d.skip, s, write) || d.until > 0 && s > d.until {
			continue
		}
		if d.beside != nil {
			events = append(events, besides(s, write, d.beside(s)))
		}
		rate++
		e := history.Event{By: history.ByLoad, Kind: history.OK, Op: "op", Phase: "only", Write: write, Sched: at(s), Sent: at(s), At: at(s + 0.005)}
		if is(d.bad, s, write) {
			e.Kind = history.Fail
		}
		if is(d.slow, s, write) {
			e.At += 2 * time.Second
		}
		if is(d.late, s, write) {
			e.Sent, e.At = e.Sent+2*time.Second, e.At+2*time.Second
		}
		if is(d.unsent, s, write) {
			e.Kind, e.Class, e.Sent, e.At = history.Fail, history.ClassShed, 0, e.At+2*time.Second
		}
		events = append(events, e)
	}
	if d.until == 0 {
		events = join(events, run(42, history.RunLoadEnd), run(43, history.RunDrillEnd))
	}
	spec := Spec{
		Phases:     []Phase{{Name: "only", For: 40 * time.Second, From: float64(rate) / 40, To: float64(rate) / 40, Score: true}},
		Events:     []Entry{{Name: "gone", Verb: "kill", Target: "redis", Phase: "only", At: at(10)}},
		Objectives: []Objective{{Subject: "gone", Metric: "rto", Op: "<=", Limit: 10_000}},
	}
	j := judge(t, spec, events)
	return j, j.Objectives[0]
}

// besides is what a client saw that goes another way than the load, as one of the
// same kind would have been recorded.
func besides(s float64, write, good bool) history.Event {
	e := history.Event{By: history.ByProbe, Kind: history.OK, Op: "op", Phase: "only", Write: write, Sched: at(s), Sent: at(s), At: at(s + 0.001)}
	if !good {
		e.Kind = history.Fail
	}
	return e
}

// TestRecoveryIsOfTheLoad has the system be well on another path at another time
// than on that of the load, as when a proxy stands in one of them. What counts is
// when the clients were served that the load stands for.
func TestRecoveryIsOfTheLoad(t *testing.T) {
	for _, tt := range []struct {
		name         string
		load, beside func(s float64) bool // disturbed
		value        float64              // ms
	}{
		{"well sooner beside it", func(s float64) bool { return s >= 11 && s < 18 }, func(s float64) bool { return s >= 11 && s < 12 }, 8000},
		{"well later beside it", func(s float64) bool { return s >= 11 && s < 14 }, func(s float64) bool { return s >= 11 && s < 30 }, 4000},
		{"always well beside it", func(s float64) bool { return s >= 11 && s < 18 }, func(float64) bool { return false }, 8000},
		{"disturbed beside it only", func(float64) bool { return false }, func(s float64) bool { return s >= 11 && s < 30 }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := drama{
				settled: true, bad: func(s float64, _ bool) bool { return tt.load(s) }, beside: func(s float64) bool { return !tt.beside(s) },
			}
			if _, o := d.judge(t); o.Outcome != Pass || o.Value < tt.value-21 || o.Value > tt.value+21 {
				t.Errorf("%s %.0f ms (%s); want %s %.0f ms", o.Outcome, o.Value, o.Reason, Pass, tt.value)
			}
		})
	}
}

func faulted(s float64, op string) history.Event {
	return history.Event{At: at(s), By: history.ByFault, Kind: history.Info, Op: op, ID: "gone", Verb: "kill", Target: "redis"}
}

func between(from, to float64) func(float64, bool) bool {
	return func(s float64, _ bool) bool { return s >= from && s < to }
}

func onlyWrites(f func(float64, bool) bool) func(float64, bool) bool {
	return func(s float64, write bool) bool { return write && f(s, write) }
}

func TestRecovery(t *testing.T) {
	tests := []struct {
		name     string
		drama    drama
		outcome  Outcome
		value    float64 // ms
		censored bool
		says     string // in the reason, or in the note of a pass
	}{
		{"nothing disturbed", drama{settled: true}, Pass, 0, false, "no operation was disturbed"},
		{"recovered", drama{settled: true, bad: between(11, 14)}, Pass, 4000, false, "150 of 1,500 operations were disturbed"},
		{"worst class", drama{settled: true, bad: onlyWrites(between(11, 14.5))}, Pass, 4520, false, "disturbed"},
		{"slow is not good", drama{settled: true, slow: between(11, 14)}, Pass, 4000, false, "disturbed"},
		{"sent late", drama{settled: true, bad: between(11, 14), late: between(14, 22)}, Inconclusive, 12000, false, "the load generator fell behind: 400 operations were sent too late, or not at all for that"},
		{"not sent at all", drama{settled: true, bad: between(11, 14), unsent: between(14, 22)}, Inconclusive, 12000, false, "the load generator fell behind: 400 operations were sent too late"},
		{"sent late to the end", drama{settled: true, bad: between(11, 14), late: between(14, 41)}, Inconclusive, 30000, true, "the load generator fell behind: 1,300 operations were sent too late"},
		{"sent late, and served again in time", drama{settled: true, late: between(11, 14)}, Pass, 4000, false, "disturbed"},
		{"sent late after it was too late", drama{settled: true, bad: between(11, 22), late: between(22, 25)}, Fail, 15000, false, "clients were served again 15 s after redis was killed (limit 10 s)"},
		{"too late", drama{settled: true, bad: between(11, 22)}, Fail, 12000, false, "clients were served again 12 s after redis was killed (limit 10 s)"},
		{"bad again", drama{settled: true, bad: func(s float64, _ bool) bool { return s >= 11 && s < 13 || s >= 30 && s < 31 }}, Fail, 21000, false, "and fell below target again 1 time"},
		{"never", drama{settled: true, bad: between(11, 41)}, Fail, 30000, true, "clients were not served again within 30 s after redis was killed (limit 10 s)"},
		{"bad at the end", drama{settled: true, bad: between(38, 40)}, Fail, 30000, true, "not served again within 30 s"},
		{"before T0 does not count", drama{settled: true, bad: between(8, 10)}, Pass, 0, false, "no operation was disturbed"},
		{"not settled", drama{bad: between(11, 14)}, Inconclusive, 0, false, "gone was not seen to take effect"},
		{"no traffic", drama{settled: true, skip: between(10, 40)}, Inconclusive, 0, false, "no operation was scheduled in only after gone"},
		{"few operations", drama{settled: true, skip: between(10.5, 40)}, Inconclusive, 0, false, "too few to tell"},
		{"few writes, all good", drama{settled: true, skip: onlyWrites(between(10.5, 40))}, Pass, 0, false, "too few write operations to tell (13)"},
		{"few writes, one bad", drama{settled: true, skip: onlyWrites(between(10.5, 40)), bad: onlyWrites(between(10.2, 10.22))}, Inconclusive, 0, false, "only 13 write operations between gone and the end of only: too few to tell"},
		{"cut off before the limit", drama{settled: true, bad: between(11, 41), until: 18}, Inconclusive, 8005, true, "the drill ended 8.01 s after redis was killed, before clients were served again"},
		{"cut off after the limit", drama{settled: true, bad: between(11, 41), until: 25}, Fail, 15005, true, "not served again within 15 s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j, o := tt.drama.judge(t)
			if o.Outcome != tt.outcome || o.Censored != tt.censored || o.Value < tt.value-21 || o.Value > tt.value+21 {
				t.Errorf("%s %.0f ms censored %t (%s); want %s %.0f ms censored %t", o.Outcome, o.Value, o.Censored, o.Reason, tt.outcome, tt.value, tt.censored)
			}
			if said := o.Reason + o.Note; !strings.Contains(said, tt.says) {
				t.Errorf("says %q, want %q", said, tt.says)
			}
			if len(j.Recoveries) != 1 {
				t.Fatalf("%d recoveries, want 1", len(j.Recoveries))
			}
			if o.Outcome != Inconclusive && (o.Resolution < 39 || o.Resolution > 41) {
				t.Errorf("resolution %v ms, want about 40, that of one class", o.Resolution)
			}
		})
	}
}

// TestRecoveryLeavesOutWhatNeedsLostWrites has operations not find a write to the end
// of the phase: that is no outage if the write is lost, and one if it is there.
func TestRecoveryLeavesOutWhatNeedsLostWrites(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		write  bool // it is writes that build on the one in question
		stored []history.Event
		value  float64
		says   string
	}{
		{"lost", 404, false, nil, 2000, "; 500 operations on lost writes left out"},
		{"there", 404, false, join(stored("w", 1, 1)), 30_000, "not served again within 30 s"},
		{"lost, but the answer does not say so", 503, false, nil, 30_000, "not served again within 30 s"},
		{"built on a lost one", 404, true, nil, 2000, "; 500 operations on lost writes left out"},
		{"built on one that is there", 404, true, join(stored("w", 1, 1)), 30_000, "not served again within 30 s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			events := join(drillNo(0, 1), wrote(5, "w"), faulted(10, history.FaultInject), faulted(10.1, history.FaultInjected), faulted(10.5, history.FaultSettled))
			for i := range 1500 {
				e := history.Event{By: history.ByLoad, Kind: history.OK, Op: "op", Phase: "only", Write: i%2 == 0, Sched: at(10 + float64(i)*0.02)}
				e.Sent, e.At = e.Sched, e.Sched+time.Millisecond
				switch {
				case i < 100:
					e.Kind, e.Class = history.Fail, "dial_refused"
				case e.Write == tt.write && i >= 500:
					e.Kind, e.Class, e.Status = history.Fail, "status", tt.status
					if e.Write {
						e.Of = "w"
					} else {
						e.Key = "w"
					}
				}
				events = append(events, e)
			}
			events = join(events, run(42, history.RunLoadEnd), tt.stored, read(history.AuditDone), run(43, history.RunDrillEnd))
			j := judge(t, Spec{
				Phases:     []Phase{{Name: "only", For: 40 * time.Second, From: 37.5, To: 37.5, Score: true}},
				Events:     []Entry{{Name: "gone", Verb: "kill", Target: "redis", Phase: "only", At: at(10)}},
				Objectives: []Objective{{Subject: "gone", Metric: "rto", Op: "<=", Limit: 10_000}},
			}, events)
			if o := j.Objectives[0]; o.Value < tt.value-21 || o.Value > tt.value+21 || !strings.Contains(o.Reason+o.Note, tt.says) {
				t.Errorf("%.0f ms, says %q; want %.0f ms, %q", o.Value, o.Reason+o.Note, tt.value, tt.says)
			}
		})
	}
}

// TestRecoveryRecordOrder says that operations scheduled after T0 count even
// if they were recorded before the inject call.
func TestRecoveryRecordOrder(t *testing.T) {
	early := history.Event{By: history.ByLoad, Kind: history.Fail, Op: "op", Phase: "only", Sched: at(10) + 1, At: at(10) + 2}
	before := early
	before.Sched = at(9)
	events := join(drillNo(0, 1), before, early, faulted(10, history.FaultInject), faulted(10.5, history.FaultSettled))
	spec := Spec{
		Phases:     []Phase{{Name: "only", For: 40 * time.Second}},
		Events:     []Entry{{Name: "gone", Verb: "kill", Target: "redis", Phase: "only"}},
		Objectives: []Objective{{Subject: "gone", Metric: "rto", Op: "<=", Limit: 10_000}},
	}
	j := judge(t, spec, events)
	if got, want := j.Recoveries[0].Impact, 1e-6; got != want {
		t.Errorf("impact %v ms, want %v", got, want)
	}
}

// TestRecoveryOfTheSecond says that of two events in one phase the second is
// not charged with what the first had done before it.
func TestRecoveryOfTheSecond(t *testing.T) {
	again := func(e history.Event) history.Event { e.ID = "again"; return e }
	events := join(drillNo(0, 1), faulted(10, history.FaultInject), faulted(10, history.FaultSettled))
	for i := range 1500 { // from 10 s to 40 s; nothing is served until 12 s, and from 25 s to 26 s
		s := 10 + float64(i)*0.02
		if i == 600 {
			events = append(events, again(faulted(22, history.FaultInject)), again(faulted(22, history.FaultSettled)))
		}
		e := history.Event{By: history.ByLoad, Kind: history.OK, Op: "op", Phase: "only", Sched: at(s), Sent: at(s), At: at(s + 0.005)}
		if s < 12 || s >= 25 && s < 26 {
			e.Kind = history.Fail
		}
		events = append(events, e)
	}
	spec := Spec{
		Phases: []Phase{{Name: "only", For: 40 * time.Second}},
		Events: []Entry{{Name: "gone", Verb: "kill", Phase: "only"}, {Name: "again", Verb: "kill", Phase: "only"}},
		Objectives: []Objective{
			{Subject: "gone", Metric: "rto", Op: "<=", Limit: 20_000},
			{Subject: "again", Metric: "rto", Op: "<=", Limit: 20_000},
		},
	}
	j := judge(t, spec, join(events, run(41, history.RunLoadEnd)))
	if got, want := j.Objectives[0].Value, 16_000.0; got != want {
		t.Errorf("recovery from the first took %v ms, want %v: the second disturbed it", got, want)
	}
	if got, want := j.Objectives[1].Value, 4_000.0; got != want {
		t.Errorf("recovery from the second took %v ms, want %v", got, want)
	}
	if got, want := j.Recoveries[1].BadSeconds, 1; got != want {
		t.Errorf("%d bad seconds after the second, want %d", got, want)
	}
	if got, want := j.Recoveries[1].Impact, 3_000.0; got != want {
		t.Errorf("impact %v ms after the second, want %v", got, want)
	}
}

func TestEventDidNotHappen(t *testing.T) {
	spec := Spec{
		Events:     []Entry{{Name: "gone", Verb: "kill", Target: "redis"}},
		Objectives: []Objective{{Subject: "gone", Metric: "rto", Op: "<=", Limit: 10_000}},
	}
	j := judge(t, spec, join(drillNo(0, 1)))
	if o := j.Objectives[0]; o.Outcome != Inconclusive || o.Reason != "the event gone did not happen" || len(o.Samples) != 0 {
		t.Errorf("objective %+v", o)
	}
}
