package scenarios

import (
	"fmt"
	"slices"
)

// A Query is a check that a scenario brings along: what a database has to answer
// once a drill is over and the system is quiet.
type Query struct {
	Name   string // of its verdict
	SQL    string
	On     string // the component that is asked
	Equals string // the one value of its answer

	Pos, OnPos Pos
}

// query reads a check in SQL.
func (p *parser) query(n *node) {
	q := Query{Pos: n.pos}
	var as *node
	fields := p.queryFields(&q)
	i := slices.IndexFunc(fields, func(f Field) bool { return f.Key == "as" })
	name := fields[i].Set
	fields[i].Set = func(k, v *node) {
		as = v
		name(k, v)
	}
	p.Mapping(n, "a check in SQL", fields)
	taken := func(name string) bool {
		return slices.Contains(checkNames(), name) || slices.ContainsFunc(p.sc.Queries, func(o Query) bool { return o.Name == name })
	}
	if as != nil && taken(q.Name) {
		p.add(as, fmt.Sprintf("there is a check %q already", q.Name), "give this one another name")
	}
	for i := 1; q.Name == ""; i++ {
		if next := fmt.Sprintf("%s-%d", VerbSQL, i); !taken(next) {
			q.Name = next
		}
	}
	p.sc.Queries = append(p.sc.Queries, q)
}

func (p *parser) queryFields(q *Query) []Field {
	return []Field{
		{Key: "sql", Need: true, Set: p.text(&q.SQL)},
		{Key: "on", Need: true, Set: func(k, v *node) {
			q.OnPos = v.pos
			p.text(&q.On)(k, v)
		}},
		{Key: "equals", Need: true, Set: func(k, v *node) {
			q.Equals, _ = p.scalar(v, k.text)
		}},
		{Key: "as", Set: p.name(&q.Name, namePattern, nameHint)},
	}
}
