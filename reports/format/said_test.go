package format

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
)

func TestSaid(t *testing.T) {
	r := &reports.Result{Verdict: string(check.Fail), Problem: "audit drill 1: w.yaml:3:1: a: known already"}
	add := func(what, text string) { r.Journal = append(r.Journal, check.JournalEntry{What: what, Text: text}) }
	add(check.JournalError, "a: tls: handshake failed")
	add("note", "for people")
	add(check.JournalMisfit, "w.yaml:3:1: a: known already")
	add(check.JournalMisfit, "w.yaml:4:1: b: $.id found nothing in the answer (3 times)")
	if diff := cmp.Diff([]string{"w.yaml:4:1: b: $.id found nothing in the answer (3 times)", "a: tls: handshake failed"}, Said(r)); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
	r.Verdict = string(check.Pass)
	if got := Said(r); len(got) != 1 {
		t.Errorf("said of a run that passed: %q, want where the workload does not fit", got)
	}
	for range 2 { // the same of two drills is said once
		for _, class := range "abcdefgh" {
			add(check.JournalMisfit, "misfit "+string(class))
		}
	}
	if got := Said(r); len(got) != maxSaid+1 || got[maxSaid] != "and 3 more in the journal of the report" {
		t.Errorf("said: %q", got)
	}
}
