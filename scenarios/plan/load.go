package plan

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/scenarios"
)

// load lays the phases out one after another.
func (b *builder) load() {
	var start time.Duration
	whole := true
	for _, f := range b.sc.Load.Phases {
		phase, ok := b.phase(f)
		whole = whole && ok
		b.plan.Phases = append(b.plan.Phases, phase)
		spec := check.Phase{Name: f.Name, Start: start, For: f.For, From: phase.From, To: phase.To, Score: f.Score, Until: f.Until}
		if phase.Profile != loadgen.Linear {
			spec.Planned, spec.Users = phase.Planned(), max(f.Users.From, f.Users.To)
		}
		b.plan.Spec.Phases = append(b.plan.Spec.Phases, spec)
		start += f.For
	}
	if !whole {
		return
	}
	schedule, err := loadgen.NewSchedule(b.plan.Phases, b.plan.Arrivals, b.plan.Seed)
	if err != nil {
		b.problems.Add(b.sc.Load.WorkloadPos, 1, err.Error(), "")
		return
	}
	b.plan.operations = schedule.Len()
}

// phase turns a phase of the scenario into one of the engine. It reports
// whether there was nothing wrong with it.
func (b *builder) phase(f scenarios.Phase) (loadgen.Phase, bool) {
	phase := loadgen.Phase{
		Name: f.Name, For: f.For, Profile: loadgen.Profile(f.Profile), From: f.From, To: f.To,
		Steps: f.Steps, SpikeAt: f.SpikeAt, Width: f.SpikeFor, Period: f.Period, Users: loadgen.Users(f.Users),
	}
	if f.Profile != scenarios.Replay {
		return phase, true
	}
	offsets, err := b.arrivals(f.Replay)
	if err != nil {
		b.add(f.ReplayPos, f.Replay, "cannot replay "+f.Replay+": "+err.Error(), "write one arrival a line, in seconds since the phase's start")
		return phase, false
	}
	if last := offsets[len(offsets)-1]; last >= f.For {
		b.add(f.ReplayPos, f.Replay, fmt.Sprintf("the last arrival of %s is at %s, but %s lasts %s", f.Replay, last, f.Name, scenarios.FormatDuration(f.For)),
			fmt.Sprintf("make the phase at least %s long", scenarios.FormatDuration(last.Truncate(time.Second)+time.Second)))
		return phase, false
	}
	phase.Offsets = offsets
	return phase, true
}

// arrivals reads a file of recorded arrivals.
func (b *builder) arrivals(name string) ([]time.Duration, error) {
	if b.open == nil {
		return nil, errors.New("this scenario has no files beside it")
	}
	f, err := b.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return loadgen.ReadArrivals(f)
}

// says is what the scenario says of a phase.
func (p *Plan) says(phase int) string {
	f := p.Spec.Phases[phase]
	text := profile(&p.Phases[phase])
	if f.Until != "" {
		text += ", until " + f.Until
	}
	if !f.Score {
		text += ", not scored"
	}
	return text
}

// Bounded reports whether a phase may end before its time, so that [Plan.Duration]
// is an upper bound.
func (p *Plan) Bounded() bool {
	return slices.ContainsFunc(p.Spec.Phases, func(f check.Phase) bool { return f.Until != "" })
}

// profile is the load of a phase, as a scenario says it.
func profile(f *loadgen.Phase) string {
	text := rate(f.From)
	span := scenarios.FormatDuration
	switch f.Profile {
	case loadgen.Linear:
		if f.From != f.To {
			text += " -> " + rate(f.To)
		}
	case loadgen.Step:
		text += fmt.Sprintf(" -> %s in %d steps", rate(f.To), f.Steps)
	case loadgen.Spike:
		text += fmt.Sprintf(" spike %s at %s for %s", rate(f.To), span(f.SpikeAt), span(f.Width))
	case loadgen.Sine:
		text += fmt.Sprintf(" <-> %s every %s", rate(f.To), span(f.Period))
	case loadgen.Replay:
		text = thousands(len(f.Offsets)) + " replayed"
	case loadgen.Closed:
		text = users(f.Users)
	}
	return text
}

func users(u loadgen.Users) string {
	text := thousands(u.From)
	if u.From != u.To {
		text += " -> " + thousands(u.To)
	}
	text += " users"
	switch {
	case u.ThinkLeast != u.ThinkMost:
		text += fmt.Sprintf(", think %s to %s", scenarios.FormatDuration(u.ThinkLeast), scenarios.FormatDuration(u.ThinkMost))
	case u.ThinkMost > 0:
		text += ", think " + scenarios.FormatDuration(u.ThinkMost)
	}
	return text
}
