package main

import (
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
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
	for lacking, change := range map[string]func(fstest.MapFS){
		"cgroups (pausing and limiting nodes)": func(m fstest.MapFS) { m["proc/filesystems"] = file("nodev\toverlay\n") },
		"overlayfs (containers)":               func(m fstest.MapFS) { m["proc/filesystems"] = file("nodev\tcgroup\n") },
		"network namespaces (partitions)":      func(m fstest.MapFS) { delete(m, "proc/self/ns/net") },
	} {
		kernel := maps.Clone(whole)
		change(kernel)
		if f := examineKernel(kernel); !strings.HasSuffix(f.saw, ": without "+lacking) || f.mend == "" || !f.warn {
			t.Errorf("without %s it says %+v", lacking, f)
		}
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
