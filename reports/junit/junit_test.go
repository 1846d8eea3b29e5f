package junit_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/junit"
	"github.com/proofload/proofload/reports/reportstest"
)

var update = flag.Bool("update", false, "write the golden files")

// suites is what a CI system reads.
type suites struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
	Suite    struct {
		Skipped int `xml:"skipped,attr"`
		Cases   []struct {
			Class   string  `xml:"classname,attr"`
			Name    string  `xml:"name,attr"`
			Time    float64 `xml:"time,attr"`
			Failure *string `xml:"failure"`
			Error   *string `xml:"error"`
			Skipped *string `xml:"skipped"`
			Out     string  `xml:"system-out"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

func TestWrite(t *testing.T) {
	for _, example := range reportstest.Examples() {
		t.Run(example.Name, func(t *testing.T) {
			data := write(t, example.Result)
			wellFormed(t, data)
			golden(t, example.Name+".xml", data)
		})
	}
}

func TestCountsAreThoseOfTheCases(t *testing.T) {
	for _, example := range reportstest.Examples() {
		got := read(t, write(t, example.Result))
		var failures, failed, skipped int
		for _, c := range got.Suite.Cases {
			if c.Class != example.Result.Scenario.Name {
				t.Errorf("%s: classname %q", example.Name, c.Class)
			}
			switch {
			case c.Failure != nil:
				failures++
			case c.Error != nil:
				failed++
			case c.Skipped != nil:
				skipped++
			}
		}
		want := []int{len(got.Suite.Cases), failures, failed, skipped}
		if diff := cmp.Diff(want, []int{got.Tests, got.Failures, got.Errors, got.Suite.Skipped}); diff != "" {
			t.Errorf("%s (-cases +counts):\n%s", example.Name, diff)
		}
		green := failures+failed == 0
		if passed := example.Result.Exit == reports.ExitPass; green != passed {
			t.Errorf("%s: green is %v with exit code %d", example.Name, green, example.Result.Exit)
		}
	}
}

func TestMissedRecoveryTime(t *testing.T) {
	got := read(t, write(t, reportstest.FiveDrills()))
	for _, c := range got.Suite.Cases {
		if c.Name != "primary-lost rto <= 20 s" {
			continue
		}
		if c.Time != 41.2 {
			t.Errorf("time is %v s", c.Time)
		}
		if c.Out != "[[ATTACHMENT|report.html]]" {
			t.Errorf("system-out is %q", c.Out)
		}
		if c.Failure == nil {
			t.Fatal("no failure")
		}
		for _, want := range []string{"scenarios/primary-failover.yaml:28:24", "41.2 s is 21.2 s over 20 s", "drill 4: lost +0"} {
			if !strings.Contains(*c.Failure, want) {
				t.Errorf("no %q in the body:\n%s", want, *c.Failure)
			}
		}
		return
	}
	t.Error("no such test")
}

func TestRunWithoutVerdictIsNotGreen(t *testing.T) {
	r := &reports.Result{Verdict: "error", Problem: "no Docker engine answers", Scenario: reports.Source{Name: "smoke"}}
	got := read(t, write(t, r))
	if got.Tests != 1 || got.Errors != 1 {
		t.Errorf("%d tests, %d errors", got.Tests, got.Errors)
	}
}

func TestTextIsEscaped(t *testing.T) {
	r := reportstest.LostWrites()
	r.Scenario.Name = `a<b & "c" ` + "\x1b[31m\x00"
	r.Checks[0] = check.Verdict{Check: "]]>", Outcome: check.Fail, Reason: "</failure><script>"}
	data := write(t, r)
	wellFormed(t, data)
	if bytes.ContainsAny(data, "\x1b\x00") {
		t.Errorf("control characters in:\n%s", data)
	}
	var bodies []string
	for _, c := range read(t, data).Suite.Cases {
		if c.Name == "]]>" && c.Failure != nil {
			bodies = append(bodies, *c.Failure)
		}
	}
	if diff := cmp.Diff([]string{"]]>: </failure><script>"}, bodies); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk is full") }

func TestWriteReportsErrors(t *testing.T) {
	if err := junit.Write(full{}, reportstest.Pass(), junit.Options{}); err == nil || err.Error() != "write junit: disk is full" {
		t.Errorf("got %v", err)
	}
}

func write(t *testing.T, r *reports.Result) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := junit.Write(&b, r, junit.Options{Report: "report.html"}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t *testing.T, data []byte) suites {
	t.Helper()
	var s suites
	if err := xml.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func wellFormed(t *testing.T, data []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, data)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
