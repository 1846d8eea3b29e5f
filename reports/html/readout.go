package html

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"math"

	"github.com/proofload/proofload/reports/format"
)

// maxRead is how many moments of a chart can be read at most.
const maxRead = 1800

// A readout is the numbers behind the main chart, for the script that shows
// them where somebody points, and draws a part of them from close up. Its times
// are s since the drill began.
type readout struct {
	Step   float64      `json:"step"` // s of a row
	Rows   [][6]float64 `json:"rows"` // s; offered, ok and failed per second; p50 and p99 in ms, of the worst second, 0 where there is none
	Phases []stretch    `json:"phases"`
	Faults []stretch    `json:"faults"`
	Marks  []mark       `json:"marks"`
	Limits []level      `json:"limits"`
}

// A stretch is a time that has a name.
type stretch struct {
	Name string  `json:"name"`
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// A mark is a moment; its kind is the class of its line.
type mark struct {
	Kind string  `json:"kind"`
	Said string  `json:"said"`
	At   float64 `json:"at"`
}

// A level is a limit on a percentile over a stretch.
type level struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
	MS   float64 `json:"ms"`
}

// readoutOf is that of a drill, with so many seconds a row that there are few
// enough.
func readoutOf(d *drill) *readout {
	step := math.Max(1, math.Ceil(d.end/maxRead))
	r := &readout{Step: step, Phases: []stretch{}, Faults: []stretch{}, Marks: []mark{}, Limits: []level{}}
	r.around(d)
	var idle []float64 // of each row, for how many seconds of it there was no load
	for _, s := range d.seconds {
		from := math.Floor(s.At/step) * step
		if n := len(r.Rows); n == 0 || r.Rows[n-1][0] != from {
			r.Rows, idle = append(r.Rows, [6]float64{from}), append(idle, max(0, from+step-d.end))
		}
		last := len(r.Rows) - 1
		row := &r.Rows[last]
		row[1] += float64(s.Offered)
		row[2] += float64(s.OK)
		row[3] += float64(s.Errors)
		row[4], row[5] = max(row[4], short(s.P50)), max(row[5], short(s.P99))
		if s.Covered > 0 {
			idle[last] += 1 - s.Covered
		}
	}
	r.perSecond(step, idle)
	return r
}

// perSecond makes rates of counts. As in the picture, a row that is covered for
// less than half of a second has the rates of the one beside it.
func (r *readout) perSecond(step float64, idle []float64) {
	for i := range r.Rows {
		for j := 1; j <= 3; j++ {
			r.Rows[i][j] = short(r.Rows[i][j] / (step - idle[i]))
		}
	}
	for i := range r.Rows {
		beside := i - 1
		if i == 0 {
			beside = min(1, len(r.Rows)-1)
		}
		if step-idle[i] < 0.5 {
			copy(r.Rows[i][1:4], r.Rows[beside][1:4])
		}
	}
}

// around says what was around the numbers: phases, faults, moments, limits.
func (r *readout) around(d *drill) {
	for _, p := range d.phases {
		r.Phases = append(r.Phases, stretch{p.name, p.from, p.to})
		for _, l := range d.limits {
			if l.phase == p.name && l.metric != "errors" {
				r.Limits = append(r.Limits, level{p.from, p.to, l.value})
			}
		}
	}
	for _, f := range d.faults {
		r.Faults = append(r.Faults, stretch{f.Verb + " " + f.Target, short(f.from), short(f.to)})
	}
	for _, i := range d.instants() {
		r.Marks = append(r.Marks, mark{"t0", i.name, short(i.at)})
	}
	for _, rec := range d.recoveries {
		if rec.limit >= 0 {
			r.Marks = append(r.Marks, mark{"limit", "limit " + format.Limit(format.Milliseconds, rec.limit*1000), short(rec.t0 + rec.limit)})
		}
		if rec.Steady >= 0 && !rec.Censored {
			r.Marks = append(r.Marks, mark{"recovered", "recovered", short(rec.t0 + rec.Steady/1000)})
		}
	}
}

// short rounds to three digits behind the point: more are not shown.
func short(v float64) float64 { return math.Round(v*1000) / 1000 }

// script is the element with the script of the report, and what a content
// security policy names it by: uPlot with its licence, and what uses it.
func script() (element template.HTML, source string, err error) {
	var text []byte
	for _, name := range []string{"uplot/LICENSE", "uplot/uPlot.min.js", "chart.js"} {
		part, err := files.ReadFile(name)
		if err != nil {
			return "", "", fmt.Errorf("read script: %w", err)
		}
		if name == "uplot/LICENSE" {
			part = []byte("/* uPlot:\n" + string(part) + "*/")
		}
		text = append(append(text, part...), '\n')
	}
	sum := sha256.Sum256(text)
	return template.HTML("<script>" + string(text) + "</script>"), //nolint:gosec // a constant of the program
		"'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'", nil
}
