package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/remote"
)

// errNoOptions is wrapped by the error that gives options to a target that has
// none.
var errNoOptions = errors.New("has no options")

// readTarget reads a target file.
func (a *app) readTarget(file string, options map[string]string) (*remote.Target, error) {
	src, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, noTargetError{file}
	case err != nil:
		return nil, fmt.Errorf("read target: %w", err)
	case len(options) > 0:
		return nil, fmt.Errorf("the target %s %w", file, errNoOptions)
	}
	return a.parseTarget(file, src)
}

// parseTarget parses a target file.
func (a *app) parseTarget(file string, src []byte) (*remote.Target, error) {
	t, err := remote.Parse(file, src, remote.Options{Lookup: a.origins.noting(a.lookup), Secret: a.secretAt})
	if err != nil {
		return nil, err
	}
	if _, err = policyOf(t); err != nil {
		return nil, err
	}
	return t, nil
}

// policyOf is what a target file says of when something may be broken, and in what
// class of system; what may be broken is for [remote.Target.Permits] to say. The
// zero policy is that of no file.
func policyOf(t *remote.Target) (chaos.Policy, error) {
	if t == nil {
		return chaos.Policy{}, nil
	}
	policy, _, err := plan.Policy(&scenarios.Permit{
		File: t.File, Source: t.Source, Class: t.Class, System: scenarios.Placed{Text: t.Topology().Name},
		Allow: scenarios.Allow{Windows: t.Allow.Windows},
	}, t.Topology(), nil)
	return policy, err
}

// inWindow reports that now is not the time for what a target file allows, for as long
// as something is done.
func inWindow(t *remote.Target, long time.Duration) error {
	policy, err := policyOf(t)
	if err != nil || t == nil {
		return err
	}
	now := time.Now()
	if err = policy.Within(now, now.Add(long)); err != nil {
		return fmt.Errorf("%s: %w", t.Name, err)
	}
	return nil
}

// allows says in words what a target file allows.
func allows(t *remote.Target) string {
	parts := []string{"load on " + t.Base}
	if t.Allow.Rate > 0 {
		parts[0] += fmt.Sprintf(" of up to %g/s", t.Allow.Rate)
	}
	if len(t.Allow.Faults) > 0 && len(t.Allow.On) > 0 {
		parts = append(parts, strings.Join(t.Allow.Faults, ", ")+" on "+strings.Join(t.Allow.On, ", "))
	} else {
		parts = append(parts, "no faults")
	}
	var windows []string
	for _, w := range t.Allow.Windows {
		windows = append(windows, w.Text)
	}
	if len(windows) > 0 {
		parts = append(parts, strings.Join(windows, ", "))
	}
	if t.Class != "" {
		parts = append(parts, "class "+t.Class)
	}
	return strings.Join(parts, "; ")
}

// A noTargetError says that there is no such target file.
type noTargetError struct{ file string }

func (e noTargetError) Error() string { return "there is no target file " + e.file }

// misnamed tells at its place in a scenario what is wrong with the target that it
// names, or with its options. What a flag said has no place there.
func misnamed(sc *scenarios.Scenario, f planFlags, err error) error {
	if placed, ok := errors.AsType[*scenarios.Problems](err); ok {
		return placed // in the target file
	}
	_, unknown := describeTarget(sc.Target, nil)
	missing := errors.As(err, new(noTargetError)) || unknown != nil && !isFile(sc.Target)
	switch {
	case errors.Is(err, errNoOptions) && sc.OptionsPos.Line > 0:
		return problemAt(sc, sc.OptionsPos, "{", err.Error(), "leave options: out: only a stack has them")
	case errors.Is(err, errNoOptions):
		return fmt.Errorf("--option: %w: only a stack has them", err)
	case missing && f.target != "":
		return fmt.Errorf("--target: %w; %s", err, meantTarget(sc.Target, ""))
	case isFile(sc.Target) && f.target != "":
		return fmt.Errorf("--target: %w", err)
	case missing:
		return problemAtTarget(sc, err.Error(), meantTarget(sc.Target, sc.File))
	case isFile(sc.Target):
		return problemAtTarget(sc, err.Error(), "the path of a target file is relative to the scenario")
	case len(f.options) > 0 || sc.OptionsPos.Line == 0:
		return err
	default:
		return misfits(sc, err)
	}
}

