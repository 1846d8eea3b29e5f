package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
)

// TestExamineKernel looks at kernels that have all that is needed, and that lack
// something.
func TestExamineKernel(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what a kernel has is read from its file system")
	}
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	whole := fstest.MapFS{
		"proc/sys/kernel/osrelease": file("6.1.0\n"),
		"proc/filesystems":          file("nodev\tcgroup\nnodev\tcgroup2\n\text4\nnodev\toverlay\n"),
		"proc/self/ns/net":          file(""),
	}
	if f := examineKernel(whole); f.mend != "" || f.saw != "linux 6.1.0" {
		t.Errorf("of a whole one it says %+v", f)
	}
	for option, lacks := range map[string]bool{"NET_SCH_NETEM": true, "NET_SCH_NETEM_MORE": false, "NET": false} {
		if kernelLacks(without("NET_SCH_NETEM"), option) != lacks || kernelLacks(whole, option) {
			t.Errorf("it lacks %s: %t, and of the whole one nothing is known", option, !lacks)
		}
	}
	for lacking, change := range map[string]func(fstest.MapFS){
		"cgroups (pausing and limiting nodes)": func(m fstest.MapFS) { m["proc/filesystems"] = file("nodev\toverlay\n") },
		"overlayfs (containers)":               func(m fstest.MapFS) { m["proc/filesystems"] = file("nodev\tcgroup\n") },
		"NET_SCH_NETEM (packet-corruption, packet-delay, packet-duplication, packet-reordering)": func(m fstest.MapFS) { maps.Copy(m, without("NET_SCH_NETEM")) },
		"network namespaces (partitions)": func(m fstest.MapFS) { delete(m, "proc/self/ns/net") },
	} {
		kernel := maps.Clone(whole)
		change(kernel)
		if f := examineKernel(kernel); !strings.HasSuffix(f.saw, ": without "+lacking) || f.mend == "" || !f.warn {
			t.Errorf("without %s it says %+v", lacking, f)
		}
	}
}

// without is the part of a file system that says what the kernel was built
// without.
func without(option string) fstest.MapFS {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	fmt.Fprintf(w, "CONFIG_NET=y\n# CONFIG_%s is not set\n", option)
	_ = w.Close() // into memory
	return fstest.MapFS{"proc/config.gz": &fstest.MapFile{Data: z.Bytes()}}
}

// TestPlanOnAKernelThatLacksSomething tells it at its place before anything is
// brought up, of a stack on this machine alone.
func TestPlanOnAKernelThatLacksSomething(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what a kernel has is read from its file system")
	}
	t.Setenv("DOCKER_HOST", "")
	sc, err := scenarios.Parse("late.yaml", []byte(`proofload: scenario/v1
name: late
target: stack/ledger
load:
  workload: ledger/mixed
  phases: [{name: steady, for: 1m, rate: 20/s}]
timeline:
  - {at: steady, packet-delay: "app[1]", with: {delay: 5ms}, for: 5s}
verify: [balances]
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &planned{Plan: &plan.Plan{Scenario: sc, Target: "stack/ledger"}}
	err = p.able(without("NET_SCH_NETEM"))
	if err == nil || !strings.HasPrefix(err.Error(), "late.yaml:8:18: packet-delay: the kernel of this machine was built without CONFIG_NET_SCH_NETEM: ") {
		t.Errorf("it says %v", err)
	}
	if err := p.able(without("NET_SCH_TBF")); err != nil {
		t.Errorf("of a kernel that has it: %v", err)
	}
	t.Setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
	if err := p.able(without("NET_SCH_NETEM")); err != nil {
		t.Errorf("of an engine elsewhere: %v", err)
	}
}

// TestExamine wants everything that a run needs to be looked at, and whatever is
// said of it to be something.
func TestExamine(t *testing.T) {
	t.Setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
	t.Chdir(t.TempDir())
	var about []string
	for _, f := range examine(t.Context()) {
		about = append(about, f.about)
		if f.saw == "" || f.warn && f.mend == "" {
			t.Errorf("of the %s it says %+v", f.about, f)
		}
	}
	if want := []string{"engine", "images", "kernel", "memory", "clock", "ports", "files", "disk"}; !slices.Equal(about, want) {
		t.Errorf("looked at %q, want %q", about, want)
	}
}
