package html

import (
	"slices"

	"github.com/proofload/proofload/reports/format"
)

// latencyLimits draws the limits of percentiles over their phases. That of the p50
// has its name below it, where that of the p99 never is.
func (t *timeline) latencyLimits(y scale) {
	for _, l := range t.d.limits {
		for _, p := range t.d.phases {
			if p.name != l.phase || l.metric == "errors" {
				continue
			}
			at := y.at(l.value)
			t.line(t.x.at(p.from), at, t.x.at(p.to), at, "limit")
			said := l.metric + " limit " + format.Limit(format.Milliseconds, l.value)
			if room := t.x.at(p.to) - t.x.at(p.from) - 8; textWidth(said) > room {
				said = clip(format.Limit(format.Milliseconds, l.value), room)
			}
			base := at - 5
			if l.metric == "p50" && at+14 < y.low {
				base = at + 12
			}
			t.text(t.x.at(p.from)+5, base, said, "start", "limit-text")
		}
	}
}

// errorLimits draws how many errors a second are allowed in each phase, on average,
// of what was offered in it. It returns what a legend calls that, empty if there are
// no such limits.
func (t *timeline) errorLimits(y scale) string {
	var shares []string
	for _, l := range t.d.limits {
		for _, p := range t.d.phases {
			if p.name != l.phase || l.metric != "errors" {
				continue
			}
			at := y.at(l.value / 100 * t.d.offered(p.name))
			t.line(t.x.at(p.from), at, t.x.at(p.to), at, "limit")
			if share := format.Limit(format.Percentage, l.value); !slices.Contains(shares, share) {
				shares = append(shares, share)
			}
		}
	}
	switch {
	case len(shares) == 0:
		return ""
	case t.slim():
		return "limit"
	case len(shares) == 1:
		return "limit of errors, " + shares[0]
	}
	return "limit of errors"
}

// offered is how much was offered a second in a phase, on average.
func (d *drill) offered(phase string) float64 {
	total, covered := 0.0, 0.0
	for _, s := range d.seconds {
		if s.Phase != phase {
			continue
		}
		total += float64(s.Offered)
		if s.Covered > 0 {
			covered += s.Covered
		} else {
			covered++
		}
	}
	return total / max(covered, 1)
}