// misfits tells what is wrong with the options that a scenario gives its target:
// each at its key, if there is no such option, or at its value.
func misfits(sc *scenarios.Scenario, err error) error {
	const list = "proofload list targets says what there is"
	wrong, ok := errors.AsType[sut.OptionErrors](err)
	if !ok {
		return problemAt(sc, sc.OptionsPos, "{", err.Error(), list)
	}
	problems := &scenarios.Problems{File: sc.File, Source: sc.Source}
	for _, w := range wrong {
		hint := list
		if near := scenarios.Closest(w.Name, w.Known); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		spot := sc.OptionSpots[w.Name]
		pos, width := spot.Value, spot.ValueWidth
		if len(w.Known) > 0 {
			pos, width = spot.Key, spot.KeyWidth
		}
		problems.Add(pos, width, w.Msg, hint)
	}
	return problems.Err()
}

// problemAt is one mistake of a scenario.
func problemAt(sc *scenarios.Scenario, pos scenarios.Pos, text, msg, hint string) error {
	problems := &scenarios.Problems{File: sc.File, Source: sc.Source}
	problems.Add(pos, utf8.RuneCountInString(text), msg, hint)
	return problems.Err()
}

// problemAtTarget is a mistake of a scenario in the target that it names.
func problemAtTarget(sc *scenarios.Scenario, msg, hint string) error {
	problems := &scenarios.Problems{File: sc.File, Source: sc.Source}
	problems.Add(sc.TargetPos, sc.TargetWidth, msg, hint)
	return problems.Err()
}

// permitted reports what a plan would do that its target file does not allow.
func (p *planned) permitted() error {
	if p.target == nil {
		return nil
	}
	sc := p.Scenario
	problems := &scenarios.Problems{File: sc.File, Source: sc.Source}
	const hint = "what may be done to a system its target file says, in allow:"
	if err := p.target.PermitsRate(p.perArrival() * p.Peak()); err != nil {
		problems.Add(sc.TargetPos, sc.TargetWidth, err.Error(), hint)
	}
	for _, step := range p.Steps {
		// One that happens again is refused once, where it is written.
		i := slices.IndexFunc(sc.Timeline, func(e scenarios.Event) bool { return e.As == step.Entry.Name })
		if !step.Fault && !slices.Contains(scenarios.Asks(), step.Verb) || i < 0 || unresolved(step.Params.Target) {
			continue
		}
		if err := p.target.Permits(step.Verb, step.Params.Target); err != nil {
			e := sc.Timeline[i]
			problems.Add(e.VerbPos, len(e.Verb), err.Error(), hint)
		}
	}
	return problems.Err()
}

// unresolved reports whether what a component refers to is not there.
func unresolved(s sut.Selection) bool { return s.Ref != "" && len(s.Nodes)+len(s.Links) == 0 }

// reachable reports entries of the timeline, beside faults, for which proofload
// has no way into the target: statements are for the databases of a stack, which
// have an address for it.
func (p *planned) reachable() error {
	sc := p.Scenario
	problems := &scenarios.Problems{File: sc.File, Source: sc.Source}
	able := abilitiesOf(sc.Target, p.target)
	for _, q := range sc.Queries {
		if !strings.HasPrefix(sc.Target, stackPrefix) {
			problems.Add(q.OnPos, len(q.On), "proofload has no way to the databases of "+sc.Target, "checks in SQL are for the databases of a stack")
		}
	}
	for _, e := range sc.Timeline {
		if e.Verb == scenarios.VerbSQL && !strings.HasPrefix(sc.Target, stackPrefix) {
			problems.Add(e.VerbPos, len(e.Verb), "proofload has no way to the databases of "+sc.Target, "statements are for the databases of a stack")
		}
		if err := able.entry(e.Verb); err != nil {
			problems.Add(e.VerbPos, len(e.Verb), fmt.Sprintf("%s cannot have %s: %v", sc.Target, e.Verb, err), "leave it out, or choose another target, for example stack/ledger")
		}
	}
	return problems.Err()
}

// attachTarget attaches to the system of a target file. It is left as it is
// found.
func attachTarget(t *remote.Target, client *http.Client) *system {
	return attach(t.Attach(), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, gateTimeout)
		defer cancel()
		return t.Ready(ctx, client)
	})
}

// isDeployed reports whether a target runs without us, so that what is broken in
// it stays broken when our processes are gone.
func isDeployed(target string) bool { return isAddress(target) || isFile(target) }
