package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/proofload/proofload/loadgen/httpload"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/remote"
)

// readersSystem is the address that pages have for the reader's own system.
const readersSystem = "http://localhost:8080"

// A reader is what somebody has who follows a page: files, and what makes its
// commands short enough for a test.
type reader struct {
	setup string            // lines of a script
	files map[string]string // by name
	ends  map[string]string // exit codes other than 0, by command
}

// readers lists the pages whose commands are run, with their readers. The
// reference has examples of single commands, which do not follow one another.
func readers() map[string]reader {
	gate := func(workload string) string {
		return "proofload: scenario/v1\nname: gate\ntarget: ${SHOP}\nload:\n  workload: " + workload +
			"\n  send_lag: 2s\n  phases: [{name: steady, for: 1m, rate: 20/s}]\nobjectives: {steady: {errors: 1%}}\n"
	}
	const (
		work     = "proofload: workload/v1\nname: work\nrequests: [{name: look, get: /, expect: {status: 200}}]\n"
		mine     = "proofload: scenario/v1\nname: mine\ntarget: stack/ledger\nload:\n  workload: ledger/mixed\n  send_lag: 2s\n  phases: [{name: steady, for: 1m, rate: 20/s}]\nverify: [balances]\n"
		isolated = "proofload: target/v1\nname: staging\nbase: ${SHOP}\nallow: {faults: [partition], on: [\"zone:b\"]}\n" +
			"components: {\"zone:b\": {partition: {inject: {exec: touch isolated}, heal: {exec: rm -f isolated}, look: {exec: test -e isolated}}}}\n"
		openapi = "openapi: 3.0.3\ninfo: {title: shop, version: '1'}\npaths: {/: {get: {responses: {'200': {description: ok}}}}}\n"
	)
	recordedRun := "recorded gate-passed .proofload/runs/20261128-085229-532a\nsymlink .proofload/runs/latest -> 20261128-085229-532a\n"
	return map[string]reader{
		"README.md": {
			files: map[string]string{"openapi.yaml": openapi, "gate.yaml": gate("./shop.yaml"), "mine.yaml": mine},
			ends:  map[string]string{"compare baseline/main latest": "4"}, // a rehearsal is too short to be compared
		},
		"scenarios/README.md":        {files: map[string]string{"gate.yaml": gate("./work.yaml"), "work.yaml": work}},
		"loadgen/httpload/README.md": {files: map[string]string{"openapi.yaml": openapi, "scenario.yaml": gate("./orders.yaml")}},
		"chaos/README.md":            {},
		"sut/remote/README.md":       {files: map[string]string{"targets/staging.yaml": isolated}},
		"reports/check/README.md":    {setup: recordedRun},
		"reports/history/README.md":  {setup: recordedRun + "cd .proofload/runs/latest\n"},
	}
}

// TestPages does what readers of a page do, block by block: whatever needs no
// containers works, and the rest gets as far as the engine, which is not there.
func TestPages(t *testing.T) {
	for _, script := range pageScripts(t, "env DOCKER_HOST=tcp://127.0.0.1:1\n", "") {
		t.Run(filepath.Base(script), func(t *testing.T) {
			testscript.Run(t, testscript.Params{Files: []string{script}, Cmds: commands()})
		})
	}
}

// pageScripts writes the commands of pages as scripts, those of one page alone
// if it is named. Setup is what is done before.
func pageScripts(t *testing.T, setup, only string) []string {
	t.Helper()
	dir := t.TempDir()
	var scripts []string
	for path, blocks := range pages(t) {
		page := strings.TrimPrefix(path, "../../")
		r, ok := readers()[page]
		if !ok && len(slices.Concat(callsOf(blocks)...)) > 0 && page != "cmd/proofload/REFERENCE.md" {
			t.Errorf("%s has commands, and no reader: see readers", page)
		}
		if !ok || only != "" && page != only {
			continue
		}
		script := filepath.Join(dir, strings.ReplaceAll(strings.TrimSuffix(page, ".md"), "/", "-")+".txtar")
		if err := os.WriteFile(script, []byte(pageScript(setup, r, blocks)), 0o600); err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, script)
	}
	slices.Sort(scripts)
	return scripts
}

func callsOf(blocks []block) [][][]string {
	var calls [][][]string
	for _, b := range blocks {
		calls = append(calls, commandsOf(b))
	}
	return calls
}

// pageScript writes the commands of one page as a script.
func pageScript(setup string, r reader, blocks []block) string {
	var b strings.Builder
	b.WriteString("exec shop addr &shop&\nreadenv SHOP addr\nenv PROOFLOAD_ONCE=true\nenv PROOFLOAD_PROGRESS=quiet\n" + setup + r.setup)
	var files strings.Builder
	for i, block := range blocks {
		if tools := map[string]string{"sh": "[exec:zstd] [exec:jq] exec sh", "sql": "[exec:duckdb] exec duckdb -f"}[block.language]; tools != "" {
			fmt.Fprintf(&b, "%s $WORK/block%d\n", tools, i)
			fmt.Fprintf(&files, "-- block%d --\n%s", i, block.text)
			continue
		}
		for _, args := range commandsOf(block) {
			call := strings.Join(args, " ")
			code := "0"
			if end, ok := r.ends[call]; ok {
				code = end
			}
			fmt.Fprintf(&b, "shown %s proofload %s\n", code, strings.NewReplacer(readersSystem, "${SHOP}").Replace(call))
		}
	}
	b.WriteString("kill -INT shop\nwait shop\n")
	for name, text := range r.files {
		fmt.Fprintf(&files, "-- %s --\n%s", name, text)
	}
	return b.String() + files.String()
}

