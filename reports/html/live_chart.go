package html

import (
	"slices"
	"time"

	"github.com/proofload/proofload/reports/check"
)

// drill is the drill under way, with all of its phases and with the faults
// that are still to come.
func (l *Live) drill() *drill {
	p := l.Progress
	d := &drill{number: p.Drill, began: p.Began.Seconds(), live: l.Result.Verdict == ""}
	if p.Drill == 0 {
		d.number = 1
	}
	for _, phase := range l.Spec.Phases {
		d.phases = append(d.phases, l.spanOf(phase))
		d.end = max(d.end, d.phases[len(d.phases)-1].to)
	}
	if p.Drill > 0 {
		d.until = min(max(0, l.Now.Seconds()-d.began), d.end)
	}
	for _, s := range p.Series {
		whole := l.Now.Seconds()-s.At >= 1 || !d.live
		if s.At -= d.began; whole && s.Drill == d.number && p.Drill > 0 {
			d.seconds = append(d.seconds, s)
		}
	}
	if n := len(d.seconds); n > 0 && d.live && p.Clock.Held(l.Now) && d.until >= d.seconds[n-1].At+2 {
		d.seconds = append(d.seconds, check.Second{At: d.seconds[n-1].At + 1, Drill: p.Drill}) // a gate is open, and nothing is sent
	}
	d.addFaults(l.Result)
	d.addPlanned(l)
	d.addRecoveries(l.Result)
	d.heat = heatOf(p.Heat, d.number)
	if whole := int((l.Now.Seconds() - d.heat.From) / max(1, d.heat.Step)); d.live && whole > 0 && whole < len(d.heat.Counts) {
		d.heat.Counts = d.heat.Counts[:whole]
	}
	d.addLimits(l.Result)
	return d
}

func (l *Live) spanOf(p check.Phase) phase {
	return phase{name: p.Name, from: l.at(p.Start).Seconds(), to: l.at(p.Start + p.For).Seconds(), scored: p.Score}
}

// at is when the clock of the phases shows a time, since the drill began.
func (l *Live) at(into time.Duration) time.Duration {
	clock := &l.Progress.Clock
	return clock.At(into, l.Now) - clock.Began
}

// asksFrom is since when the drill waits for an answer to a gate, and whether it
// does. The clock is stopped a moment before or after the gate was due.
func (l *Live) asksFrom(e check.Entry) (time.Duration, bool) {
	holds := l.Progress.Clock.Holds
	if e.Verb != "gate" || len(holds) == 0 {
		return 0, false
	}
	last := holds[len(holds)-1]
	return last.From - l.Progress.Clock.Began, last.Open && (last.At-e.At).Abs() < time.Second
}

// addPlanned adds the entries of the timeline that did not begin yet. What is
// not a fault is over when it began, but for a gate that waits for an answer.
func (d *drill) addPlanned(l *Live) {
	if l.Progress.Loaded || !d.live {
		return
	}
	for _, e := range l.Spec.Events {
		begun := slices.ContainsFunc(l.Progress.Faults, func(f check.FaultWindow) bool { return f.Drill == d.number && f.Name == e.Name })
		at := l.at(e.At)
		until := at + max(e.For, time.Second)
		since, asked := l.asksFrom(e)
		switch {
		case asked:
			at, until = since, max(since+time.Second, l.Now-l.Progress.Clock.Began)
		case begun || e.Verb == "note" || e.Verb == "mark" || at.Seconds() < d.until-5:
			continue
		}
		d.faults = append(d.faults, span{
			FaultWindow: check.FaultWindow{Name: e.Name, Verb: e.Verb, Target: e.Target, Drill: d.number, To: -1},
			from:        at.Seconds(), to: min(d.end, until.Seconds()), planned: true, asked: asked,
		})
	}
}

// now marks how far a drill that goes on is.
func (t *timeline) now(bottom float64) {
	if t.d.live && t.d.until < t.d.end {
		t.line(t.x.at(t.d.until), titleHeight, t.x.at(t.d.until), bottom, "now")
	}
}

// pictureNow draws the system as it is.
func (l *Live) pictureNow(d *drill) *chart {
	if len(l.Result.Topology.Nodes) == 0 {
		return nil
	}
	broad, slim := wide(), narrow()
	broad.width = 470
	begun := *d
	begun.faults = slices.DeleteFunc(slices.Clone(d.faults), func(f span) bool { return f.planned })
	now := scene{"Now", float64(l.Now) / float64(time.Millisecond)}
	return &chart{
		Caption: topologyCaption(d, 1),
		Figure:  pictureFigure(l.Result, &begun, []scene{now}, broad, slim),
	}
}
