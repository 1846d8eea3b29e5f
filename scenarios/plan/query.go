package plan

import (
	"fmt"

	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
)

// A Query is a check in SQL with its database resolved.
type Query struct {
	check.Query

	Target sut.Selection
}

// queries takes over the checks that the scenario brings along, and refuses those
// that ask no database.
func (b *builder) queries() {
	for _, q := range b.sc.Queries {
		e := scenarios.Event{Target: q.On, TargetPos: q.OnPos}
		target := b.component(e)
		b.oneDatabase(e, target)
		asked := check.Query{Name: q.Name, SQL: q.SQL, On: q.On, Equals: q.Equals}
		b.plan.Queries = append(b.plan.Queries, Query{asked, target})
		b.plan.Spec.Queries = append(b.plan.Spec.Queries, asked)
	}
}

// text says what is asked, and what is to be answered.
func (q Query) text() string {
	return fmt.Sprintf("%s (%s on %s gives %s)", q.Name, q.SQL, q.On, q.Equals)
}
