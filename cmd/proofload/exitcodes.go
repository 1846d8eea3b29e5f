package main

import "github.com/proofload/proofload/reports"

// An exitCode is a code that the process may end with.
type exitCode struct {
	code  int
	word  string
	about string
}

// exitCodes lists all of them, for people.
func exitCodes() []exitCode {
	return []exitCode{
		{reports.ExitPass, "pass", "every promise was kept"},
		{reports.ExitFail, "FAIL", "an objective or a check was missed"},
		{reports.ExitUsage, "usage", "the command line or a file is wrong; nothing was touched"},
		{reports.ExitEnvironment, "error", "the environment did not come up or was not healthy before the load"},
		{reports.ExitInconclusive, "inconclusive", "the question was not really asked: no load, the generator fell behind, the fault was not seen"},
		{reports.ExitStopped, "stopped", "stopped by a condition of the scenario"},
		{reports.ExitFaultsLeft, "FAULTS LEFT", "a fault may still be in place; the output says how to mend it; wins over all others"},
		{reports.ExitInterrupted, "interrupted", "interrupted, and healed"},
	}
}

// exitWord is the code in one or two words.
func exitWord(code int) string {
	for _, e := range exitCodes() {
		if e.code == code {
			return e.word
		}
	}
	return "error"
}
