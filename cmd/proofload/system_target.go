package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/remote"
	"github.com/proofload/proofload/sut/stack"
)

// errNoOptions is wrapped by the error that gives options to a target that has
// none.
var errNoOptions = errors.New("has no options")

// readTarget reads a target file.
func (a *app) readTarget(file string, options map[string]string) (*remote.Target, error) {
	src, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no target file %s", file)
	case err != nil:
		return nil, fmt.Errorf("read target: %w", err)
	case len(options) > 0:
		return nil, fmt.Errorf("the target %s %w", file, errNoOptions)
	}
	return remote.Parse(file, src, a.origins.noting(a.lookup))
}

// misnamed tells at its place in a scenario what is wrong with the target that it
// names, or with its options. What a flag said has no place there.
func misnamed(sc *scenarios.Scenario, f planFlags, err error) error {
	if placed, ok := errors.AsType[*scenarios.Problems](err); ok {
		return placed // in the target file
	}
	_, unknown := describeTarget(sc.Target, nil)
	switch {
	case errors.Is(err, errNoOptions) && sc.OptionsPos.Line > 0:
		return problemAt(sc, sc.OptionsPos, "{", err.Error(), "leave options: out: only a stack has them")
	case errors.Is(err, errNoOptions):
		return fmt.Errorf("--option: %w: only a stack has them", err)
	case isFile(sc.Target) && f.target == "":
		return problemAt(sc, sc.TargetPos, sc.Target, err.Error(), "the path of a target file is relative to the scenario")
	case isFile(sc.Target):
		return fmt.Errorf("--target: %w", err)
	case unknown != nil && f.target != "":
		return fmt.Errorf("--target: %w; %s", err, meantTarget(sc.Target, ""))
	case unknown != nil:
		return problemAt(sc, sc.TargetPos, sc.Target, err.Error(), meantTarget(sc.Target, sc.File))
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

// meantTarget is the hint for a target that there is not, with paths as they are
// written in a scenario, or on the command line if that is empty.
func meantTarget(target, scenario string) string {
	files, err := filesIn("targets", "target")
	if err != nil {
		files = nil // there is none in it
	}
	titles := make([]string, len(files))
	for i, f := range files {
		titles[i] = title(f)
		if inside, err := filepath.Rel(filepath.Dir(scenario), f); err == nil && scenario != "" {
			files[i] = inside
		}
	}
	if near := scenarios.Closest(target, append(slices.Clone(files), stackPrefix+stack.LedgerName)); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if near := scenarios.Closest(title(target), titles); near != "" {
		return fmt.Sprintf("did you mean %q?", files[slices.Index(titles, near)])
	}
	return "write " + stackPrefix + stack.LedgerName + ", http://localhost:PORT, or the path of a target file"
}

// problemAt is one mistake of a scenario.
func problemAt(sc *scenarios.Scenario, pos scenarios.Pos, text, msg, hint string) error {
	problems := &scenarios.Problems{File: sc.File, Source: sc.Source}
	problems.Add(pos, utf8.RuneCountInString(text), msg, hint)
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
		problems.Add(sc.TargetPos, len(p.Target), err.Error(), hint)
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
