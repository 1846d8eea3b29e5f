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
	if why, mend = unsaid(check); why != "" {
		return why, mend
	}
	if isFile(target) && slices.Contains([]string{"one-primary", "replicas-agree", "dead-letters", "retry-amplification", "orphaned-work"}, check) {
		return "nobody looks into the nodes of " + target, "leave " + check + " out: it is for the built-in stacks"
	}
	if why, mend = unshown(check, target, name, f); why != "" {
		return why, mend
	}
	switch check {
	case "balances":
		if isDeployed(target) && !f.Sums() { // a target of ours has books
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

// unsaid says what a workload file has no words for, and a check needs.
func unsaid(check string) (why, mend string) {
	switch check {
	case "jobs-done":
		return "a workload file says nothing of background jobs", "leave jobs-done out"
	case "subscribers":
		return "a workload file says nothing of those who have to learn of its writes", "leave subscribers out"
	case "restored-writes":
		return "restored copies are asked for the writes of the built-in ledger alone", "load it with ledger/mixed, or leave restored-writes out"
	case "linearizable":
		return "a workload file does not say what a write moves", "leave linearizable out; fresh-reads tells by sees: with strong: true whether a read is old"
	case "counter-bounds":
		return "a workload file does not say what a write moves", "leave counter-bounds out; balances tells by sums: whether all adds up"
	case "cache-coherent":
		return "a workload file does not say which answers come from a cache", "leave cache-coherent out; fresh-reads tells by sees: whether an answer is old, wherever it comes from"
	case "snapshots-in-order":
		return "a workload file does not say of several things what one answer shows", "leave snapshots-in-order out; monotonic-reads tells by sees: whether a client goes back in time"
	}
	return "", ""
}

// unshown says why a check needs something that this workload file does not say
// of its requests.
func unshown(check, target, name string, f *httpload.File) (why, mend string) {
	instance, _ := f.Answers()
	switch {
	case check == "instances-recover" && isFile(target) && instance == "": // the built-in stacks say it by a header of their own
		return name + " does not say by which header the system names the instance that answers", "give it answers: {instance: X-Node}, with the name of that header"
	case check == "fresh-reads" && !f.Sees(false):
		return "no request of " + name + " says which version of what its answer shows", "give one that reads sees: with key: and version:"
	case check == "monotonic-reads" && !f.Sees(true):
		return "no request of " + name + " says which version of what its answer shows to a client that comes again", "give one that reads session: true and sees: with key: and version:"
	case check == "read-your-writes" && !f.ReadsOwn():
		return "no journey of " + name + " reads what its client has written", "give two steps session: true, the first of which writes with ack: and lookup:"
	case check == "observed-writes" && !f.ReadsWrites():
		return "no request of " + name + " reads what was written", "ask for ${recent.NAME}, where NAME has ack: with lookup:"
	case check == "refusals-hold" && !f.Refuses():
		return "no request of " + name + " has to be refused", "give one refused: true, or limited: with client:, most: and per:"
	}
	return "", ""
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
