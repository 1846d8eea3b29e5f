package loadgen

import (
	"math"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

func TestLongestPause(t *testing.T) {
	of := func(counts ...uint64) *metrics.Float64Histogram {
		return &metrics.Float64Histogram{Counts: counts, Buckets: []float64{0, 1, 2, math.Inf(1)}}
	}
	for _, tt := range []struct {
		before, after *metrics.Float64Histogram
		want          float64
	}{
		{of(1, 1, 1), of(1, 1, 1), 0},
		{of(1, 1, 1), of(2, 1, 1), 1},
		{of(1, 1, 1), of(2, 2, 1), 2},
		{of(1, 1, 1), of(1, 1, 2), 2},
		{nil, of(1, 1, 1), 0},
	} {
		if got := longest(tt.before, tt.after); got != tt.want {
			t.Errorf("longest = %g, want %g", got, tt.want)
		}
	}
}

// TestMeter sees work and a collection.
func TestMeter(t *testing.T) {
	m := newMeter()
	if m.pauses == nil {
		t.Fatal("the runtime does not tell its pauses")
	}
	before := processorUsed()
	for processorUsed()-before < 20*time.Millisecond {
		runtime.GC()
	}
	s := m.read()
	if s.Processor <= 0 || s.Processor > 1 || s.GCPause <= 0 {
		t.Errorf("measured %+v, want a share of the processors and a pause", s)
	}
	s.merge(Self{Processor: 2, GCPause: 1e9})
	if s.Processor != 2 || s.GCPause != 1e9 {
		t.Errorf("merged %+v, want the most of both", s)
	}
}
