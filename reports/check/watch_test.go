package check

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// watched is a spec of two phases of ten seconds with a fault in the second.
func watched() Spec {
	return Spec{
		Drills: 2,
		Phases: []Phase{
			{Name: "steady", For: 10 * time.Second, From: 100, To: 100, Score: true},
			{Name: "failover", Start: 10 * time.Second, For: 20 * time.Second, From: 100, To: 100, Score: true},
		},
		Events: []Entry{{Name: "primary-lost", Verb: "kill", Target: "postgres.primary", Phase: "failover", At: 10 * time.Second}},
		Objectives: []Objective{
			{Subject: "steady", Metric: metricErrors, Op: "<=", Limit: 1},
			{Subject: "failover", Metric: metricErrors, Op: "<=", Limit: 1},
			{Subject: "primary-lost", Metric: metricRTO, Op: "<=", Limit: 15_000},
			{Subject: "primary-lost", Metric: metricLost, Op: "<=", Limit: 0},
		},
		Recovered: Recovered{Window: 3 * time.Second},
	}
}

// send has the watch see a second of load, a hundred operations.
func send(w *Watch, n int, phase string, kind history.Kind) {
	for i := range 100 {
		sched := time.Duration(n)*time.Second + time.Duration(i)*10*time.Millisecond
		w.Observe(&history.Event{
			At: sched + 5*time.Millisecond, By: history.ByLoad, Kind: kind, Op: "pay", Drill: 1, Phase: phase,
			Sched: sched, Sent: sched + time.Millisecond,
		})
	}
}

// standings is the outcome of every objective.
func standings(p *Progress) string {
	var said strings.Builder
	for _, o := range p.Objectives {
		fmt.Fprintf(&said, "%s %s %s, ", o.Subject, o.Metric, o.Outcome)
	}
	return said.String()
}

func TestWatchSaysHowARunStands(t *testing.T) {
	w := NewWatch(watched())
	if p := w.SoFar(time.Second); p.Drill != 0 || p.Phase != "" || p.Objectives[0].Outcome != Inconclusive {
		t.Errorf("before the first drill: %+v", p)
	}
	begin := drillNo(0, 1)
	w.Observe(&begin)
	for n := range 10 {
		send(w, n, "steady", history.OK)
	}
	p := w.SoFar(9900 * time.Millisecond)
	want := Pulse{Offered: 100, Achieved: 100, Completed: 100, OK: 100, P50: p.Now.P50, P99: p.Now.P99, Lag: 1}
	if p.Phase != "steady" || p.Now != want || p.Now.P99 < 5 || p.Now.P99 > 5.1 {
		t.Errorf("in steady: phase %q, now %+v, want %+v", p.Phase, p.Now, want)
	}
	if got, want := standings(p), "steady errors pass, failover errors inconclusive, primary-lost rto inconclusive, primary-lost lost_writes inconclusive, "; got != want {
		t.Errorf("in steady: %s\nwant %s", got, want)
	}
	kill := history.Event{At: at(10), By: history.ByFault, Op: history.FaultInject, ID: "primary-lost", Verb: "kill", Target: "pg-1", Drill: 1}
	w.Observe(&kill)
	for n := 10; n < 16; n++ {
		send(w, n, "failover", history.Info)
	}
	p = w.SoFar(16 * time.Second)
	rto := p.Objectives[2]
	if !p.Faults[0].Open || p.Recoveries[0].Steady >= 0 || rto.Outcome != Inconclusive || rto.Value != 6000 || !rto.Censored {
		t.Errorf("6 s after the kill: recovery %+v, rto %+v", p.Recoveries[0], rto)
	}
	if late := w.SoFar(26 * time.Second).Objectives[2]; late.Outcome != Fail {
		t.Errorf("16 s after the kill, with nobody served: %+v", late)
	}
	for n := 16; n < 22; n++ {
		send(w, n, "failover", history.OK)
	}
	p = w.SoFar(21500 * time.Millisecond)
	if rec, rto := p.Recoveries[0], p.Objectives[2]; rec.Steady != 6000 || rto.Outcome != Pass || rto.Value != 6000 {
		t.Errorf("served again since 16 s: recovery %+v, rto %+v", rec, rto)
	}
	if p.Objectives[1].Outcome != Fail {
		t.Errorf("half of the operations failed: %+v", p.Objectives[1])
	}
	over := run(30, history.RunLoadEnd)
	w.Observe(&over)
	if p := w.SoFar(31 * time.Second); !p.Loaded || p.Phase != "" {
		t.Errorf("after the load: loaded %t, phase %q", p.Loaded, p.Phase)
	}
}

