package check

import (
	"math"
	"slices"
)

// maxHeatColumns bounds the picture of one drill: a long one has wider columns.
const maxHeatColumns = 240

// A Heat counts the operations of one drill that were answered as their
// contract says, by the time that they were scheduled and by their latency.
type Heat struct {
	Drill  int       `json:"drill"`
	From   float64   `json:"from_s"`    // since the run began
	Step   float64   `json:"step_s"`    // width of a column
	Bounds []float64 `json:"bounds_ms"` // upper ends of the rows, ascending; below the first row is nothing
	Counts [][]int   `json:"counts"`    // a column each step, in it a number each row
}

// heatRows are the upper ends of the rows in one decade of milliseconds: equal
// steps of a logarithmic scale.
func heatRows() []float64 { return []float64{1.5, 2.2, 3.3, 4.7, 6.8, 10} }

// heatBound returns the upper end of the row that a latency lies in, in ms.
func heatBound(ms float64) float64 {
	decade := math.Pow(10, math.Floor(math.Log10(max(ms, 0.01))))
	for _, r := range heatRows() {
		if ms <= r*decade*1.0000001 {
			return threeDigits(r * decade)
		}
	}
	return threeDigits(10 * decade)
}

// heats counts what the seconds of the run have, a picture each drill.
func (s *series) heats() []Heat {
	drills := map[int][]int64{}
	for n, sec := range s.bySec {
		drills[sec.drill] = append(drills[sec.drill], n)
	}
	var list []Heat
	for drill := range drills {
		list = append(list, s.heat(drill, drills[drill]))
	}
	slices.SortFunc(list, func(a, b Heat) int { return a.Drill - b.Drill })
	return list
}

// heatsOf is the picture of one drill, if it has begun.
func (s *series) heatsOf(drill int) []Heat {
	var seconds []int64
	for n, sec := range s.bySec {
		if sec.drill == drill {
			seconds = append(seconds, n)
		}
	}
	if len(seconds) == 0 {
		return nil
	}
	return []Heat{s.heat(drill, seconds)}
}

func (s *series) heat(drill int, seconds []int64) Heat {
	first, last := slices.Min(seconds), slices.Max(seconds)
	step := (last-first)/maxHeatColumns + 1
	h := Heat{Drill: drill, From: float64(first), Step: float64(step), Bounds: []float64{}, Counts: [][]int{}}
	columns := make([]map[float64]int, (last-first)/step+1)
	for _, n := range seconds {
		i := (n - first) / step
		if columns[i] == nil {
			columns[i] = map[float64]int{}
		}
		for bucket, count := range s.bySec[n].byLatency {
			bound := heatBound(math.Pow(bucketGrowth, float64(bucket)-0.5) / 1000)
			columns[i][bound] += count
			if !slices.Contains(h.Bounds, bound) {
				h.Bounds = append(h.Bounds, bound)
			}
		}
	}
	h.Bounds = filled(h.Bounds)
	for _, column := range columns {
		counts := make([]int, len(h.Bounds))
		for row, bound := range h.Bounds {
			counts[row] = column[bound]
		}
		h.Counts = append(h.Counts, counts)
	}
	return h
}

// filled sorts bounds and adds those between them, so that rows are of equal
// height.
func filled(bounds []float64) []float64 {
	if len(bounds) == 0 {
		return bounds
	}
	list := []float64{slices.Min(bounds)}
	for top := slices.Max(bounds); list[len(list)-1] < top; {
		list = append(list, heatBound(list[len(list)-1]*1.1))
	}
	return list
}
