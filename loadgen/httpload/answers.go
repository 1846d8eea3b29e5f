package httpload

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/proofload/proofload/scenarios"
)

// Counts reports whether any of its writes can be looked up, so that those that
// are lost can be counted.
func (f *File) Counts() bool {
	return slices.ContainsFunc(f.steps, (*step).counted)
}

// Uncounted returns the first request whose writes are looked up and not counted:
// that they are there is then known, and not how often.
func (f *File) Uncounted() (op string, pos scenarios.Pos, found bool) {
	for _, s := range f.steps {
		if s.counted() && s.ack.lookup.count == nil && s.ack.lookup.query == nil {
			return s.op, s.ack.lookup.place.Pos(), true
		}
	}
	return "", scenarios.Pos{}, false
}

// Sums reports whether it says what has to add up.
func (f *File) Sums() bool { return len(f.sums) > 0 }

// answers are the headers by which the system says who has answered.
type answers struct{ instance, timeline string }

// Answers returns the headers in which the system says which of its instances has
// answered, and a number that is larger after each failover; empty if it does not.
func (f *File) Answers() (instance, timeline string) { return f.answers.instance, f.answers.timeline }

// answersFields are the keys of answers:.
func (p *parser) answersFields() []scenarios.Field {
	header := func(dst *string) func(k, v *scenarios.Node) {
		return func(k, v *scenarios.Node) {
			name, ok := p.Scalar(v, k.Text())
			switch {
			case !ok:
			case !headerName.MatchString(name):
				p.Add(v, fmt.Sprintf("%q is not the name of a header", name), "use letters, digits and -, for example X-Node")
			default:
				*dst = http.CanonicalHeaderKey(name)
			}
		}
	}
	return []scenarios.Field{
		{Key: "instance", Set: header(&p.file.answers.instance)},
		{Key: "timeline", Set: header(&p.file.answers.timeline)},
	}
}

// Sees reports whether any of its reads says which version of what it is shown,
// one of a session if that is asked for.
func (f *File) Sees(session bool) bool {
	return slices.ContainsFunc(f.steps, func(s *step) bool { return s.sees != nil && !s.writes() && (s.session || s.limit != nil || !session) })
}

// ReadsOwn reports whether a client reads again what it has written.
func (f *File) ReadsOwn() bool {
	return slices.ContainsFunc(f.journeys, func(j *journey) bool {
		wrote := false
		for _, s := range j.steps {
			switch {
			case !s.session:
			case s.writes():
				wrote = wrote || s.counted() || s.sees != nil
			case wrote:
				return true
			}
		}
		return false
	})
}

// ReadsWrites reports whether any of its requests reads what was written and is
// looked up.
func (f *File) ReadsWrites() bool {
	return f.ReadsOwn() || slices.ContainsFunc(f.journeys, func(j *journey) bool {
		return slices.ContainsFunc(j.wants, (*step).counted) && slices.ContainsFunc(j.steps, func(s *step) bool { return !s.writes() && len(s.recents) > 0 })
	})
}

// Refuses reports whether any of its requests has to be refused, at all or beyond
// a limit.
func (f *File) Refuses() bool {
	return slices.ContainsFunc(f.steps, func(s *step) bool { return s.refused || s.limit != nil })
}

// counted reports whether the writes of a step are looked up.
func (s *step) counted() bool { return s.ack != nil && s.ack.lookup != nil }
