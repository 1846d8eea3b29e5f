package defects_test

import (
	"context"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut/defects"
)

func catalogue(t *testing.T) []defects.Defect {
	t.Helper()
	all, err := defects.All()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestCatalogue checks that there are enough defects, of every group, and that
// each is a small change whose checks its scenario asks for.
func TestCatalogue(t *testing.T) {
	const least, mostLines = 30, 15
	all := catalogue(t)
	if len(all) < least {
		t.Errorf("%d defects; want at least %d", len(all), least)
	}
	groups := map[string]bool{}
	for _, d := range all {
		groups[d.Group] = true
		if lines := changed(string(d.Patch)); lines == 0 || lines > mostLines {
			t.Errorf("%s changes %d lines; want 1 to %d", d.Name, lines, mostLines)
		}
		if d.Least > 0 && d.Most > 0 && d.Least > d.Most {
			t.Errorf("%s: least is %d and most %d", d.Name, d.Least, d.Most)
		}
		if strings.Contains(string(d.Patch), "--- a/fixtures/") != d.InStack() {
			t.Errorf("%s is in %s, and its patch changes something else", d.Name, d.Layer)
		}
		asked := asks(t, d.Scenario)
		for _, check := range d.Checks {
			if !slices.Contains(asked, check) {
				t.Errorf("%s is to be named by %s, which the scenario %s does not ask for", d.Name, check, d.Scenario)
			}
		}
	}
	for _, g := range defects.Groups() {
		if !groups[g] {
			t.Errorf("there is no defect of group %s", g)
		}
	}
	if _, err := defects.Find("ack-before-comit"); err == nil || !strings.Contains(err.Error(), `"ack-before-commit"`) {
		t.Errorf("Find of a misspelt name = %v; want the right one", err)
	}
}

// changed counts the lines that a patch adds, or takes away where it adds none.
func changed(patch string) int {
	added, taken := 0, 0
	for line := range strings.Lines(patch) {
		switch {
		case strings.HasPrefix(line, "+") && !strings.HasPrefix(line, "+++"):
			added++
		case strings.HasPrefix(line, "-") && !strings.HasPrefix(line, "---"):
			taken++
		}
	}
	return max(added, taken)
}

// asks lists the checks and the metrics that a scenario asks for.
func asks(t *testing.T, name string) []string {
	t.Helper()
	sc := scenario(t, name)
	var asked []string
	for _, v := range sc.Verify {
		asked = append(asked, v.Check)
	}
	for _, o := range sc.Objectives {
		asked = append(asked, o.Metric)
	}
	return asked
}

func scenario(t *testing.T, name string) *scenarios.Scenario {
	t.Helper()
	src, err := defects.Scenario(name)
	if err != nil {
		t.Fatal(err)
	}
	sc, err := scenarios.Parse(name+".yaml", src, nil)
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

// TestScenarios checks that each scenario bears the name of its file, is used,
// and is short, since it is run for every defect.
func TestScenarios(t *testing.T) {
	used := map[string]bool{}
	for _, d := range catalogue(t) {
		used[d.Scenario] = true
	}
	for _, name := range defects.Scenarios() {
		sc := scenario(t, name)
		if sc.Name != name || sc.About == "" || len(sc.Warnings) > 0 {
			t.Errorf("%s: name %q, about %q, warnings %v", name, sc.Name, sc.About, sc.Warnings)
		}
		var total time.Duration
		for _, p := range sc.Load.Phases {
			total += p.For
		}
		if total > 40*time.Second {
			t.Errorf("%s takes %s; want at most 40 s", name, total)
		}
		if !used[name] {
			t.Errorf("no defect shows under %s", name)
		}
	}
}

// TestPatches plants every defect in the sources as they are now, and compiles
// them: a patch that no longer applies is no defect any more.
func TestPatches(t *testing.T) {
	for _, d := range catalogue(t) {
		t.Run(d.Name, func(t *testing.T) {
			if err := plant(t, d).Compile(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

var unit = flag.Bool("unit", false, "run the ledger's own tests with each defect in it, which takes minutes")

// TestUnitTestsPass runs the tests of the service that need no server with each
// defect in it: one that they find needs no judge.
func TestUnitTestsPass(t *testing.T) {
	if !*unit {
		t.Skip("only with -unit")
	}
	for _, d := range catalogue(t) {
		t.Run(d.Name, func(t *testing.T) {
			if err := plant(t, d).Test(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPlantLeavesTheSources checks that the sources are as they were.
func TestPlantLeavesTheSources(t *testing.T) {
	d := catalogue(t)[0]
	file := filepath.Join("..", "ledger")
	before := sources(t, file)
	plant(t, d)
	if after := sources(t, file); after != before {
		t.Error("the sources of the service were changed")
	}
	other := d
	other.Patch = []byte(strings.ReplaceAll(string(d.Patch), "\n ", "\n  "))
	if _, err := defects.Plant(t.Context(), root(t), t.TempDir(), other); err == nil || !strings.Contains(err.Error(), "plant "+d.Name) {
		t.Errorf("Plant of a patch that does not fit = %v; want an error that names it", err)
	}
}

func sources(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	tree := os.DirFS(dir)
	err := fs.WalkDir(tree, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := fs.ReadFile(tree, path)
		all.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func plant(t *testing.T, d defects.Defect) defects.Planted {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p, err := defects.Plant(ctx, root(t), t.TempDir(), d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
