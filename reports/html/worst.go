package html

import (
	"strings"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
)

// maxWorst is how many seconds are named at most: the first objectives that were
// missed say enough.
const maxWorst = 2

// A worstSecond is the one of a drill in which what an objective limits was
// furthest from it. Its value is zero if there was no such second.
type worstSecond struct {
	check.ObjectiveResult
	measure string // of a second: p50, p99 or errors
	phase   string
	second  check.Second
	value   float64 // of the measure: ms, or how many failed
}

// addWorst finds the worst second of each objective of a phase that was missed.
func (d *drill) addWorst(r *reports.Result) {
	for _, o := range r.Objectives {
		measures := measuresOf(o)
		if o.Outcome != check.Fail || len(measures) == 0 {
			continue
		}
		w := worstSecond{ObjectiveResult: o}
		for _, w.measure = range measures {
			w.find(d.seconds)
			if w.value > 0 {
				break
			}
		}
		d.missed = append(d.missed, w)
	}
}

// find looks for the worst second of the phase by the measure. Of one operation of
// a phase there is no series: that of the phase is the nearest.
func (w *worstSecond) find(seconds []check.Second) {
	w.phase, _, _ = strings.Cut(w.Subject, "/")
	for _, s := range seconds {
		if v := measured(s, w.measure); s.Phase == w.phase && v > w.value {
			w.second, w.value = s, v
		}
	}
}

// worst are the worst seconds that are named.
func (d *drill) worst() []worstSecond {
	var list []worstSecond
	for _, w := range d.missed {
		if w.value > 0 && len(list) < maxWorst {
			list = append(list, w)
		}
	}
	return list
}

// measuresOf names what shows, second by second, how an objective of a phase was
// missed, the first that was not zero; there is nothing for those of events. A
// latency that is that of an operation that failed is a matter of errors, and too
// few are good where they fail or are slow.
func measuresOf(o check.ObjectiveResult) []string {
	switch o.Metric {
	case "errors":
		return []string{"errors"}
	case "rate":
		return []string{"errors", "p99"}
	case "p50", "p90", "p95", "p99", "p999", "max":
	default:
		return nil
	}
	switch {
	case o.Censored:
		return []string{"errors"}
	case o.Metric == "p50":
		return []string{"p50"}
	}
	return []string{"p99"}
}

func measured(s check.Second, measure string) float64 {
	switch measure {
	case "p50":
		return s.P50
	case "p99":
		return s.P99
	}
	return float64(s.Errors)
}

// moment says when it was, and what was measured then.
func (w *worstSecond) moment() moment {
	what, value := w.measure+" in "+w.phase+" was", format.Duration(w.value)
	if w.measure == "errors" {
		what, value = "Errors in "+w.phase+" were", format.Count(w.second.Errors)+" of "+format.Count(w.second.Offered)+" failed"
	}
	return moment{
		When: what + " worst at " + format.Clock(1000*w.second.At),
		Said: ": " + value + " in that second; limit of " + w.Metric + " " + format.Limit(w.Unit, w.Limit),
		Word: format.OutcomeWord(w.Outcome), Class: classOf(w.Outcome),
	}
}
