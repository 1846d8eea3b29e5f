package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/html"
	"github.com/proofload/proofload/reports/openmetrics"
	"github.com/proofload/proofload/reports/reportstest"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/schema"
)

var update = flag.Bool("update", false, "write the golden files")

const referenceFile = "REFERENCE.md"

// TestReference holds the reference page against the code that it is made from.
func TestReference(t *testing.T) {
	got := reference(t)
	if *update {
		if err := os.WriteFile(referenceFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("make golden writes it anew (-file +code):\n%s", diff)
	}
}

// A page is what is written of the reference so far.
type page struct{ strings.Builder }

func (p *page) say(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// row writes a row of a table.
func (p *page) row(cells ...string) {
	for i, c := range cells {
		cells[i] = strings.NewReplacer("|", `\|`, "\n", "<br>").Replace(c)
	}
	p.say("| %s |", strings.Join(cells, " | "))
}

// table begins a table.
func (p *page) table(heads ...string) {
	p.row(heads...)
	p.say("|%s", strings.Repeat("---|", len(heads)))
}

func code(s string) string { return "`" + s + "`" }

// reference writes the page.
func reference(t *testing.T) string {
	t.Helper()
	p := &page{}
	p.say("# Reference")
	p.say("")
	p.say("Made from the code by `make golden`; a test holds it against the code.")
	root := quietApp().command()
	root.InitDefaultCompletionCmd()
	p.say("\n## Commands")
	p.commands(root)
	p.settings(root)
	p.say("\n## Exit codes\n")
	p.table("code", "word", "meaning")
	for _, e := range exitCodes() {
		p.row(strconv.Itoa(e.code), e.word, e.about)
	}
	p.vocabulary(t)
	p.permit()
	for _, kind := range schema.Names() {
		p.format(t, kind)
	}
	p.runDirectory()
	p.exported()
	return p.String()
}

// commands writes what a command says of itself, and those below it.
func (p *page) commands(c *cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" {
			continue
		}
		p.say("\n### %s\n", sub.CommandPath())
		if sub.Name() == "completion" {
			p.say("%s: `proofload completion bash`, `zsh`, `fish` or `powershell`; each says with `--help` how to load it.", sub.Short)
			continue
		}
		p.say("%s.", strings.TrimSuffix(sub.Short, "."))
		if sub.Long != "" {
			p.say("\n%s", sub.Long)
		}
		p.say("\n```text\n%s\n```", sub.UseLine())
		if sub.Example != "" {
			p.say("\n```\n%s\n```", strings.ReplaceAll(strings.TrimLeft(sub.Example, " "), "\n  ", "\n"))
		}
		p.flags(sub)
		p.commands(sub)
	}
}

func (p *page) flags(c *cobra.Command) {
	first := true
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		if first {
			p.say("")
			p.table("flag", "default", "meaning")
			first = false
		}
		p.row(code("--"+f.Name), orDash(f.DefValue), f.Usage)
	})
}

func (p *page) settings(root *cobra.Command) {
	p.say("\n## Settings\n")
	p.say("A flag can be given in `%s` (or the file that `--config` names) as well, and in the environment: file < environment < flag.", settingsFile)
	p.say("`--show-origin` says where each value came from, and of what is planned where the target, the seed, the number of drills, the options and the variables come from:")
	p.say("the place in the scenario, where nothing else says it. Which variables of the environment the files ask for is said, and not what they are.\n")
	p.say("```yaml\nproofload: config/v1\nkeep: failed\nprogress: plain\noption: [replication=async]\n```\n")
	p.table("flag and key", "variable")
	for _, name := range flagNames(root) {
		p.row(code(name), code(variableOf(name)))
	}
	p.say("\n`NO_COLOR` and `TERM=dumb` mean no escape sequence at all, `FORCE_COLOR=0` no colour, `FORCE_COLOR=1` and `CLICOLOR_FORCE=1` colour also in a pipe.")
}

// vocabulary writes the words of the language: verbs, metrics and checks.
func (p *page) vocabulary(t *testing.T) {
	t.Helper()
	p.say("\n## Faults and other entries of the timeline\n")
	p.table("verb", "takes", "does", "needs")
	for _, v := range scenarios.Verbs() {
		p.row(code(v.Name), v.Takes, v.About, catalog()[v.Name].Needs)
	}
	p.parameters()
	p.say("\n## Metrics of objectives\n")
	p.table("metric", "meaning")
	objective := schemaOf(t, "scenario").Definitions["objective"]
	for _, name := range slices.Sorted(maps.Keys(objective.Properties)) {
		p.row(code(name), objective.Properties[name].Description)
	}
	p.say("\n## Checks of verify\n")
	p.table("check", "meaning")
	for _, c := range scenarios.Checks() {
		p.row(code(c.Name), c.About)
	}
	p.say("\nAll that are judged, asked for or not: %s.", strings.Join(check.Names(), ", "))
}

// parameters writes what each kind of fault is told with with: in a scenario, and
// behind its target on the command line of inject.
func (p *page) parameters() {
	p.say("\n## Parameters of faults\n")
	p.say("They stand in `with:` of an entry. What has no default must be given.\n")
	p.table("fault", "parameter", "is a", "default", "may be", "meaning")
	for _, kind := range catalog().Names() {
		for _, x := range catalog()[kind].Params {
			p.row(code(kind), code(x.Name), string(x.Measure), orDash(x.Default), orDash(x.May()), x.About)
		}
	}
}

