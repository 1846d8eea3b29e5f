package check

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// series counts operations by the second they were scheduled in, for charts.
type series struct {
	fuse
	course *course
	bySec  map[int64]*second
}

type second struct {
	drill     int
	phase     string
	began     time.Duration // scheduled time of its first operation, which says the phase
	latest    time.Duration // scheduled time of its last one
	offered   int
	ok        int
	byLatency map[int]int // ok operations by latency, see bucketOf
	sealed    bool        // byLatency tells no more apart than a heat does
	p50, p99  float64     // of a sealed one, in ms
}

func newSeries(c *course) *series { return &series{course: c, bySec: map[int64]*second{}} }

func (s *series) observe(e *history.Event) {
	if !completed(e) {
		return
	}
	n := int64(e.Sched / time.Second)
	sec := s.bySec[n]
	if sec == nil {
		sec = &second{began: math.MaxInt64, byLatency: map[int]int{}}
		s.bySec[n] = sec
	}
	if e.Sched < sec.began {
		sec.began, sec.phase, sec.drill = e.Sched, e.Phase, s.course.number(e)
	}
	sec.latest = max(sec.latest, e.Sched)
	sec.offered++
	if e.Kind == history.OK {
		sec.ok++
		sec.byLatency[bucketOf(took(e))]++
	}
}

// seconds lists the seconds in which operations were scheduled.
func (s *series) seconds() []Second {
	list := make([]Second, 0, len(s.bySec))
	keys := slices.Sorted(maps.Keys(s.bySec))
	for i, n := range keys {
		sec := s.bySec[n]
		last := i+1 == len(keys) || s.bySec[keys[i+1]].drill != sec.drill
		list = append(list, Second{
			At: float64(n), Drill: sec.drill, Phase: sec.phase,
			Offered: sec.offered, OK: sec.ok, Errors: sec.offered - sec.ok,
			P50: sec.percentile(0.50), P99: sec.percentile(0.99), Covered: s.covered(n, last),
		})
	}
	return list
}

// covered is the share of a second for which the load of its drill went on, 0
// where that is all of it. The last second of a load that was stopped ends about
// one arrival after its last one.
func (s *series) covered(n int64, last bool) float64 {
	sec, from := s.bySec[n], time.Duration(n)*time.Second
	to := from + time.Second
	if last && (s.course.aborted || s.course.torn != "") {
		to = min(to, from+(sec.latest-from)*time.Duration(sec.offered+1)/time.Duration(sec.offered))
	}
	share := s.course.covered(sec.drill, from, to).Seconds()
	if share <= 0 || share > 0.999 { // nothing was planned in it, or all of it is covered
		return 0
	}
	return threeDigits(share)
}

// seal makes a second small that is over: its percentiles are kept, and of its
// latencies what a heat tells apart.
func (s *second) seal() {
	if s.sealed {
		return
	}
	s.p50, s.p99, s.sealed = s.quantile(0.50), s.quantile(0.99), true
	rows, coarse := map[float64]int{}, map[int]int{}
	for _, b := range slices.Sorted(maps.Keys(s.byLatency)) {
		bound := heatBound(math.Pow(bucketGrowth, float64(b)-0.5) / 1000)
		if _, ok := rows[bound]; !ok {
			rows[bound] = b
		}
		coarse[rows[bound]] += s.byLatency[b]
	}
	s.byLatency = coarse
}

// percentile is a quantile, also of a second that was sealed; it knows two.
func (s *second) percentile(q float64) float64 {
	switch {
	case !s.sealed:
		return s.quantile(q)
	case q > 0.5:
		return s.p99
	}
	return s.p50
}

// Buckets grow by one percent, which is more than a chart can show, and an
// HdrHistogram for every second of a long run would be far larger.
const bucketGrowth = 1.01

func bucketOf(d time.Duration) int {
	us := max(1, float64(d)/float64(time.Microsecond))
	return int(math.Ceil(math.Log(us) / math.Log(bucketGrowth)))
}

// quantile returns a latency in ms, the upper end of its bucket, rounded to
// the precision it has.
func (s *second) quantile(q float64) float64 {
	rank := int(math.Ceil(q * float64(s.ok)))
	for _, b := range slices.SortedFunc(maps.Keys(s.byLatency), cmp.Compare[int]) {
		rank -= s.byLatency[b]
		if rank <= 0 {
			return threeDigits(math.Pow(bucketGrowth, float64(b)) / 1000)
		}
	}
	return 0
}

func threeDigits(v float64) float64 {
	if v <= 0 {
		return 0
	}
	scale := math.Pow(10, 2-math.Floor(math.Log10(v)))
	return math.Round(v*scale) / scale
}
