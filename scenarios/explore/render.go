package explore

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proofload/proofload/scenarios"
)

// Settings are what all scenarios of an exploration have in common.
type Settings struct {
	Name     string
	About    []string // comment lines at the top
	Target   string
	Options  map[string]string // of the target
	Workload string
	Rate     float64 // operations per second
	Checks   []string

	// Settle is how long after the last fault is gone clients may go without
	// being served.
	Settle time.Duration
}

// The phases of the scenarios.
const (
	phaseSteady = "steady"
	phaseBroken = "broken"
	phaseAfter  = "after"
)

// patience is how late a send and an answer may be, as a scenario writes it. The
// machine that an exploration runs on for half an hour may do other things as well,
// and what is found should be a defect. An answer that takes a good part of that,
// and many times as long as before, is found by goodput-returns all the same.
const patience = "3s"

// window is how long clients must be served to count as served again.
func (s Settings) window() time.Duration { return min(s.Settle, 5*time.Second) }

// steady is how long the system is watched before anything is broken. Checks
// compare with it.
func (s Settings) steady() time.Duration { return s.window() }

// after is how long the load goes on when the last fault is over: it takes a while
// until it is seen to be gone, then the system has its time, and then it is
// watched.
func (s Settings) after() time.Duration { return 2*s.Settle + s.window() + time.Second }

// Length is how long the load of a timeline takes.
func (s Settings) Length(t Timeline) time.Duration {
	return s.steady() + s.broken(t) + s.after()
}

// broken is the length of the phase in which things are broken.
func (s Settings) broken(t Timeline) time.Duration {
	return max(time.Second, (t.End() + time.Second - 1).Truncate(time.Second))
}

// Scenario writes a timeline as a scenario file.
func (s Settings) Scenario(t Timeline) []byte {
	var b bytes.Buffer
	for _, line := range s.About {
		fmt.Fprintf(&b, "# %s\n", line)
	}
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("proofload: %s", scenarios.Version)
	line("name: %s", s.Name)
	line("about: %s", strconv.Quote("Found by chance: "+t.String()+"."))
	line("tags: [explore]\n\ntarget: %s", strconv.Quote(s.Target))
	if len(s.Options) > 0 {
		line("options: %s", flow(s.Options, slices.Sorted(maps.Keys(s.Options))))
	}
	line("seed: %d\n\nload:\n  workload: %s", t.Seed, strconv.Quote(s.Workload))
	line("  send_lag: %s                      # it asks what is lost, not how quick it is", patience)
	line("  phases:")
	for _, p := range []struct {
		name  string
		lasts time.Duration
	}{{phaseSteady, s.steady()}, {phaseBroken, s.broken(t)}, {phaseAfter, s.after()}} {
		line("    - {name: %s, for: %s, rate: %g/s}", p.name, scenarios.FormatDuration(p.lasts), s.Rate)
	}
	if len(t.Faults) > 0 {
		line("\ntimeline:")
	}
	for _, f := range t.Faults {
		line("  - at: %s + %s", phaseBroken, scenarios.FormatDuration(f.At))
		line("    %s: %s", f.Verb, strconv.Quote(f.Target))
		line("    for: %s", scenarios.FormatDuration(f.For))
		if len(f.With) > 0 {
			line("    with: %s", flow(f.With, f.names()))
		}
	}
	line("\nverify: [%s]", strings.Join(s.Checks, ", "))
	line("\nrecovered: {window: %s, within: %s}", scenarios.FormatDuration(s.window()), patience)
	line("bounds: {return: %s}", scenarios.FormatDuration(s.Settle))
	return b.Bytes()
}

// flow writes a mapping on one line.
func flow(values map[string]string, names []string) string {
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = name + ": " + strconv.Quote(values[name])
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
