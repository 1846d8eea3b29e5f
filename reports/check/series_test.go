package check

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/history"
)

// covers lists, for each second, how much of it the load covers.
func covers(s *series) map[float64]float64 {
	shares := map[float64]float64{}
	for _, sec := range s.seconds() {
		shares[sec.At] = sec.Covered
	}
	return shares
}

// loaded has a drill of three seconds, from 1.25 s on, seen by a series: with an
// operation every 100 ms, as far as the clock of its phases goes on.
func loaded(until float64, events ...history.Event) *series {
	c := newCourse([]Phase{{Name: "only", For: 3 * time.Second}})
	s := newSeries(c)
	for _, e := range join(drillNo(1.25, 1), events) {
		c.observe(&e)
	}
	for sched := at(1.25); sched < at(until); sched += 100 * time.Millisecond {
		if clock := c.drills[1].clock; !clock.Held(sched) {
			s.observe(&history.Event{By: history.ByLoad, Kind: history.OK, Op: "read", Drill: 1, Phase: "only", Sched: sched, At: sched + time.Millisecond})
		}
	}
	return s
}

func TestSecondsSayHowMuchOfThemTheLoadCovers(t *testing.T) {
	hold, goOn := run(2.5, history.RunHold), run(5.75, history.RunGoOn)
	hold.Drill, goOn.Drill = 1, 1
	stop := run(9, history.RunAbort)
	for name, tt := range map[string]struct {
		s    *series
		want map[float64]float64
	}{
		"whole seconds inside": {loaded(4.25), map[float64]float64{1: 0.75, 2: 0, 3: 0, 4: 0.25}},
		"a gate":               {loaded(7.5, hold, goOn), map[float64]float64{1: 0.75, 2: 0.5, 5: 0.25, 6: 0, 7: 0.5}},
		// The last operation of 3.25 s and those every 100 ms before it: the load
		// went on for about as long again.
		"stopped": {loaded(3.3, stop), map[float64]float64{1: 0.75, 2: 0, 3: 0.333}},
	} {
		if diff := cmp.Diff(tt.want, covers(tt.s)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
