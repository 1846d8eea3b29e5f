package html_test

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/html"
	"github.com/proofload/proofload/reports/reportstest"
)

var (
	update = flag.Bool("update", false, "write the golden files")
	dump   = flag.String("dump", "", "write the reports of all examples into this `directory`, to look at them")
)

func TestWrite(t *testing.T) {
	file := filepath.Join("testdata", "short.html")
	foreign, err := os.ReadFile(filepath.Join("uplot", "uPlot.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Replace(write(t, reportstest.ThreeSeconds()), string(foreign), "uPlot\n", 1) // it is not ours, and long
	if *update {
		if err = os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err = os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// What others made stays as they made it, and its licence travels with it.
func TestForeignFiles(t *testing.T) {
	for name, want := range map[string]string{
		"uPlot.min.js":  "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
		"uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
	} {
		text, err := os.ReadFile(filepath.Join("uplot", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(text)); got != want {
			t.Errorf("%s has the sum %s, want %s", name, got, want)
		}
	}
	if page := write(t, reportstest.ThreeSeconds()); !strings.Contains(page, "Copyright (c) 2022 Leon Sorokin") {
		t.Error("the report has uPlot without its licence")
	}
}

func TestDump(t *testing.T) {
	if *dump == "" {
		t.Skip("no -dump directory")
	}
	for _, example := range reportstest.Examples() {
		if err := os.WriteFile(filepath.Join(*dump, example.Name+".html"), []byte(write(t, example.Result)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func write(t *testing.T, r *reports.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := html.Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
