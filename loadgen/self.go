package loadgen

import (
	"math"
	"runtime"
	"runtime/metrics"
	"slices"
	"syscall"
	"time"
)

// Self says what sending the load took of the machine that sent it, by which an
// engine that fell behind can be told from one that was held up.
type Self struct {
	Processor float64 `json:"processor_share"` // of all processors that Go may use, what this process took; 0 to 1
	GCPause   float64 `json:"gc_pause_ms"`     // the longest stop of the world by the garbage collector, to the next of the runtime's steps
}

// merge adds what another engine took, which had a machine of its own.
func (s *Self) merge(o Self) {
	s.Processor = max(s.Processor, o.Processor)
	s.GCPause = max(s.GCPause, o.GCPause)
}

// A meter measures what this process takes from when it was made.
type meter struct {
	began     time.Time
	processor time.Duration
	pauses    *metrics.Float64Histogram // in seconds, since the process began
}

func newMeter() meter {
	sample := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(sample)
	m := meter{began: time.Now(), processor: processorUsed()}
	if sample[0].Value.Kind() == metrics.KindFloat64Histogram { // the runtime may cease to have it
		m.pauses = sample[0].Value.Float64Histogram()
	}
	return m
}

// read returns what was taken since.
func (m meter) read() Self {
	now := newMeter()
	var s Self
	if took := now.began.Sub(m.began); took > 0 {
		s.Processor = min(1, (now.processor-m.processor).Seconds()/took.Seconds()/float64(runtime.GOMAXPROCS(0)))
	}
	s.GCPause = 1e3 * longest(m.pauses, now.pauses)
	return s
}

// longest returns the upper bound of the highest bucket that has grown, the lower
// one if it has none.
func longest(before, after *metrics.Float64Histogram) float64 {
	if before == nil || after == nil || len(before.Counts) != len(after.Counts) {
		return 0
	}
	for i, n := range slices.Backward(after.Counts) {
		if n > before.Counts[i] {
			if bound := after.Buckets[i+1]; !math.IsInf(bound, 1) {
				return bound
			}
			return after.Buckets[i]
		}
	}
	return 0
}

// processorUsed is what this process has used of the processors.
func processorUsed() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for oneself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
