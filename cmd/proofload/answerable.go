package main

import (
	"fmt"
	"slices"

	"github.com/proofload/proofload/loadgen/httpload"
	"github.com/proofload/proofload/scenarios"
)

// answerable reports what a scenario asks that its workload file gives no means
// to answer.
func answerable(sc *scenarios.Scenario, f *httpload.File) error {
	problems := &scenarios.Problems{File: sc.File, Source: sc.Source}
	for _, v := range sc.Verify {
		if why, mend := unanswered(v.Check, sc.Target, sc.Load.Workload, f); why != "" {
			problems.Add(v.Pos, len(v.Check), why, mend)
		}
	}
	for _, o := range sc.Objectives {
		if !slices.Contains([]string{"lost_writes", "duplicates", "rpo"}, o.Metric) {
			continue
		}
		why, mend := uncounted(sc.Load.Workload, f)
		if why == "" && o.Metric == "duplicates" {
			why, mend = undoubled(o.Metric, f)
		}
		if why != "" {
			problems.Add(o.Pos, len(o.Text), why, mend)
		}
	}
	return problems.Err()
}

// unanswered says why a check cannot be answered where the load is that of a
// workload file, and what to do about it. It is empty if the check can be.
func unanswered(check, target, name string, f *httpload.File) (why, mend string) {
	switch check {
	case "jobs-done":
		return "a workload file says nothing of background jobs", "leave jobs-done out"
	case "balances":
		if isAddress(target) && !f.Sums() { // a target of ours has books
			return "no sums: in " + name + " says what has to add up", "give it for example sums: [{name: money, get: /accounts, sum: \"$[*].balance\"}]"
		}
	case "acknowledged-writes":
		return uncounted(name, f)
	case "no-duplicates":
		if why, mend = uncounted(name, f); why == "" {
			why, mend = undoubled(check, f)
		}
	}
	return why, mend
}

// uncounted says why the writes of a file cannot be counted.
func uncounted(name string, f *httpload.File) (why, mend string) {
	if f.Counts() {
		return "", ""
	}
	return "no request of " + name + " says how its writes are looked up, so they cannot be counted", "give a request that writes ack: with key: and lookup:"
}

// undoubled says why writes of a file that happened twice would not be noticed.
func undoubled(what string, f *httpload.File) (why, mend string) {
	op, pos, found := f.Uncounted()
	if !found {
		return "", ""
	}
	return fmt.Sprintf("the lookup of %s (%s:%d:%d) says whether a write is there, and not how often", op, f.Path, pos.Line, pos.Col),
		fmt.Sprintf("give lookup a count: of a list that would have both, for example {get: \"/orders?ref=${key}\", count: \"$.items[*]\"}, or leave %s out", what)
}
