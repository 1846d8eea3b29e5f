package html

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/proofload/proofload/reports"
)

// reproduce lists what is needed to repeat a run, and what made its numbers: the
// report may be all that somebody has of it. What is not known is left out.
func reproduce(r *reports.Result) []fact {
	list := []fact{
		{"Scenario", r.Scenario.File},
		{"Its sha256", r.Scenario.SHA256},
		{"Target", r.Target},
		{"Seed", strconv.FormatUint(r.Seed, 10)},
		{"Commit", r.Scenario.Git},
		{"Result format", r.Schema},
		{"HTTP client", r.Client},
	}
	for _, of := range slices.Sorted(maps.Keys(r.Versions)) {
		list = append(list, fact{"Version of " + of, r.Versions[of]})
	}
	var machine []string
	for _, name := range slices.Sorted(maps.Keys(r.Host)) {
		machine = append(machine, name+" "+r.Host[name])
	}
	list = append(list, fact{"Machine", strings.Join(machine, ", ")})
	list = append(list, images(r.Images)...)
	return slices.DeleteFunc(list, func(f fact) bool { return f.Value == "" })
}

// images lists the images that nodes were made from, each once, in the order of
// the first of its nodes.
func images(byNode map[string]string) []fact {
	var list []fact
	for _, node := range slices.Sorted(maps.Keys(byNode)) {
		id := byNode[node]
		if i := slices.IndexFunc(list, func(f fact) bool { return f.Value == id }); i >= 0 {
			list[i].Name += ", " + node
			continue
		}
		list = append(list, fact{"Image of " + node, id})
	}
	return list
}
