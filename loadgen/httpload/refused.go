package httpload

import (
	"time"

	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios"
)

// A limit says how much of a request a client may have.
type limit struct {
	client  template
	promise string // as the history says it
}

// refusal reads what has to be refused: a request, or what a client asks for
// beyond its limit.
func (p *parser) refusal(d *draft, s *step, sc *scope) {
	if d.refused != nil {
		s.refused, _ = p.Truth(d.refused, "refused")
	}
	if d.limited == nil {
		return
	}
	s.limit = &limit{}
	p.Mapping(d.limited, "a limit", p.limitFields(s.limit, sc))
	switch {
	case s.refused:
		p.Add(d.limited, "a request that has to be refused has no limit", "leave one of refused: and limited: out")
	case s.sees != nil && s.sees.strong:
		p.Add(d.limited, "a read has one promise: to be strong, or to be limited", "leave one of strong: and limited: out")
	case s.session:
		p.Add(d.limited, "the client is said twice", "leave session: out, limited: has client:")
	}
}

func (p *parser) limitFields(l *limit, sc *scope) []scenarios.Field {
	most, per := 0, time.Duration(0)
	promise := func() {
		if most > 0 && per > 0 {
			l.promise = history.Limited(most, per)
		}
	}
	return []scenarios.Field{
		{Key: "client", Need: true, Set: func(k, v *scenarios.Node) { l.client, _ = p.template(v, k.Text(), sc) }},
		{Key: "most", Need: true, Set: func(k, v *scenarios.Node) { most, _ = p.Count(v, k.Text()); promise() }},
		{Key: "per", Need: true, Set: func(k, v *scenarios.Node) { per, _ = p.Duration(v, k.Text()); promise() }},
	}
}
