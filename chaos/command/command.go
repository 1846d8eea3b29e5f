// Package command has the faults that the owner of a system makes with commands of
// their own, where proofload has no way into the system itself.
//
// The commands run on this machine, with these variables:
//
//	PROOFLOAD_FAULT      the kind of fault, for example partition
//	PROOFLOAD_ON         the component, for example zone:b
//	PROOFLOAD_ID         a mark that no other fault has
//	PROOFLOAD_FOR        how long the fault lasts at most, in seconds
//	PROOFLOAD_LEASE      after how many seconds the system has to heal itself
//	                     unless the fault is made again; empty: it does not
//	PROOFLOAD_WITH_NAME  each parameter, as it was written
//
// and the secrets that the owner names. These are not in the undo data, which only
// says where they are.
package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// A Finder returns a secret from where it is. Who gives one sees to it that the
// value appears nowhere.
type Finder func(s sut.Secret) (value string, ok bool)

// Catalog returns a catalogue of the same kinds, whose faults are made by the
// commands of a system where it has some: for all else they are as they were. What
// commands made is undone also where commander is nil, from the undo data alone.
func Catalog(kinds chaos.Catalog, commander sut.Commander, find Finder) chaos.Catalog {
	all := chaos.Catalog{}
	for name, kind := range kinds {
		all[name] = owned{kind, commander, find}.kind()
	}
	return all
}

// An owned kind of fault may be made by commands.
type owned struct {
	chaos.Kind

	commander sut.Commander // nil: there are none
	find      Finder
}

// kind completes the entry of the catalogue.
func (o owned) kind() chaos.Kind {
	k := o.Kind
	k.Check = func(p chaos.Params) error {
		if len(o.parts(p)) > 0 || o.Check == nil {
			return nil
		}
		return o.Check(p)
	}
	k.Tells = func(p chaos.Params) (about, needs string) {
		parts := o.parts(p)
		if len(parts) == 0 {
			return o.Tell(p)
		}
		return tell(parts), ""
	}
	k.New = func(env sut.Environment, targets *chaos.Targets, p chaos.Params) (chaos.Fault, error) {
		if parts := o.parts(p); len(parts) > 0 {
			return &fault{owned: o, params: p, parts: parts}, nil
		}
		return o.New(env, targets, p)
	}
	k.Heal, k.Gone = o.heal, o.gone
	return k
}

// A part is a component with the commands for the fault.
type part struct {
	sut.Commands

	Component string
}

// parts are what a fault acts on, if there are commands for all of that.
func (o owned) parts(p chaos.Params) []part {
	if o.commander == nil {
		return nil
	}
	var names []string
	for _, n := range p.Target.Nodes {
		names = append(names, n.Name)
	}
	for _, l := range p.Target.Links {
		names = append(names, "link:"+l.Name)
	}
	var parts []part
	for _, name := range names {
		c, ok := o.commander.Commands(o.Name, name)
		if !ok {
			return nil
		}
		parts = append(parts, part{c, name})
	}
	return parts
}

// tell says what will run.
func tell(parts []part) string {
	var all []string
	for _, p := range parts {
		text := fmt.Sprintf("Runs on this machine: %s. Undone by: %s.", p.Inject, p.Heal)
		switch {
		case p.Look != "":
			text += fmt.Sprintf(" Seen by: %s.", p.Look)
		default:
			text += " Not looked at: what the commands exit with is believed."
		}
		if p.Lease > 0 {
			text += fmt.Sprintf(" The system heals itself %s after it was last told.", strings.Replace(p.Lease.String(), "m0s", "m", 1))
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}
