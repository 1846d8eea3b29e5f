package html

import (
	"cmp"
	"slices"
	"strings"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
)

// A moment is a sentence below the verdict. What people look for in it stands
// out: when it was, and how it came out.
type moment struct{ When, Said, Word, Class string }

func (m moment) String() string {
	if m.Word != "" {
		m.Word = ": " + m.Word
	}
	return m.When + m.Said + m.Word + "."
}

// moments says of each recovery of a drill when it began, what had happened and
// what became of it; without one, when something was first broken. Then it says
// when the phases that missed an objective were at their worst.
func moments(r *reports.Result, d *drill) []moment {
	var said []moment
	for _, rec := range d.recoveries {
		words, _ := recoveryWords(rec)
		words, word, _ := strings.Cut(words, ": ")
		m := moment{When: "T0 is " + format.Clock(rec.t0*1000), Said: ", when " + happened(r, rec.Event) + ". Clients: " + words, Word: word}
		if word != "" {
			m.Class = classOf(rec.outcome)
		}
		said = append(said, m)
		if rec.FirstOK >= 0 { // on a timeline that is higher than any before T0
			said = append(said, moment{Said: "The new primary acknowledged its first write at T0 +" + format.Duration(rec.FirstOK)})
		}
	}
	if f, ok := d.firstFault(); ok {
		said = append(said, moment{When: "The first fault began at " + format.Clock(1000*f.from), Said: ": " + f.Verb + " " + f.Target})
	}
	for _, w := range d.worst() {
		said = append(said, w.moment())
	}
	return said
}

// kept says that no write was lost where the sentence of the verdict is about
// something else: it is what people ask next.
func kept(r *reports.Result) []moment {
	w := r.Writes
	if r.Verdict != string(check.Fail) || w.Acknowledged == 0 || w.Lost > 0 || !format.Audited(w) {
		return nil
	}
	return []moment{{Said: "None of " + format.Count(w.Acknowledged) + " acknowledged writes was lost"}}
}

// happened says what an event did: "postgres.primary was lost".
func happened(r *reports.Result, event string) string {
	i := slices.IndexFunc(r.Faults, func(f check.FaultWindow) bool { return f.Name == event })
	if i < 0 {
		return event + " began"
	}
	return r.Faults[i].Target + " was " + format.Past(r.Faults[i].Verb)
}

// An instant is a moment that a chart marks, in s since the drill began.
type instant struct {
	at   float64
	name string // with its time
}

// instants are the moments of a drill that people look for, the most telling
// first.
func (d *drill) instants() []instant {
	var list []instant
	for _, rec := range d.recoveries {
		list = append(list, instant{rec.t0, "T0 " + format.Clock(1000*rec.t0)})
	}
	if f, ok := d.firstFault(); ok {
		list = append(list, instant{f.from, "fault " + format.Clock(1000*f.from)})
	}
	worst := d.worst()
	for i, w := range worst {
		of := w.measure
		if i > 0 && worst[i-1].second.At == w.second.At { // one mark for both
			list, of = list[:len(list)-1], worst[i-1].measure+", "+of
		}
		list = append(list, instant{w.second.At + 0.5, "worst " + of + " " + format.Clock(1000*w.second.At)})
	}
	return list
}

// firstFault is what a drill that is over broke first, where no objective asks
// for the time to recover from anything.
func (d *drill) firstFault() (span, bool) {
	broken := slices.DeleteFunc(slices.Clone(d.faults), func(f span) bool { return !f.Breaks() })
	if d.live || len(d.recoveries) > 0 || len(broken) == 0 {
		return span{}, false
	}
	return slices.MinFunc(broken, func(a, b span) int { return cmp.Compare(a.from, b.from) }), true
}