// TestWatchAtAGate has the first phase last as long as people take.
func TestWatchAtAGate(t *testing.T) {
	w := NewWatch(watched())
	begin, hold, goOn := drillNo(0, 1), run(5, history.RunHold), run(65, history.RunGoOn)
	hold.Drill, goOn.Drill = 1, 1
	w.Observe(&begin)
	w.Observe(&hold)
	for n := range 60 {
		send(w, n, "steady", history.OK)
	}
	if p := w.SoFar(at(60)); p.Phase != "steady" || p.Now.Offered != 100 || p.Clock.At(at(10), at(60)) != at(65) {
		t.Errorf("at the gate: phase %q, %+v", p.Phase, p.Now)
	}
	w.Observe(&goOn)
	for now, phase := range map[float64]string{69: "steady", 71: "failover", 89: "failover", 91: ""} {
		if p := w.SoFar(at(now)); p.Phase != phase {
			t.Errorf("at %g s: phase %q, want %q", now, p.Phase, phase)
		}
	}
}

// TestWatchStaysSmall sends eight hours of load, of which six are remembered,
// each second but the latest in few numbers.
func TestWatchStaysSmall(t *testing.T) {
	w := NewWatch(Spec{Phases: []Phase{{Name: "only", For: 8 * time.Hour, From: 100, To: 100, Score: true}}})
	const hours = 8
	begin := drillNo(0, 1)
	w.Observe(&begin)
	for n := range int64(hours * 3600) {
		for i := range int64(20) {
			sched := time.Duration(n) * time.Second
			took := time.Millisecond * time.Duration(1+(7*n+131*i)%400) // all over three decades
			w.Observe(&history.Event{At: sched + took, By: history.ByLoad, Kind: history.OK, Op: "pay", Drill: 1, Phase: "only", Sched: sched, Sent: sched + 1})
		}
	}
	seconds, numbers := w.court.series.bySec, 0
	for _, sec := range seconds {
		numbers += len(sec.byLatency)
	}
	if len(seconds) > maxWatched+300 || numbers > 20*len(seconds)+20*300 {
		t.Errorf("after %d hours %d seconds and %d numbers are kept", hours, len(seconds), numbers)
	}
	if p := w.SoFar(hours * time.Hour); len(p.Series) != len(seconds) || p.Series[0].P99 == 0 || len(p.Heat[0].Counts) > maxHeatColumns {
		t.Errorf("series of %d seconds, the first %+v", len(p.Series), p.Series[0])
	}
}

// TestSealedSecondsSayTheSame holds what is left of a second against what it was.
func TestSealedSecondsSayTheSame(t *testing.T) {
	c := newCourse([]Phase{{Name: "only", For: time.Minute}})
	s := newSeries(c)
	for i := range 1000 {
		took := time.Duration(1+i*i%700) * time.Millisecond
		s.observe(&history.Event{At: time.Second + took, By: history.ByLoad, Kind: history.OK, Op: "pay", Drill: 1, Phase: "only", Sched: time.Second})
	}
	before, heat := s.seconds()[0], s.heatsOf(1)[0]
	s.bySec[1].seal()
	if after := s.seconds()[0]; after != before {
		t.Errorf("sealed: %+v, before %+v", after, before)
	}
	if after := s.heatsOf(1)[0]; fmt.Sprint(after) != fmt.Sprint(heat) {
		t.Errorf("sealed: %v\nbefore %v", after, heat)
	}
}
