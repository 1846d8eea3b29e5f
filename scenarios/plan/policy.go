package plan

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
)

// Policy resolves what a permit allows against a system of that shape and
// the catalogue of faults. The error is *[scenarios.Problems] with everything
// that does not fit, at its place in the file.
func Policy(t *scenarios.Permit, topo sut.Topology, cat chaos.Catalog) (chaos.Policy, []chaos.KillSwitch, error) {
	p := chaos.Policy{Class: t.Class, Active: t.Allow.Active, TTL: t.Allow.TTL}
	problems := &scenarios.Problems{File: t.File, Source: t.Source}
	bad := func(at scenarios.Placed, err error, hint string) {
		problems.Add(at.Pos, utf8.RuneCountInString(at.Text), err.Error(), hint)
	}
	if t.Allow.Faults != nil {
		p.Faults = []string{}
	}
	for _, f := range t.Allow.Faults {
		if _, ok := cat[f.Text]; !ok && !slices.Contains(scenarios.Asks(), f.Text) {
			bad(f, fmt.Errorf("no fault %q", f.Text), scenarios.DidYouMean(f.Text, slices.Concat(cat.Names(), scenarios.Asks())))
		}
		p.Faults = append(p.Faults, f.Text)
	}
	if t.Allow.On != nil {
		p.On = []string{}
	}
	for _, on := range t.Allow.On {
		p.On = append(p.On, spokenOf(on, topo, bad)...)
	}
	for _, role := range t.Allow.Quorum {
		if len(topo.ByRole(sut.Role(role.Text))) == 0 {
			bad(role, fmt.Errorf("%s has no nodes of the role %q", topo.Name, role.Text), scenarios.DidYouMean(role.Text, roles(topo)))
		}
		p.Quorum = append(p.Quorum, sut.Role(role.Text))
	}
	for _, w := range t.Allow.Windows {
		window, err := chaos.ParseWindow(w.Text)
		if err != nil {
			bad(w, err, "write for example Mon-Fri 09:00-16:00 Europe/London")
		}
		p.Windows = append(p.Windows, window)
	}
	stops := make([]chaos.KillSwitch, len(t.Stop))
	for i, s := range t.Stop {
		var err error
		if stops[i], err = chaos.ParseKillSwitch(s.Text); err != nil {
			bad(s, err, "write file:/ABSOLUTE/PATH or https://HOST/PATH")
		}
	}
	if !strings.EqualFold(t.System.Text, topo.Name) {
		bad(t.System, fmt.Errorf("this file speaks of %s, the target is %s", t.System.Text, topo.Name), "use the file of that target")
	}
	return p, stops, problems.Err()
}

// spokenOf names the nodes and links that a permit speaks of in one word.
func spokenOf(on scenarios.Placed, topo sut.Topology, bad func(at scenarios.Placed, err error, hint string)) []string {
	sel, err := topo.Select(on.Text)
	switch {
	case err != nil:
		bad(on, err, scenarios.DidYouMean(on.Text, components(topo)))
	case sel.Member != "" && len(sel.Links) > 0:
		bad(on, fmt.Errorf("which links are %s changes", on.Text), "name the links: link:"+strings.Join(linkNames(sel), ", link:"))
	case sel.Member != "":
		bad(on, fmt.Errorf("which node is %s changes", on.Text), "name the nodes, or all of them: "+string(sel.Nodes[0].Role))
	}
	var names []string
	for _, n := range sel.Nodes {
		names = append(names, n.Name)
	}
	return append(names, linkNames(sel)...)
}

func linkNames(sel sut.Selection) []string {
	names := make([]string, len(sel.Links))
	for i, l := range sel.Links {
		names[i] = l.Name
	}
	return names
}
