//go:build integration

package main

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// A score is what became of the trials of one defect.
type score struct {
	grading // the last

	runs, detected, right int
	took                  float64
}

// hit reports whether a defect counts as found: in every run, or in any where
// chance has a part in it.
func (s score) hit() bool { return s.detected == s.runs || s.Chance && s.detected > 0 }

// named reports whether every run that found the defect named it by a check that
// was to.
func (s score) named() bool { return s.right == s.detected && s.right > 0 }

func (t track) scores() (planted []score, sound []grading) {
	for _, tr := range t.Trials {
		if tr.Defect == "" {
			sound = append(sound, tr)
			continue
		}
		i := slices.IndexFunc(planted, func(s score) bool { return s.Defect == tr.Defect })
		if i < 0 {
			planted = append(planted, score{})
			i = len(planted) - 1
		}
		s := &planted[i]
		s.grading = tr
		s.runs++
		s.took += tr.Took
		if tr.Detected {
			s.detected++
		}
		if tr.Detected && tr.Right {
			s.right++
		}
	}
	return planted, sound
}

// print prints the track record of a catalogue of so many defects, with the
// figures in the last line.
func (t track) print(w io.Writer, catalogue int) {
	planted, sound := t.scores()
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "defect\tgroup\tscenario\tdetected\tright\tnamed by\tfound\ttime\tlast tried")
	found, right, hits := 0, 0, 0
	for _, s := range planted {
		yes := "no"
		if s.named() {
			yes = "yes"
			right++
		}
		if s.hit() {
			found++
		}
		if s.detected > 0 {
			hits++
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d/%d\t%s\t%s\t%d\t%.0f s\t%s\n", s.Defect, s.Group, s.Scenario, s.detected, s.runs,
			yes, strings.Join(s.Named, ", "), s.Found, s.took/float64(s.runs), s.Began)
	}
	alarms, unclear := 0, 0
	for _, tr := range sound {
		switch tr.Exit {
		case 0:
		case 1:
			alarms++
		default:
			unclear++
		}
		fmt.Fprintf(table, "(sound)\t\t%s\t%s\t\t%s\t\t%.0f s\t%s\n", tr.Scenario, tr.Verdict, strings.Join(append(tr.Named, tr.Unclear...), ", "), tr.Took, tr.Began)
	}
	_ = table.Flush() // to the standard output
	fmt.Fprintf(w, "sensitivity %s; right check named %s; false alarms %s, inconclusive %d; %d of %d defects not tried\n",
		part(found, len(planted)), part(right, hits), part(alarms, len(sound)), unclear, max(0, catalogue-len(planted)), catalogue)
}

// part says how many of how many there are, and what percentage that is.
func part(n, of int) string {
	if of == 0 {
		return "0 of 0"
	}
	return fmt.Sprintf("%d of %d (%.0f %%)", n, of, 100*float64(n)/float64(of))
}

func TestTrackRecord(t *testing.T) {
	at := "2026-01-02T03:04:05Z"
	record := track{Trials: []grading{
		{Scenario: "load", Verdict: "pass", Began: at, Took: 30},
		{Scenario: "primary-lost", Verdict: "fail", Exit: 1, Named: []string{"rto"}, Began: at, Took: 60},
		{Defect: "always", Group: "money", Scenario: "load", Detected: true, Right: true, Named: []string{"balances"}, Found: 3, Began: at, Took: 40},
		{Defect: "by-chance", Group: "cache", Scenario: "load", Chance: true, Began: at, Took: 30},
		{Defect: "by-chance", Group: "cache", Scenario: "load", Chance: true, Detected: true, Named: []string{"p99"}, Began: at, Took: 50},
		{Defect: "missed", Group: "jobs", Scenario: "load", Detected: true, Right: true, Named: []string{"jobs-done"}, Began: at, Took: 30},
		{Defect: "missed", Group: "jobs", Scenario: "load", Began: at, Took: 30},
	}}
	var out bytes.Buffer
	record.print(&out, 5)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, want := range []string{
		"defect group scenario detected right named by found time last tried",
		"always money load 1/1 yes balances 3 40 s " + at,
		"by-chance cache load 1/2 no p99 0 40 s " + at,
		"missed jobs load 1/2 yes 0 30 s " + at,
		"(sound) load pass 30 s " + at,
		"(sound) primary-lost fail rto 60 s " + at,
		"sensitivity 2 of 3 (67 %); right check named 2 of 3 (67 %); false alarms 1 of 2 (50 %), inconclusive 0; 2 of 5 defects not tried",
	} {
		if i >= len(lines) {
			t.Fatalf("no line %q", want)
		}
		if got := strings.Join(strings.Fields(lines[i]), " "); got != want {
			t.Errorf("line %d is %q, want %q", i+1, got, want)
		}
	}
}

func TestTrackRecordKeepsTheLast(t *testing.T) {
	at := func(defect string, minutes ...int) (all []grading) {
		for _, m := range minutes {
			all = append(all, grading{Defect: defect, Scenario: "load", Began: fmt.Sprintf("2026-01-02T03:%02d:00Z", m)})
		}
		return all
	}
	old := slices.Concat(at("", 1), at("leak", 2, 3, 4), at("lost", 5))
	for name, c := range map[string]struct{ now, want []grading }{
		"nothing new":    {nil, old},
		"one":            {at("leak", 6), slices.Concat(at("", 1), at("leak", 3, 4, 6), at("lost", 5))},
		"another defect": {at("new", 6), slices.Concat(at("", 1), at("leak", 2, 3, 4), at("lost", 5), at("new", 6))},
		"more than kept": {at("lost", 6, 7, 8, 9), slices.Concat(at("", 1), at("leak", 2, 3, 4), at("lost", 6, 7, 8, 9))},
		"written before": {at("lost", 5, 6), slices.Concat(at("", 1), at("leak", 2, 3, 4), at("lost", 5, 6))},
	} {
		if got := lastTrials(old, c.now); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
