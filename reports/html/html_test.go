package html_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
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
	got := write(t, reportstest.ThreeSeconds())
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
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