// permit writes the keys of a permit.
func (p *page) permit() {
	p.say("\n## Keys of a permit\n")
	p.say("A permit is what the owner of a system allows, and is given with `--allow`; `*` marks what must be there. A target file has an `allow:` of its own, see below.\n")
	p.table("key", "meaning")
	for _, k := range scenarios.PermitKeys() {
		mark := ""
		if k.Need {
			mark = " *"
		}
		p.row(code(k.Path)+mark, k.About)
	}
}

// A node is the part of a schema that the reference needs.
type node struct {
	Ref         string          `json:"$ref"`
	Description string          `json:"description"`
	Properties  map[string]node `json:"properties"`
	Definitions map[string]node `json:"definitions"`
	Required    []string        `json:"required"`
	Items       *node           `json:"items"`
	Additional  json.RawMessage `json:"additionalProperties"`
	Default     any             `json:"default"`
	Enum        []any           `json:"enum"`
	AllOf       []node          `json:"allOf"`
}

func schemaOf(t *testing.T, kind string) node {
	t.Helper()
	text, _ := schema.Lookup(kind)
	var n node
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// format writes the keys of a kind of file.
func (p *page) format(t *testing.T, kind string) {
	t.Helper()
	root := schemaOf(t, kind)
	p.say("\n## Keys of a %s file\n", kind)
	p.say("The schema is [%s](../../scenarios/schema/%s); `*` marks what must be there.\n", schema.File(kind), schema.File(kind))
	p.table("key", "meaning")
	p.keys(root, root, "", nil)
}

// keys writes the properties of a mapping and of what is in it; open are the
// definitions that are being written.
func (p *page) keys(root, n node, prefix string, open []string) {
	for _, name := range slices.Sorted(maps.Keys(n.Properties)) {
		child := n.Properties[name]
		mark := ""
		if slices.Contains(n.Required, name) {
			mark = " *"
		}
		about := child.Description
		if len(child.Enum) > 0 {
			about += fmt.Sprintf(" One of %v.", child.Enum)
		}
		if child.Default != nil {
			about += fmt.Sprintf(" Default: %v.", child.Default)
		}
		p.row(code(prefix+name)+mark, about)
		p.within(root, child, prefix+name, open)
	}
}

// within writes the keys of what is in a value: in a mapping, in the items of a
// list, or in the values of a mapping with free keys.
func (p *page) within(root, n node, path string, open []string) {
	if ref := cmp.Or(n.Ref, refOf(n.AllOf)); ref != "" {
		name := strings.TrimPrefix(ref, "#/definitions/")
		if slices.Contains(open, name) {
			return
		}
		open = append(slices.Clone(open), name)
		n = root.Definitions[name]
	}
	p.keys(root, n, path+".", open)
	if n.Items != nil {
		p.within(root, *n.Items, path+"[]", open)
	}
	var free node
	if len(n.Additional) > 0 && n.Additional[0] == '{' && json.Unmarshal(n.Additional, &free) == nil {
		p.within(root, free, path+".NAME", open)
	}
}

func refOf(all []node) string {
	if len(all) == 0 {
		return ""
	}
	return all[0].Ref
}

func (p *page) runDirectory() {
	p.say("\n## Files of a run directory\n")
	p.say("Below `%s/ID`, with `%s` for the newest.\n", runsRoot, reports.Latest)
	p.table("file", "holds")
	for _, f := range [][2]string{
		{reports.FileScenario, "the scenario, as it was read"},
		{reports.FileWorkload, "the workload file, as it was read; no value of a secret"},
		{reports.FilePlan, "what was to happen, and when"},
		{reports.FileManifest, "what is needed to repeat the run and to judge it again: seed, versions, images, host"},
		{"history.ndjson.zst", "every operation and event, one JSON object a line, compressed with Zstandard"},
		{reports.FileJournal, "what was broken and how it is undone, written before it was"},
		{reports.FileResult, "verdict, objectives, recoveries and writes; its schema is [result.schema.json](../../reports/schema/result.schema.json)"},
		{reports.FileHTML, "the report"},
		{reports.FileLinked, "the report for servers that forbid style sheets inside of pages, as Jenkins does; it needs " + code(html.StyleFile) + " beside it"},
		{reports.FileMarkdown, "the summary for a CI system"},
		{reports.FileJUnit, "one test case an objective and a check"},
		{reports.FileMetrics, "the result in the text format of OpenMetrics"},
		{reports.FileBaseline, "what the run was compared with, if its scenario has compare:"},
		{reports.FileCompare, "the comparison as a page"},
		{reports.FileCompareLinked, "the same for such servers; it needs " + code(html.StyleFile) + " beside it, too"},
		{reports.DirLogs + "/", "the logs of the nodes"},
	} {
		p.row(code(f[0]), f[1])
	}
}

// exported writes the metrics that other systems are given.
func (p *page) exported() {
	p.say("\n## Metrics for other systems\n")
	p.say("In `%s`, at `--metrics` during a run, and with `--otlp`: gauges, all of them with the labels `scenario` and `run`. What was not", reports.FileMetrics)
	p.say("measured is left out.\n")
	p.table("metric", "labels", "meaning")
	for _, f := range openmetrics.Families(reportstest.Pass()) {
		var labels []string
		for i := 4; i < len(f.Samples[0].Labels); i += 2 { // behind those of every sample
			labels = append(labels, code(f.Samples[0].Labels[i]))
		}
		p.row(code(f.Name), strings.Join(labels, ", "), f.Help)
	}
}
