package httpload

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios"
)

// A sees says what an answer shows: which version of which thing, and so whether
// it is as fresh as it was promised to be.
type sees struct {
	key     template
	version *extraction
	balance *extraction // nil: it has none
	strong  bool        // it must show everything that was acknowledged before
}

// sees reads what an answer shows.
func (p *parser) sees(n *scenarios.Node, sc *scope) *sees {
	s := &sees{}
	p.Mapping(n, "what is seen", p.seesFields(s, sc))
	return s
}

func (p *parser) seesFields(s *sees, sc *scope) []scenarios.Field {
	from := func(dst **extraction) func(k, v *scenarios.Node) {
		return func(_, v *scenarios.Node) {
			if x, ok := p.extraction(v); ok {
				*dst = &x
			}
		}
	}
	return []scenarios.Field{
		{Key: "key", Need: true, Set: func(k, v *scenarios.Node) { s.key, _ = p.template(v, k.Text(), sc) }},
		{Key: "version", Need: true, Set: func(k, v *scenarios.Node) { from(&s.version)(k, v) }},
		{Key: "balance", Set: func(k, v *scenarios.Node) { from(&s.balance)(k, v) }},
		{Key: "strong", Set: func(k, v *scenarios.Node) { s.strong, _ = p.Truth(v, k.Text()) }},
	}
}

// promise says in an operation what is promised of it: that it belongs to a
// client who must find what it has written, and what its answer shows.
func (v *visit) promise(s *step, op *loadgen.Operation) {
	if s.session {
		op.Session = fmt.Sprintf("visit-%d-%d", v.drill, v.seq)
		if !op.Write && op.Key == "" {
			op.Key = v.own
		}
	}
	switch {
	case s.refused:
		op.Promise = history.PromiseRefused
	case s.limit != nil:
		op.Session, op.Promise = s.limit.client.render(v), s.limit.promise
	}
	if s.sees == nil {
		return
	}
	op.Key = s.sees.key.render(v)
	if s.sees.strong {
		op.Promise = history.PromiseStrong
	}
	op.Saw = func(header http.Header, body []byte) loadgen.Sight {
		a := &answer{header: header, body: body}
		return loadgen.Sight{Version: v.whole(s, s.sees.version, a), Balance: v.whole(s, s.sees.balance, a)}
	}
}

// whole returns a whole number of an answer, 0 if there is none.
func (v *visit) whole(s *step, x *extraction, a *answer) int64 {
	if x == nil {
		return 0
	}
	found, ok := x.from.find(a)
	n, err := strconv.ParseInt(found.text, 10, 64)
	if !ok || err != nil {
		v.w.notes.add(x.place, s, false, x.place.Text()+" found no whole number in the answer")
		return 0
	}
	return n
}
