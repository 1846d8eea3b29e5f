package html

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"math"
)

// maxRead is how many moments of a chart can be read at most.
const maxRead = 1800

// A readout is the numbers behind the main chart, for the script that shows
// them where somebody points.
type readout struct {
	Step float64      `json:"step"` // s of a row
	Rows [][6]float64 `json:"rows"` // s since the drill began; offered, ok and failed per second; p50 and p99 in ms, of the worst second, 0 where there is none
}

// readoutOf is that of a drill, with so many seconds a row that there are few
// enough.
func readoutOf(d *drill) *readout {
	step := math.Max(1, math.Ceil(d.end/maxRead))
	r := &readout{Step: step}
	for _, s := range d.seconds {
		from := math.Floor(s.At/step) * step
		if n := len(r.Rows); n == 0 || r.Rows[n-1][0] != from {
			r.Rows = append(r.Rows, [6]float64{from})
		}
		row := &r.Rows[len(r.Rows)-1]
		row[1] += float64(s.Offered)
		row[2] += float64(s.OK)
		row[3] += float64(s.Errors)
		row[4], row[5] = max(row[4], short(s.P50)), max(row[5], short(s.P99))
	}
	for i := range r.Rows {
		for j := 1; j <= 3; j++ {
			r.Rows[i][j] = short(r.Rows[i][j] / step)
		}
	}
	return r
}

// short rounds to three digits behind the point: more are not shown.
func short(v float64) float64 { return math.Round(v*1000) / 1000 }

// script is the element with the script of the report, and what a content
// security policy names it by.
func script() (element template.HTML, source string, err error) {
	text, err := files.ReadFile("chart.js")
	if err != nil {
		return "", "", fmt.Errorf("read script: %w", err)
	}
	sum := sha256.Sum256(text)
	return template.HTML("<script>" + string(text) + "</script>"), //nolint:gosec // a constant of the program
		"'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'", nil
}