// asShown runs a command of a page and asserts its exit code, one of several with |
// between them: shown CODE COMMAND [ARG...]. Where no engine is to be had, it may also say so.
func asShown(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: shown CODE COMMAND [ARG...]")
	}
	code := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		code = codeOf(err)
	}
	said := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	noEngine := code == "3" && strings.Contains(said, "no Docker engine answers at tcp://127.0.0.1:1")
	if !slices.Contains(strings.Split(args[0], "|"), code) && !noEngine {
		ts.Fatalf("%v exited with %s, want %s: %s", args[1:], code, args[0], said)
	}
}

// TestBlocksOfPages wants every block of a page to be something that a test
// knows: commands, a whole file or a part of one, or a drawing that says that it
// is text.
func TestBlocksOfPages(t *testing.T) {
	targets := makeTargets(t)
	for path, blocks := range pages(t) {
		for _, b := range blocks {
			var err error
			switch b.language {
			case "text", "sh", "sql": // a drawing; see pageScript
			case "yaml":
				err = checkFile(path, b.text)
			case "":
				err = checkLines(b.text, targets)
			default:
				err = fmt.Errorf("nobody tests what is %s", b.language)
			}
			if err != nil {
				t.Errorf("%s: a block is not as tests know them: %v\n%s", path, err, b.text)
			}
		}
	}
}

// checkLines checks that each line of a block is a command, and that there are
// such targets of make as it names. Those of proofload are checked elsewhere.
func checkLines(text string, targets []string) error {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, " #")
		for call := range strings.SplitSeq(line, "&&") {
			words := strings.Fields(call)
			switch {
			case len(words) == 0 || words[0] == "proofload" && len(words) > 1 || words[0] == "export":
			case words[0] == "make" && len(words) > 1:
				for _, w := range words[1:] {
					if strings.Contains(w, `"`) {
						break // the value of a variable, the last word here
					}
					if !strings.Contains(w, "=") && !slices.Contains(targets, w) {
						return fmt.Errorf("the Makefile has no target %s", w)
					}
				}
			default:
				return fmt.Errorf("%q is no command that is known; a drawing is marked as text", strings.TrimSpace(call))
			}
		}
	}
	return nil
}

// makeTargets lists the targets of the Makefile, and checks what its recipes call.
func makeTargets(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for line := range strings.Lines(string(text)) {
		name, _, found := strings.Cut(line, ":")
		if found && !strings.ContainsAny(name, " \t=.") {
			targets = append(targets, name)
		}
		if recipe, ok := strings.CutPrefix(line, "\t"); ok {
			for _, args := range commandsOf(block{text: recipe}) {
				checkCall(t, args)
			}
		}
	}
	return targets
}

// checkFile checks a file that a page shows, or a part of one: keys that stand at
// the top of a scenario or of a workload.
func checkFile(page, text string) error {
	anything := func(string) (string, bool) { return "anything", true }
	aside := func(string) ([]byte, error) { return []byte("id,price,name\na,1,b\n"), nil }
	workload := func(text string) error {
		_, err := httpload.Parse(page, []byte(text), httpload.Options{Lookup: anything, ReadFile: aside})
		return err
	}
	switch kind := kindOf([]byte(text)); kind {
	case "scenario":
		_, err := scenarios.Parse(page, []byte(text), nil)
		return err
	case "workload":
		if page == "../../loadgen/httpload/README.md" {
			return nil // with data of its own: a test beside it reads it
		}
		return workload(text)
	case "target":
		_, err := remote.Parse(page, []byte(text), remote.Options{Lookup: anything, Secret: func(sut.Secret) (string, bool) { return "s3cret", true }})
		return err
	case "permit":
		_, err := scenarios.ParsePermit(page, []byte(text), anything)
		return err
	case "defect":
		return nil // a test beside the page reads it
	case "config":
		return checkSettings(text)
	case "":
		const scenario = "proofload: scenario/v1\nname: part\ntarget: stack/ledger\nload: {workload: ledger/mixed, phases: [{name: steady, for: 1m, rate: 1/s}]}\nverify: [balances]\n"
		_, err := scenarios.Parse(page, []byte(scenario+text), nil)
		if err == nil || workload("proofload: workload/v1\nname: part\n"+text) == nil {
			return nil
		}
		return fmt.Errorf("it is neither a part of a scenario nor of a workload: %w", err)
	default:
		return fmt.Errorf("nobody tests a %s", kind)
	}
}

// checkSettings checks that a file of settings can be used.
func checkSettings(text string) error {
	file, err := os.CreateTemp("", "settings")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if _, err = file.WriteString(text); err != nil {
		return err
	}
	a := quietApp()
	a.settings = file.Name()
	_, err = a.readSettings(a.command())
	return err
}
