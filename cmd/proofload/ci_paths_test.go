package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proofload/proofload/reports/reportstest"
)

// TestPathFrom says how a file is called from a directory on.
func TestPathFrom(t *testing.T) {
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ root, file, want string }{
		{here, "scenarios/a.yaml", "scenarios/a.yaml"},
		{filepath.Dir(here), "a.yaml", filepath.Base(here) + "/a.yaml"},
		{filepath.Dir(here), "./x/../a.yaml", filepath.Base(here) + "/a.yaml"},
		{filepath.Dir(here), filepath.Join(here, "a.yaml"), filepath.Base(here) + "/a.yaml"},
		{filepath.Join(here, "elsewhere"), "a.yaml", "a.yaml"},
		{here, "../a.yaml", "../a.yaml"},
		{"", "a.yaml", "a.yaml"},
	} {
		if got := pathFrom(tt.root, tt.file); got != tt.want {
			t.Errorf("pathFrom(%q, %q) = %q, want %q", tt.root, tt.file, got, tt.want)
		}
	}
}

// TestScenariosOfTheLibraryAreInNoFile says that a mark of one that ships with
// proofload is not put into a file of the repository.
func TestScenariosOfTheLibraryAreInNoFile(t *testing.T) {
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	a := &app{stdout: &out, lookup: func(string) (string, bool) { return filepath.Dir(here), true }}
	r := reportstest.FiveDrills()
	file := r.Scenario.File
	a.annotate(ciGitHub, []ended{{result: r}, {}})
	if want := "file=" + filepath.Base(here) + "/" + file + ","; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in %s", want, out.String())
	}
	if r.Scenario.File != file {
		t.Errorf("the result says that it is of %s", r.Scenario.File)
	}
	out.Reset()
	r.Scenario.File = inLibrary + "primary-failover"
	a.annotate(ciGitHub, []ended{{result: r}})
	if got := out.String(); !strings.HasPrefix(got, "::error ") || strings.Contains(got, "file=") {
		t.Errorf("a mark in a file: %s", got)
	}
}
