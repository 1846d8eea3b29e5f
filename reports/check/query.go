package check

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/proofload/proofload/reports/history"
)

// A Query is a check that a scenario brings along: what a database has to answer
// at the end of each drill.
type Query struct {
	Name   string `json:"name"` // of its verdict
	SQL    string `json:"sql"`
	On     string `json:"on"`     // as the scenario says it
	Equals string `json:"equals"` // the one value of the answer
}

// queried checks what a database answered at the end of each drill.
type queried struct {
	Query

	course  *course
	answers map[int]answer // by drill
}

// An answer is what a database said.
type answer struct {
	node, text string
	failed     bool // text says why
}

func newQueried(q Query, c *course) *queried {
	return &queried{Query: q, course: c, answers: map[int]answer{}}
}

// Name returns the name that the scenario gives it.
func (q *queried) Name() string { return q.Query.Name }

// Observe takes the answer.
func (q *queried) Observe(e *history.Event) {
	if e.By == history.ByAudit && e.Op == history.AuditQuery && e.ID == q.Query.Name {
		q.answers[q.course.number(e)] = answer{node: e.Node, text: e.Text, failed: e.Kind == history.Fail}
	}
}

// Verdict fails if an answer was another one. What was asked before the system
// was quiet says nothing, nor does a question that the database did not take.
func (q *queried) Verdict() Verdict {
	var w wrongs
	doubt, said := "", ""
	for _, d := range q.course.list() {
		a, asked := q.answers[d.number]
		in := ""
		if len(q.course.drills) > 1 {
			in = fmt.Sprintf(" after drill %d", d.number)
		}
		switch unread := q.course.unread(d.number); {
		case unread != "":
			doubt = unread
		case !asked:
			doubt = "the database was not asked" + in
		case a.failed:
			doubt = fmt.Sprintf("no answer%s: %s", in, a.text)
		case !same(a.text, q.Equals):
			w.say(fmt.Sprintf("%s says %s%s, not %s: %s", a.node, a.text, in, q.Equals, q.SQL))
		default:
			said = fmt.Sprintf("%s says %s: %s", a.node, a.text, q.SQL)
		}
	}
	if len(q.course.drills) == 0 {
		doubt = "there was no drill"
	}
	return w.verdict(q.Name(), doubt, said)
}

// same reports whether two values are the same, as text or as numbers.
func same(a, b string) bool {
	x, xok := new(big.Rat).SetString(a)
	y, yok := new(big.Rat).SetString(b)
	return a == b || xok && yok && x.Cmp(y) == 0
}

// validQueries reports a check of a scenario whose name another one has.
func (s *Spec) validQueries() error {
	names := slices.Clone(s.Verify)
	for _, q := range s.Queries {
		if slices.Contains(names, q.Name) || slices.Contains(Names(), q.Name) {
			return fmt.Errorf("two checks have the name %q", q.Name)
		}
		names = append(names, q.Name)
	}
	return nil
}
