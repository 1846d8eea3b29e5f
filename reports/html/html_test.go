package html_test

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/html"
	"github.com/proofload/proofload/reports/reportstest"
)

var (
	update = flag.Bool("update", false, "write the golden files")
	dump   = flag.String("dump", "", "write the reports of all examples into this `directory`, to look at them")
)

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
	return rendered(t, func(w io.Writer) error { return html.Write(w, r) })
}
