package html

import (
	"slices"

	"github.com/proofload/proofload/reports"
)

// known are the drills of a result, also of a run that had no load.
func known(r *reports.Result) []drill {
	if ds := drills(r); len(ds) > 0 {
		return ds
	}
	return unloaded(r)
}

// unloaded are the drills of a run that had no load, by what its journal and its
// faults say: without operations there are no seconds to count. Where only the
// nodes are known it is one drill, in which nothing happened.
func unloaded(r *reports.Result) []drill {
	var ds []drill
	saw := func(number int, ms float64) {
		i := slices.IndexFunc(ds, func(d drill) bool { return d.number == number })
		if i < 0 {
			i = len(ds)
			ds = append(ds, drill{number: number, began: ms / 1000})
		}
		ds[i].end = max(ds[i].end, ms/1000-ds[i].began)
	}
	for _, e := range r.Journal {
		if e.Drill > 0 { // else it was before the first
			saw(e.Drill, e.At)
		}
	}
	for _, f := range r.Faults {
		saw(f.Drill, f.From)
		saw(f.Drill, f.To)
	}
	if len(ds) == 0 && len(r.Topology.Nodes) > 0 {
		ds = []drill{{number: 1}}
		for _, n := range r.Topology.Nodes {
			for _, s := range n.States {
				saw(1, s.At)
			}
		}
	}
	for i := range ds {
		d := &ds[i]
		d.until = d.end
		d.addFaults(r)
		d.addRecoveries(r)
	}
	return ds
}

// idle reports whether a drill that is over had no load.
func (d *drill) idle() bool { return !d.live && len(d.seconds) == 0 }

// drawIdle draws a drill without load: what was broken, when.
func (t *timeline) drawIdle(bottom float64) {
	t.H = bottom + axisHeight + 4
	t.rect(t.x.low, titleHeight, t.x.high-t.x.low, bottom-titleHeight, "phase")
	t.phases(bottom)
	t.shades(titleHeight, bottom)
	t.moments(titleHeight, bottom)
	t.top = titleHeight
	t.faultLanes()
	t.recoveryLanes()
	t.timeAxis(bottom)
	t.momentLabels(bottom)
}

// unloadedChart shows what was broken in a run that had no load, nil if nothing
// was.
func unloadedChart(r *reports.Result, d *drill, of int) *chart {
	if len(d.faults) == 0 {
		return nil
	}
	said := caption(r, d, of)
	return &chart{Heading: "What was broken", Caption: said, Figure: timelineFigure("timeline", d, "Faults over time", said)}
}
