package html

import (
	"fmt"
	"math"

	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
)

// recoveryWords is the label of a recovery, and its ink.
func recoveryWords(rec recovery) (said, class string) {
	switch {
	case rec.taking >= 0:
		return takingWords(rec)
	case rec.Steady < 0:
		said = "recovery not seen"
	case rec.Censored:
		said = "not recovered after " + format.Duration(rec.Steady)
	case rec.Steady == 0:
		said = "served throughout"
	default:
		said = "recovered in " + format.Duration(rec.Steady)
	}
	if rec.limit < 0 {
		return said, "strong"
	}
	said += ", limit " + format.Limit(format.Milliseconds, rec.limit*1000)
	switch rec.outcome {
	case check.Fail:
		return said + ": MISSED", "bad-text"
	case check.Inconclusive:
		return said + ": UNCLEAR", "strong"
	default:
		return said, "good-text"
	}
}

// takingWords is the label of a recovery that is not over.
func takingWords(rec recovery) (said, class string) {
	said = "not steady yet, T0 +" + format.Duration(1000*math.Floor(rec.taking))
	switch {
	case rec.limit < 0:
		return said, "strong"
	case rec.taking > rec.limit:
		return said + ", limit " + format.Limit(format.Milliseconds, rec.limit*1000) + ": over it", "bad-text"
	}
	return said + ", limit " + format.Limit(format.Milliseconds, rec.limit*1000), "strong"
}

// inWords says the figures of the main chart that matter most, for those who do
// not see it.
func (d *drill) inWords() string {
	said := "At most " + format.Limit("", d.peak()) + " operations per second were offered."
	worst, share, slowest := check.Second{}, 1.0, check.Second{}
	for _, s := range d.seconds {
		if ok := float64(s.OK) / float64(s.Offered); s.Offered > 0 && ok < share {
			worst, share = s, ok
		}
		if s.P99 > slowest.P99 {
			slowest = s
		}
	}
	if share == 1 {
		said += " All were ok."
	} else {
		said += fmt.Sprintf(" In the worst second, %s, %s of %s were ok.", format.Clock(1000*worst.At), format.Count(worst.OK), format.Count(worst.Offered))
	}
	if slowest.P99 > 0 {
		said += fmt.Sprintf(" The highest p99 of a second was %s, at %s.", format.Duration(slowest.P99), format.Clock(1000*slowest.At))
	}
	return said
}

// ink names how the bar of a fault looks.
func (f span) ink() string {
	if f.planned {
		return "planned"
	}
	return "fault"
}

// goingOn says of a fault of a drill that goes on how it stands.
func goingOn(f span) string {
	switch {
	case f.asked:
		return "waits for an answer since " + format.Clock(1000*f.from)
	case f.planned:
		return "planned for " + format.Clock(1000*f.from)
	}
	return "for " + format.Duration(1000*math.Floor(f.to-f.from))
}
