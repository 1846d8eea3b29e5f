package check

import (
	"testing"

	"github.com/proofload/proofload/reports/history"
)

func TestBalances(t *testing.T) {
	books := func(node string, sum, unbalanced, wrong int64) history.Event {
		e := read(history.AuditBooks)
		e.Node, e.Value, e.Count, e.Amount = node, sum, unbalanced, wrong
		return e
	}
	runHandTests(t, "balances", []handTest{
		{"balanced", join(books("pg-1", 0, 0, 0), books("pg-2", 0, 0, 0)), false, Pass, "the books balance on 2 nodes"},
		{"sum", join(books("pg-1", 0, 0, 0), books("pg-2", 7, 0, 0)), false, Fail, "the books of pg-2 do not balance in drill 1: postings sum to 7, 0 unbalanced transfers, 0 wrong balances"},
		{"transfers", join(books("pg-1", 0, 2, 0)), false, Fail, "the books of pg-1 do not balance in drill 1: postings sum to 0, 2 unbalanced transfers, 0 wrong balances"},
		{"accounts", join(books("pg-1", 0, 0, 1)), false, Fail, "the books of pg-1 do not balance in drill 1: postings sum to 0, 0 unbalanced transfers, 1 wrong balance"},
		{"one not read", join(failed(books("pg-1", 1, 1, 1), "no"), books("pg-2", 0, 0, 0)), false, Pass, "the books balance on 1 node"},
		{"none read", nil, false, Inconclusive, "the books of no node were read in drill 1"},
		{"final reads not made", join(books("pg-1", 0, 0, 0)), true, Inconclusive, "the final reads were not made"},
	})
}
