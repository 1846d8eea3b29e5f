package html

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// A scale maps values to a coordinate. Values outside are put on the edge.
type scale struct {
	from, to  float64 // values
	low, high float64 // coordinates of from and to
	log       bool
}

func (s scale) at(v float64) float64 {
	from, to := s.from, s.to
	if s.log {
		v, from, to = math.Log10(max(v, from)), math.Log10(from), math.Log10(to)
	}
	if to <= from {
		return s.low
	}
	share := min(1, max(0, (v-from)/(to-from)))
	return s.low + share*(s.high-s.low)
}

// niceCeil is the least of 1, 2, 2.5, 5 times a power of ten that is not less
// than v.
func niceCeil(v float64) float64 {
	if v <= 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 1.5, 2, 2.5, 3, 4, 5, 6, 8} {
		if v <= m*unit*1.0001 {
			return m * unit
		}
	}
	return 10 * unit
}

// timeStep is the distance in seconds between the marks of a time axis that
// has room for no more than most of them.
func timeStep(seconds float64, most int) float64 {
	steps := []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200}
	for _, step := range steps {
		if seconds/step <= float64(most) {
			return step
		}
	}
	day := 86400.0
	return day * math.Ceil(seconds/day/float64(max(1, most)))
}

// decades returns the powers of ten around the given values, at least one
// decade. Values that are not positive are left out.
func decades(values ...float64) (from, to float64) {
	from, to = math.Inf(1), 0
	for _, v := range values {
		if v > 0 {
			from, to = min(from, v), max(to, v)
		}
	}
	if to == 0 {
		return 1, 10
	}
	from, to = math.Pow(10, math.Floor(math.Log10(from))), math.Pow(10, math.Ceil(math.Log10(to)))
	if to <= from {
		to = 10 * from
	}
	return from, to
}

// A point is a value of a series at a time in seconds. A value that is not a
// number is a gap.
type point struct{ t, v float64 }

// bucket thins a series out to about most points. It keeps of every bucket the
// smallest, the largest and the last value, in the order of their times, so
// that no peak and no dip is averaged away.
func bucket(points []point, most int) []point {
	if len(points) <= most {
		return points
	}
	size := (3*len(points) + most - 1) / most
	var thin []point
	for chunk := range slices.Chunk(points, size) {
		present := slices.DeleteFunc(slices.Clone(chunk), func(p point) bool { return math.IsNaN(p.v) })
		last := chunk[len(chunk)-1]
		if len(present) == 0 {
			thin = append(thin, last)
			continue
		}
		byValue := func(a, b point) int { return cmp.Compare(a.v, b.v) }
		kept := []point{slices.MinFunc(present, byValue), slices.MaxFunc(present, byValue), last}
		slices.SortStableFunc(kept, func(a, b point) int { return cmp.Compare(a.t, b.t) })
		thin = append(thin, slices.CompactFunc(kept, func(a, b point) bool { return a.t == b.t })...)
	}
	return thin
}

// steps is the path of a series whose values hold for a second or until the
// next one, with gaps. end is the time at which the last one ends.
func steps(points []point, end float64, x, y scale) string {
	var b strings.Builder
	command := "M"
	for i, p := range points {
		if math.IsNaN(p.v) {
			command = "M"
			continue
		}
		until := end
		if i+1 < len(points) {
			until = points[i+1].t
		}
		b.WriteString(command + px(x.at(p.t)) + " " + px(y.at(p.v)) + "H" + px(x.at(until)))
		command = "L"
	}
	return b.String()
}

// area is steps, closed along the bottom of the scale.
func area(points []point, end float64, x, y scale) string {
	if len(points) == 0 {
		return ""
	}
	return steps(points, end, x, y) + "V" + px(y.low) + "H" + px(x.at(points[0].t)) + "Z"
}

// positive is a series with gaps where it is zero.
func positive(points []point) []point {
	gaps := slices.Clone(points)
	for i := range gaps {
		if gaps[i].v <= 0 {
			gaps[i].v = math.NaN()
		}
	}
	return gaps
}

// line is the path of a series through the middle of its seconds, with gaps.
// A point that stands alone becomes a dash.
func line(points []point, x, y scale) string {
	var b strings.Builder
	drawn := false
	for i, p := range points {
		if math.IsNaN(p.v) {
			drawn = false
			continue
		}
		next := i+1 < len(points) && !math.IsNaN(points[i+1].v)
		switch at := px(x.at(p.t+0.5)) + " " + px(y.at(p.v)); {
		case drawn:
			b.WriteString("L" + at)
		case next:
			b.WriteString("M" + at)
		default:
			b.WriteString("M" + px(x.at(p.t)) + " " + px(y.at(p.v)) + "H" + px(x.at(p.t+1)))
		}
		drawn = true
	}
	return b.String()
}
