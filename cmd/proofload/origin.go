package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut/stack"
)

// Where a value comes from that nobody gave.
const (
	originDefault = "default"
	originFlag    = "flag"
	originDrawn   = "drawn for this run"
)

// origins says where values come from: of flags, as they were set, and of the
// variables of the environment, as files asked for them.
type origins struct {
	shown bool              // asked for by --show-origin
	flags map[string]string // by the name of the flag
	asked map[string]bool   // variables that files name, and whether they are set
	told  map[string]bool   // scenarios of whose plan it was said
}

// noting is a lookup of variables that notes which were asked for. What they are
// is not noted: it may be a secret.
func (o *origins) noting(lookup func(string) (string, bool)) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := lookup(name)
		if o.asked == nil {
			o.asked = map[string]bool{}
		}
		o.asked[name] = ok && value != ""
		return value, ok
	}
}

// An originRow says what a setting is and where that comes from.
type originRow struct{ name, value, from string }

func writeOrigins(w io.Writer, rows []originRow) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.name, orDash(r.value), r.from)
	}
	return table.Flush()
}

// showOrigins says of all that a plan is made of where it comes from, if that is
// asked for: from the scenario, where no flag says otherwise. Of one that is
// planned again and again it is said once.
func (a *app) showOrigins(p *planned, f planFlags) error {
	sc := p.Scenario
	if !a.origins.shown || a.origins.told[sc.File] {
		return nil
	}
	if a.origins.told == nil {
		a.origins.told = map[string]bool{}
	}
	a.origins.told[sc.File] = true
	place := func(pos scenarios.Pos) string { return fmt.Sprintf("scenario %s:%d:%d", sc.File, pos.Line, pos.Col) }
	chosen := func(flag string, given bool, pos scenarios.Pos, otherwise string) string {
		switch {
		case given:
			return a.origins.flags[flag]
		case pos.Line > 0:
			return place(pos)
		}
		return otherwise
	}
	repeat := chosen("repeat", f.repeat > 0, sc.RepeatPos, originDefault)
	if f.once && f.repeat == 0 {
		repeat = a.origins.flags["once"] + ": once"
	}
	rows := []originRow{
		{"plan.target", p.Target, chosen("target", f.target != "", sc.TargetPos, originDefault)},
		{"plan.seed", strconv.FormatUint(p.Seed, 10), chosen("seed", f.seed != 0, sc.SeedPos, originDrawn)},
		{"plan.repeat", strconv.Itoa(len(p.Drills)), repeat},
	}
	for name, value := range optionsOf(p.Target, p.Options) {
		given := slices.ContainsFunc(f.options, func(o string) bool { return strings.HasPrefix(o, name+"=") })
		rows = append(rows, originRow{"plan.options." + name, value, chosen("option", given, sc.OptionSpots[name].Value, originDefault)})
	}
	for name, value := range sc.Vars {
		given := slices.ContainsFunc(f.set, func(s string) bool { return strings.HasPrefix(s, name+"=") })
		rows = append(rows, originRow{"plan.vars." + name, value, chosen("set", given, sc.VarSpots[name].Value, originDefault)})
	}
	for name, set := range a.origins.asked {
		row := originRow{"${" + name + "}", "not set", originDefault}
		if set {
			row.value, row.from = "set", "environment "+name
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows[3:], func(x, y originRow) int { return strings.Compare(x.name, y.name) })
	return writeOrigins(a.stderr, rows)
}

// optionsOf are the options of a target, with those that nobody chose.
func optionsOf(target string, chosen map[string]string) map[string]string {
	all := map[string]string{}
	if name, ok := strings.CutPrefix(target, stackPrefix); ok {
		known, err := stack.Options(name)
		if err != nil {
			known = nil // there is no such stack, which the plan says
		}
		for _, o := range known {
			all[o.Name] = o.Default
		}
	}
	maps.Copy(all, chosen)
	return all
}
