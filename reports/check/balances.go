package check

import (
	"fmt"

	"github.com/proofload/proofload/reports/history"
)

// balances checks that the books of every database node balance: postings sum
// to zero, and so do those of each transfer, and every balance is the sum of
// its postings and not negative.
type balances struct {
	course *course
	read   map[int]int // nodes by drill
	wrongs wrongs
}

// Name returns "balances".
func (*balances) Name() string { return nameBalances }

// Observe takes the books of one node.
func (b *balances) Observe(e *history.Event) {
	if e.By != history.ByAudit || e.Op != history.AuditBooks || e.Kind == history.Fail {
		return
	}
	drill := b.course.number(e)
	b.read[drill]++
	if e.Value == 0 && e.Count == 0 && e.Amount == 0 {
		return
	}
	clause := fmt.Sprintf("the books of %s do not balance in drill %d: postings sum to %d, %s, %s",
		e.Node, drill, e.Value, many(e.Count, "unbalanced transfer"), many(e.Amount, "wrong balance"))
	if e.Text != "" {
		b.wrongs.say(clause, e.Node+": "+e.Text)
	} else {
		b.wrongs.say(clause)
	}
}

// Verdict fails if the books of any node do not balance.
func (b *balances) Verdict() Verdict {
	doubt := b.course.anyUnread()
	nodes := 0
	for _, d := range b.course.list() {
		n := b.read[d.number]
		nodes = max(nodes, n)
		if n == 0 && doubt == "" {
			doubt = fmt.Sprintf("the books of no node were read in drill %d", d.number)
		}
	}
	return b.wrongs.verdict(b.Name(), doubt, "the books balance on "+many(nodes, "node"))
}
