package main

import (
	"fmt"
	"strings"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/command"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/remote"
	"github.com/proofload/proofload/sut/sim"
)

// abilities say what can be done to a target, as far as that is known before it
// is up: an environment of its kind is asked.
type abilities struct {
	env  sut.Environment
	more func(verb string, p chaos.Params) error // what it cannot have although it seems so; nil: nothing
	all  chaos.Catalog
}

// abilitiesOf asks for those of a target; file is nil unless it has one. They are
// nil of a stack, which can have everything, or says so when the time comes.
func abilitiesOf(target string, file *remote.Target) *abilities {
	a := &abilities{all: catalog()}
	switch {
	case file != nil:
		env := file.Attach()
		a.env, a.all = env, command.Catalog(a.all, env, nil)
	case isAddress(target):
		a.env = urlEnv{target}
	case target == simTarget:
		a.env, a.more = sim.New(sim.Config{}), simLacks
	default:
		return nil
	}
	return a
}

// fault reports that the target cannot have a fault of the catalogue.
func (a *abilities) fault(verb string, p chaos.Params) error {
	if a == nil {
		return nil
	}
	if _, err := a.all[verb].New(a.env, chaos.NewTargets(a.env), p); err != nil || a.more == nil {
		return err
	}
	return a.more(verb, p)
}

// entry reports that what an entry of the timeline does beside the faults cannot
// be done to the target.
func (a *abilities) entry(verb string) error {
	if a == nil {
		return nil
	}
	able, what := true, ""
	switch verb {
	case scenarios.VerbStart:
		_, able = a.env.(sut.Killer)
		what = "starting nodes"
	case scenarios.VerbBackup, scenarios.VerbRestore:
		_, able = a.env.(sut.Restorer)
		what = "backups"
	case scenarios.VerbScale:
		_, able = a.env.(sut.Stopper)
		what = "stopping nodes"
	case scenarios.VerbExec:
		_, able = a.env.(sut.Executor)
		what = "commands inside of nodes"
	case scenarios.VerbHTTP:
		_, able = a.env.Endpoint("api")
		able = able && !strings.HasPrefix(a.env.Topology().Name, tcpScheme)
		what = "requests of HTTP"
	}
	if able {
		return nil
	}
	return fmt.Errorf("%s: %w", what, sut.ErrUnsupported)
}
