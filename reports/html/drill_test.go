package html

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
)

// TestPartsOfASecondAreNoDrop draws a constant load of which the first and the
// last second are covered in part.
func TestPartsOfASecondAreNoDrop(t *testing.T) {
	second := func(at float64, offered int, covered float64) check.Second {
		return check.Second{At: at, Drill: 1, Phase: "only", Offered: offered, OK: offered, P99: 10, Covered: covered}
	}
	for name, tt := range map[string]struct {
		series []check.Second
		want   []point
		rows   [][2]float64 // time and rate of what can be read
	}{
		"more than half is a rate": {
			[]check.Second{second(7, 150, 0.75), second(8, 200, 0), second(9, 120, 0.6)},
			[]point{{0, 200}, {1, 200}, {2, 200}},
			[][2]float64{{0, 200}, {1, 200}, {2, 200}},
		},
		"less is left to what is beside it": {
			[]check.Second{second(7, 30, 0.25), second(8, 200, 0), second(9, 210, 0), second(10, 48, 0.24)},
			[]point{{1, 200}, {2, 210}},
			[][2]float64{{0, 200}, {1, 200}, {2, 210}, {3, 210}},
		},
		"nothing was scheduled while a gate was open": {
			[]check.Second{second(7, 200, 0), second(8, 100, 0.5), second(60, 100, 0.5), second(61, 200, 0)},
			[]point{{0, 200}, {1, 200}, {2, 0}, {53, 200}, {54, 200}},
			[][2]float64{{0, 200}, {1, 200}, {53, 200}, {54, 200}},
		},
		"there is nothing else": {
			[]check.Second{second(7, 50, 0.25)},
			[]point{{0, 200}},
			[][2]float64{{0, 200}},
		},
	} {
		ds := drills(&reports.Result{Judgement: check.Judgement{Series: tt.series}})
		offered, ok, _ := ds[0].rates(100)
		for _, got := range [][]point{offered, ok} {
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(point{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		var rows [][2]float64
		for _, row := range readoutOf(&ds[0]).Rows {
			rows = append(rows, [2]float64{row[0], row[1]})
		}
		if diff := cmp.Diff(tt.rows, rows); diff != "" {
			t.Errorf("%s: what can be read (-want +got):\n%s", name, diff)
		}
		if peak := ds[0].peak(); peak > 210 {
			t.Errorf("%s: the peak is %g", name, peak)
		}
	}
}

// TestAnOpenGateIsNoLoad has the live page show that nothing is sent while a gate
// is open.
func TestAnOpenGateIsNoLoad(t *testing.T) {
	clock := history.Clock{Began: 5 * time.Second, Holds: []history.Hold{{At: 2 * time.Second, From: 7 * time.Second, To: 7 * time.Second, Open: true}}}
	progress := &check.Progress{Drill: 1, Began: clock.Began, Clock: clock, Judgement: check.Judgement{
		Series: []check.Second{{At: 5, Drill: 1, Offered: 100, OK: 100}, {At: 6, Drill: 1, Offered: 100, OK: 100}},
	}}
	spec := check.Spec{Phases: []check.Phase{{Name: "only", For: 10 * time.Second}}}
	for now, want := range map[time.Duration][]point{
		7500 * time.Millisecond:  {{0, 100}, {1, 100}},
		12500 * time.Millisecond: {{0, 100}, {1, 100}, {2, 0}},
	} {
		l := &Live{Result: &reports.Result{}, Progress: progress, Spec: spec, Now: now}
		if _, ok, _ := l.drill().rates(100); !cmp.Equal(want, ok, cmp.AllowUnexported(point{})) {
			t.Errorf("at %s: %v, want %v", now, ok, want)
		}
	}
}

// TestDecisiveDrill draws the drill that went worst, of what counts most.
func TestDecisiveDrill(t *testing.T) {
	slow := func(p99 float64) drill { return drill{missed: []worstSecond{{value: p99}}} }
	recovered := func(d drill, rec check.Recovery) drill {
		d.recoveries = append(d.recoveries, recovery{Recovery: rec})
		return d
	}
	for name, tt := range map[string]struct {
		ds   []drill
		want int
	}{
		"nothing was missed":          {[]drill{{}, {}}, 0},
		"the slowest second":          {[]drill{slow(300), slow(900), slow(500)}, 1},
		"the slowest recovery":        {[]drill{recovered(slow(900), check.Recovery{Steady: 10}), recovered(slow(300), check.Recovery{Steady: 20})}, 1},
		"no recovery":                 {[]drill{recovered(drill{}, check.Recovery{Steady: 90}), recovered(drill{}, check.Recovery{Steady: 20, Censored: true})}, 1},
		"lost writes before the rest": {[]drill{recovered(drill{}, check.Recovery{Lost: 1}), recovered(drill{}, check.Recovery{Steady: 20, Censored: true})}, 0},
	} {
		if got := decisive(tt.ds); got != tt.want {
			t.Errorf("%s: drill %d, want %d", name, got+1, tt.want+1)
		}
	}
}
