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
	early  snapshots
}

// snapshots are the states of the accounts, while the load went on, in which
// they did not balance.
type snapshots struct {
	taken, wrong int
	examples     []string
}

// Name returns "balances".
func (*balances) Name() string { return nameBalances }

// Observe takes the books of one node.
func (b *balances) Observe(e *history.Event) {
	if e.By == history.ByProbe && e.Op == history.ProbeBooks {
		b.observeSnapshot(e)
		return
	}
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

// observeSnapshot takes a state of the accounts of a node while the load goes
// on. Money moves from one to another, so that they sum to the same at every
// moment.
func (b *balances) observeSnapshot(e *history.Event) {
	if e.Kind == history.Fail {
		return
	}
	b.early.taken++
	if e.Value == 0 && e.Count == 0 {
		return
	}
	b.early.wrong++
	text := fmt.Sprintf("%s at %.3f s: balances are off by %d, %s below zero", e.Node, e.At.Seconds(), e.Value, many(e.Count, "account"))
	if len(b.early.examples) < maxExamples {
		b.early.examples = append(b.early.examples, text)
	}
	off := float64(max(e.Value, -e.Value))
	b.wrongs.groups.add(caught{op: e.Op, node: e.Node, at: e.At, weight: off, text: func() string { return text }})
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
	if b.early.wrong > 0 {
		b.wrongs.say(fmt.Sprintf("%d of %s during the run did not balance", b.early.wrong, many(b.early.taken, "snapshot")), b.early.examples...)
	}
	pass := "the books balance on " + many(nodes, "node")
	if b.early.taken > 0 {
		pass += ", and did in " + many(b.early.taken, "snapshot") + " during the run"
	}
	return b.wrongs.verdict(b.Name(), doubt, pass)
}
