package format

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
)

// A Mark is one moment of a recovery, in ms since T0.
type Mark struct {
	Name string
	At   float64
}

// Steady is the mark at which a recovery ends.
const Steady = "steady"

// Marks lists the moments of a recovery that were seen, in the order in which
// they happened. Clients may be steady before the last of them, for example
// where they hardly wrote.
func Marks(rec check.Recovery) []Mark {
	steady := Steady
	if rec.Censored {
		steady = "still not steady"
	}
	all := []Mark{
		{"noticed", rec.Noticed},
		{"promoted", rec.Promoted},
		{"rerouted", rec.Rerouted},
		{"first ok", rec.FirstOK},
		{steady, rec.Steady},
	}
	seen := slices.DeleteFunc(all, func(m Mark) bool { return m.At < 0 })
	slices.SortStableFunc(seen, func(a, b Mark) int { return cmp.Compare(a.At, b.At) })
	return seen
}

// Anatomy words a recovery in one line: "lost +0  noticed +9.1  promoted +11.0
// rerouted +12.1  first ok +12.2  steady +12.4 s".
func Anatomy(r *reports.Result, rec check.Recovery) string {
	marks := Marks(rec)
	longest := 0.0
	for _, m := range marks {
		longest = max(longest, m.At)
	}
	scale, layout, unit := second, "%.1f", " s"
	if longest < second {
		scale, layout, unit = 1, "%.0f", " ms"
	}
	words := []string{InjectedWord(r, rec.Event) + " +0"}
	for _, m := range marks {
		words = append(words, m.Name+" +"+fmt.Sprintf(layout, m.At/scale))
	}
	line := strings.Join(words, "  ") + unit
	if rec.BadSeconds > 0 {
		line += fmt.Sprintf(", %s s below target", Count(rec.BadSeconds))
	}
	if rec.Flaps > 0 {
		line += fmt.Sprintf(", back below it %s after a good second", times(rec.Flaps))
	}
	return line
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return Count(n) + " times"
}

// InjectedWord says what an event did to its target: "lost" for lose.
func InjectedWord(r *reports.Result, event string) string {
	i := slices.IndexFunc(r.Faults, func(f check.FaultWindow) bool { return f.Name == event })
	if i < 0 {
		return "injected"
	}
	return Past(r.Faults[i].Verb)
}

// Past is the past participle of a fault's verb, "injected" if it is unknown.
func Past(verb string) string {
	switch verb {
	case "lose":
		return "lost"
	case "kill":
		return "killed"
	case "stop":
		return "stopped"
	case "pause":
		return "paused"
	case "partition":
		return "partitioned"
	case "stall":
		return "stalled"
	case "start":
		return "started"
	case "heal":
		return "healed"
	}
	return "injected"
}

// Faults says in one line whether everything that was broken was mended.
func Faults(r *reports.Result) string {
	open := slices.ContainsFunc(r.Faults, func(f check.FaultWindow) bool { return f.Open })
	switch {
	case open || len(r.FaultsLeft) > 0:
		return "NOT HEALED, may still be in place:"
	case len(r.Faults) == 0:
		return "none injected"
	}
	return "all healed"
}

// FaultsLeft lists what may still be in place, with the commands that mend it.
func FaultsLeft(r *reports.Result) []string {
	if len(r.FaultsLeft) > 0 {
		return r.FaultsLeft
	}
	var left []string
	for _, f := range r.Faults {
		if f.Open {
			left = append(left, f.Verb+" "+f.Target+": proofload heal")
		}
	}
	return left
}

// Writes says in one line where the acknowledged writes went, empty if no
// write was attempted.
func Writes(w check.Writes) string {
	if w.Attempted == 0 && w.Acknowledged == 0 {
		return ""
	}
	words := []string{Count(w.Acknowledged) + " acknowledged"}
	if Audited(w) {
		lost := Count(w.Lost) + " lost"
		if w.LostAmount > 0 {
			lost += " (" + Count(w.LostAmount) + " minor units)"
		}
		words = append(words, Count(w.Found)+" found", lost, Count(w.Duplicated)+" duplicated")
		if w.ObservedThenLost > 0 {
			words = append(words, Count(w.ObservedThenLost)+" observed, then lost")
		}
	} else {
		words = append(words, "not looked up afterwards")
	}
	switch {
	case w.Indeterminate > 0 && !Audited(w):
		words = append(words, Count(w.Indeterminate)+" indeterminate")
	case w.Indeterminate > 0:
		words = append(words, fmt.Sprintf("%s indeterminate, %s of them present", Count(w.Indeterminate), Count(w.Recovered)))
	}
	if w.Unexpected > 0 {
		words = append(words, Count(w.Unexpected)+" unexpected")
	}
	return strings.Join(words, ", ")
}

// Audited reports whether the writes were looked up in the store after the
// load: each acknowledged one is then either found or lost.
func Audited(w check.Writes) bool { return w.Acknowledged == 0 || w.Found+w.Lost > 0 }
