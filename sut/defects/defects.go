// Package defects is a catalogue of mistakes to plant in the ledger, by which
// the judge is graded: a judge is worth what it finds.
//
// Each defect is a patch to the sources of the service, NAME.patch, and a file
// NAME.yaml that says what it breaks, under which scenario it shows, and which
// check has to name it. The scenarios ask for everything that they can, and know
// nothing of the defects: they are built for classes of mistakes.
package defects

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/proofload/proofload/scenarios"
)

//go:embed catalogue scenarios
var files embed.FS

const (
	catalogueDir = "catalogue"
	scenarioDir  = "scenarios"
	extension    = ".yaml"
)

// A Defect is one mistake that can be planted.
type Defect struct {
	Name     string
	About    string   // what the service does wrong, in one sentence
	Group    string   // one of [Groups]
	Layer    string   // the package of the service that is changed, or the folder of the stack
	Scenario string   // under which it shows, one of [Scenarios]
	Checks   []string // any of these names it: checks, or objectives by their metric
	Least    int      // of what such a check counts, the fewest that are expected; 0: nothing is said
	Most     int      // and the most; 0: nothing is said
	Chance   bool     // it does not show in every run
	Patch    []byte   // to the sources, as git writes it
}

// InStack reports whether what is changed is the stack that the service runs in, and
// not the service.
func (d Defect) InStack() bool { return strings.HasPrefix(d.Layer, "fixtures/") }

// Groups lists the kinds of defects.
func Groups() []string {
	return []string{"durability", "duplicates", "pools", "cache", "replicas", "isolation", "money", "jobs", "resilience", "lifecycle", "failover"}
}

// Scenarios lists the names of the scenarios that defects show under, sorted.
func Scenarios() []string {
	var names []string
	entries, err := fs.ReadDir(files, scenarioDir)
	if err != nil {
		return nil // cannot be: it is embedded
	}
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), extension))
	}
	return names
}

// Scenario returns the source of a scenario.
func Scenario(name string) ([]byte, error) {
	src, err := files.ReadFile(path.Join(scenarioDir, name+extension))
	if err != nil {
		return nil, fmt.Errorf("no scenario %q: %s", name, scenarios.DidYouMean(name, Scenarios()))
	}
	return src, nil
}

// All returns the catalogue, sorted by name.
func All() ([]Defect, error) {
	names, err := fs.Glob(files, path.Join(catalogueDir, "*"+extension))
	if err != nil {
		return nil, fmt.Errorf("list defects: %w", err)
	}
	var all []Defect
	for _, file := range names {
		src, err := files.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read defect: %w", err)
		}
		d, err := parse(file, src)
		if err != nil {
			return nil, err
		}
		if d.Patch, err = files.ReadFile(strings.TrimSuffix(file, extension) + ".patch"); err != nil {
			return nil, fmt.Errorf("read patch of defect %s: %w", d.Name, err)
		}
		all = append(all, d)
	}
	return all, nil
}

// Find returns one defect. The error names those with a similar name.
func Find(name string) (Defect, error) {
	all, err := All()
	if err != nil {
		return Defect{}, err
	}
	var names []string
	for _, d := range all {
		if d.Name == name {
			return d, nil
		}
		names = append(names, d.Name)
	}
	return Defect{}, fmt.Errorf("no defect %q: %s", name, scenarios.DidYouMean(name, names))
}

// parse reads the description of a defect. The error is [*scenarios.Problems].
func parse(file string, src []byte) (Defect, error) {
	r, root, err := scenarios.Open("defect", file, src, nil)
	if err != nil {
		return Defect{}, err
	}
	var d Defect
	words := func(dst *string) func(k, v *scenarios.Node) {
		return func(k, v *scenarios.Node) { *dst, _ = r.Words(v, k.Text()) }
	}
	count := func(dst *int) func(k, v *scenarios.Node) {
		return func(k, v *scenarios.Node) { *dst, _ = r.Count(v, k.Text()) }
	}
	r.Mapping(root, "a defect", []scenarios.Field{
		{Key: "proofload", Need: true, Set: func(_, _ *scenarios.Node) {}}, // read before all others
		{Key: "name", Need: true, Set: func(k, v *scenarios.Node) {
			d.Name, _ = r.Name(v, k.Text())
			if want := strings.TrimSuffix(path.Base(file), extension); d.Name != want {
				r.Add(v, fmt.Sprintf("the file of %s is called %s", d.Name, path.Base(file)), "a defect has the name of its file")
			}
		}},
		{Key: "about", Need: true, Set: words(&d.About)},
		{Key: "group", Need: true, Set: func(k, v *scenarios.Node) { d.Group, _ = r.OneOf(v, k.Text(), Groups()...) }},
		{Key: "layer", Need: true, Set: words(&d.Layer)},
		{Key: "scenario", Need: true, Set: func(k, v *scenarios.Node) { d.Scenario, _ = r.OneOf(v, k.Text(), Scenarios()...) }},
		{Key: "checks", Need: true, Set: func(_, v *scenarios.Node) {
			r.List(v, "checks", func(n *scenarios.Node) {
				if name, ok := r.OneOf(n, "a check", accusers()...); ok {
					d.Checks = append(d.Checks, name)
				}
			})
		}},
		{Key: "least", Set: count(&d.Least)},
		{Key: "most", Set: count(&d.Most)},
		{Key: "chance", Set: func(k, v *scenarios.Node) { d.Chance, _ = r.Truth(v, k.Text()) }},
	})
	return d, r.Err()
}

// accusers lists what can name a defect: the checks, and the metrics of
// objectives.
func accusers() []string {
	names := []string{"errors", "p99", "rto", "rate"}
	for _, c := range scenarios.Checks() {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names
}
