// Package explore looks for timelines that a system does not survive. It draws
// random faults from what a system allows, and takes away from a timeline that
// failed whatever it fails without.
//
// It carries nothing out: whoever uses it says how a timeline ended.
package explore

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// A Fault is one fault of a timeline.
type Fault struct {
	Verb   string
	Target string            // as a scenario refers to it
	At     time.Duration     // since the phase in which things are broken began
	For    time.Duration     // above zero
	With   map[string]string // parameters of its kind, as a scenario writes them
}

// A Timeline is what one run breaks, in the order of At.
type Timeline struct {
	Seed   uint64 // of the load
	Faults []Fault
}

// End is when the last fault ends.
func (t Timeline) End() time.Duration {
	var end time.Duration
	for _, f := range t.Faults {
		end = max(end, f.At+f.For)
	}
	return end
}

// Broken is how long something is broken, added up over all faults.
func (t Timeline) Broken() time.Duration {
	var sum time.Duration
	for _, f := range t.Faults {
		sum += f.For
	}
	return sum
}

// key is the same of two timelines that break the same.
func (t Timeline) key() string {
	var b strings.Builder
	for _, f := range t.Faults {
		b.WriteString(f.Verb + " " + f.Target + " " + f.At.String() + " " + f.For.String() + ";")
	}
	return b.String()
}

// with returns the timeline with other faults.
func (t Timeline) with(faults []Fault) Timeline {
	t.Faults = faults
	return t
}

// clone returns a copy whose faults can be changed.
func (t Timeline) clone() Timeline { return t.with(slices.Clone(t.Faults)) }

// String says what is broken and when, for people.
func (t Timeline) String() string {
	if len(t.Faults) == 0 {
		return "nothing broken"
	}
	parts := make([]string, len(t.Faults))
	for i, f := range t.Faults {
		parts[i] = f.Verb + " " + f.Target + " at " + f.At.String() + " for " + f.For.String()
	}
	return strings.Join(parts, ", ")
}

// names are the parameters of a fault in the order in which they are written.
func (f Fault) names() []string { return slices.Sorted(maps.Keys(f.With)) }
