package main

import (
	"math"
	"time"
)

// The distributions of jitter. No word means uniform.
const (
	uniform = "uniform" // between mean - jitter and mean + jitter
	normal  = "normal"  // jitter is the standard deviation
	pareto  = "pareto"  // jitter is the standard deviation, most delays are short and few are very long
)

func isDistribution(name string) bool {
	return name == "" || name == uniform || name == normal || name == pareto
}

// A delay is how long data waits. It is never negative, whatever the jitter.
type delay struct {
	mean, jitter time.Duration
	shape        string
}

// paretoShape is the exponent of the Pareto distribution, the least whole one
// with a finite variance.
const paretoShape = 3.0

// of returns the delay of a chunk that drew u, from 0 to 1.
func (d delay) of(u float64) time.Duration {
	if d.jitter == 0 {
		return d.mean
	}
	var deviation float64 // in units of jitter
	switch d.shape {
	case normal:
		deviation = math.Sqrt2 * math.Erfinv(2*u-1)
	case pareto:
		const mean = paretoShape / (paretoShape - 1)
		spread := math.Sqrt(paretoShape/(paretoShape-2)) / (paretoShape - 1)
		deviation = (math.Pow(1-u, -1/paretoShape) - mean) / spread
	default:
		deviation = 2*u - 1
	}
	// Ten deviations bound what the ends of the unbounded ones would draw.
	return max(0, d.mean+time.Duration(min(max(deviation, -10), 10)*float64(d.jitter)))
}
