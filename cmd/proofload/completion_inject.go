package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// completeInject lists the kinds of fault, then what of the target one of that
// kind can break, then its parameters.
func (a *app) completeInject(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return completeFaults(cmd, args, start)
	}
	kind, ok := catalog()[args[0]]
	if !ok {
		return nil, noFiles
	}
	if len(args) > 1 {
		return completeParameters(kind, args[2:], start), noFiles | noSpace
	}
	target := namedTarget(cmd.Flag("target").Value.String(), "")
	if !isFile(target) {
		topology, err := describeTarget(target, nil)
		if err != nil {
			return nil, noFiles
		}
		can := func(p chaos.Params) error { return abilitiesOf(target, nil).fault(kind.Name, p) }
		return matching(breakable(kind, topology, can), start), noFiles
	}
	file, err := a.readTarget(target, nil)
	if err != nil {
		return nil, noFiles
	}
	kind = a.faults(file)[args[0]]
	can := func(p chaos.Params) error {
		return errors.Join(file.Permits(kind.Name, p.Target), abilitiesOf(target, file).fault(kind.Name, p))
	}
	return matching(breakable(kind, file.Topology(), can), start), noFiles
}

// completeParameters lists the parameters of a kind that were not given yet.
func completeParameters(kind chaos.Kind, given []string, start string) []cobra.Completion {
	var all []cobra.Completion
	for _, p := range kind.Params {
		if !slices.ContainsFunc(given, func(g string) bool { return strings.HasPrefix(g, p.Name+"=") }) {
			all = append(all, described(p.Name+"=", p.About))
		}
	}
	return matching(all, start)
}

// breakable lists the components of a system that a kind of fault can act on; all
// of them, where it says of none that it could.
func breakable(kind chaos.Kind, topology sut.Topology, can func(chaos.Params) error) []cobra.Completion {
	p := chaos.Params{For: time.Minute, Values: map[string]string{}}
	for _, known := range kind.Params {
		p.Values[known.Name] = known.Example()
	}
	var able, all []cobra.Completion
	for _, c := range components(topology) {
		ref, _, _ := strings.Cut(c, "\t")
		var err error
		if p.Target, err = topology.Select(ref); err != nil {
			continue
		}
		all = append(all, c)
		if len(kind.Mistakes(p)) == 0 && can(p) == nil {
			able = append(able, c)
		}
	}
	if len(able) == 0 {
		return all
	}
	return able
}

// components lists what the parts of a system are called: nodes, those with a
// role, links and zones.
func components(t sut.Topology) []cobra.Completion {
	var all []cobra.Completion
	add := func(ref, about string) { all = append(all, described(ref, about)) }
	for _, n := range t.Nodes {
		add(n.Name, string(n.Role))
	}
	for _, n := range t.Nodes {
		if same := t.ByRole(n.Role); len(same) > 1 && same[0].Name == n.Name {
			add(string(n.Role)+"[*]", "all of them")
			add(string(n.Role)+"[1]", n.Name)
		}
	}
	if len(t.ByRole(sut.RoleDatabase)) > 0 {
		database := string(sut.RoleDatabase) + "."
		add(database+sut.MemberPrimary, "whichever it is then")
		add(database+sut.MemberReplica, "whichever they are then")
		add(database+sut.MemberOldPrimary, "the one that was primary when it was last broken")
	}
	all = append(all, links(t)...)
	var zones []string
	for _, n := range t.Nodes {
		if n.Zone != "" && n.Name != "zone:"+n.Zone { // or it is a node of its own, and was named
			zones = append(zones, n.Zone)
		}
	}
	slices.Sort(zones)
	for _, z := range slices.Compact(zones) {
		add("zone:"+z, "all in it")
	}
	return all
}

// links lists what the links of a system are called: each, those between nodes of
// two roles, and those that carry the same.
func links(t sut.Topology) []cobra.Completion {
	var each, together []string
	for _, l := range t.Links {
		each = append(each, described("link:"+l.Name, string(l.Carries)))
		from, _ := t.Node(l.From)
		to, _ := t.Node(l.To)
		for _, name := range []string{string(l.Carries), string(from.Role) + "->" + string(to.Role)} {
			if sel, err := t.Select("link:" + name); err == nil && len(sel.Links) > 1 {
				together = append(together, described("link:"+name, "all of them"))
			}
		}
	}
	slices.Sort(together)
	return append(each, slices.Compact(together)...)
}
