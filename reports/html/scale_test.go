package html

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestBucketKeepsExtremesAndTheLast(t *testing.T) {
	var points []point
	for i := range 3000 {
		points = append(points, point{float64(i), 10})
	}
	points[1234].v = 500
	points[2222].v = 0
	points[2999].v = 42
	thin := bucket(points, 1200)
	if len(thin) > 1200 {
		t.Errorf("%d points", len(thin))
	}
	has := map[point]bool{}
	last := -1.0
	for _, p := range thin {
		has[p] = true
		if p.t <= last {
			t.Fatalf("time goes from %v to %v", last, p.t)
		}
		last = p.t
	}
	for _, want := range []point{{1234, 500}, {2222, 0}, {2999, 42}} {
		if !has[want] {
			t.Errorf("%v is gone", want)
		}
	}
}

func TestBucketKeepsGapsAndShortSeries(t *testing.T) {
	gap := math.NaN()
	short := []point{{0, 1}, {1, gap}}
	if diff := cmp.Diff(short, bucket(short, 2), cmp.AllowUnexported(point{}), cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
	var points []point
	for i := range 90 {
		v := gap
		if i < 30 || i >= 60 {
			v = float64(i)
		}
		points = append(points, point{float64(i), v})
	}
	gaps := 0
	for _, p := range bucket(points, 27) {
		if math.IsNaN(p.v) {
			gaps++
		}
	}
	if gaps == 0 {
		t.Error("the gap is gone")
	}
}

func TestPaths(t *testing.T) {
	x := scale{from: 0, to: 4, low: 0, high: 40}
	y := scale{from: 0, to: 10, low: 100, high: 0}
	gap := math.NaN()
	series := []point{{0, 5}, {1, 10}, {2, gap}, {3, 1}}
	for _, c := range []struct{ name, got, want string }{
		{"steps", steps(series, 4, x, y), "M0 50H10L10 0H20M30 90H40"},
		{"area", area(series[:2], 2, x, y), "M0 50H10L10 0H20V100H0Z"},
		{"no area", area(nil, 2, x, y), ""},
		{"line", line(series, x, y), "M5 50L15 0M30 90H40"},
		{"positive", steps(positive([]point{{0, 0}, {1, 5}, {2, 0}}), 3, x, y), "M10 50H20"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, c.got, c.want)
		}
	}
}

func TestScale(t *testing.T) {
	linear := scale{from: 0, to: 100, low: 200, high: 0}
	logarithmic := scale{from: 1, to: 1000, low: 300, high: 0, log: true}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"middle", linear.at(50), 100},
		{"below", linear.at(-5), 200},
		{"above", linear.at(500), 0},
		{"decade", logarithmic.at(10), 200},
		{"zero on a logarithmic scale", logarithmic.at(0), 300},
		{"no range", scale{low: 7, high: 9}.at(3), 7},
	} {
		if math.Abs(c.got-c.want) > 1e-9 {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
}

func TestNiceNumbers(t *testing.T) {
	for v, want := range map[float64]float64{0: 1, 0.7: 0.8, 3: 3, 50: 50, 217: 250, 1001: 1500, 9001: 10_000} {
		if got := niceCeil(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("niceCeil(%v) = %v, want %v", v, got, want)
		}
	}
	for seconds, want := range map[float64]float64{1: 1, 3: 1, 230: 30, 3600: 300, 30 * 86400: 3 * 86400} {
		if got := timeStep(seconds, 12); got != want {
			t.Errorf("timeStep(%v) = %v, want %v", seconds, got, want)
		}
	}
	for _, c := range []struct {
		values   []float64
		from, to float64
	}{
		{nil, 1, 10},
		{[]float64{0, -1}, 1, 10},
		{[]float64{3, 4500}, 1, 10_000},
		{[]float64{100}, 100, 1000},
	} {
		if from, to := decades(c.values...); from != c.from || to != c.to {
			t.Errorf("decades(%v) = %v, %v", c.values, from, to)
		}
	}
}

func TestClip(t *testing.T) {
	for _, c := range []struct {
		s     string
		width float64
		want  string
	}{
		{"warmup", 100, "warmup"},
		{"warmup", 4 * charWidth, "war…"},
		{"warmup", charWidth, ""},
	} {
		if got := clip(c.s, c.width); got != c.want {
			t.Errorf("clip(%q, %v) = %q, want %q", c.s, c.width, got, c.want)
		}
	}
}
