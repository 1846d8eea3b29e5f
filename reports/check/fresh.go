package check

import (
	"fmt"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// freshReads checks that reads of a database are as fresh as they were promised
// to be: those with a strong promise see everything that was seen before they
// were sent, and all others what was seen that much earlier.
type freshReads struct {
	sightings *sightings
	bound     time.Duration
	asked     int // reads of what was known
	stale     staleReads
}

// staleReads are reads that were shown too old a version.
type staleReads struct {
	count    int
	wrongs   wrongs
	worst    time.Duration
	examples []string
}

// Name returns "fresh-reads".
func (*freshReads) Name() string { return nameFresh }

// Observe takes reads that a database has answered.
func (f *freshReads) Observe(e *history.Event) {
	if !sees(e) || e.Role == history.SourceCache || !f.sightings.known(e) {
		return
	}
	f.asked++
	bound := f.bound
	if e.Promise == history.PromiseStrong {
		bound = 0
	}
	f.stale.look(f.sightings, e, bound)
}

// look adds a read if it is stale.
func (s *staleReads) look(known *sightings, e *history.Event, bound time.Duration) {
	want, since, is := known.missed(e, bound)
	if !is {
		return
	}
	s.count++
	s.worst = max(s.worst, since)
	text := fmt.Sprintf("%s of %s sent at %.3f s was shown version %d by the %s, and version %d had been seen %s before",
		e.Op, e.Key, e.Sent.Seconds(), e.Value, orUnknown(e.Role), want.number, span(since))
	if len(s.examples) < maxExamples {
		s.examples = append(s.examples, text)
	}
	s.wrongs.groups.add(caught{
		op: e.Op, id: e.Key, node: e.Node, corr: e.Correlation(), at: e.At, weight: float64(since), text: func() string { return text },
	})
}

func orUnknown(source string) string {
	if source == "" {
		return "system"
	}
	return source
}

// verdict is a failure if any read was stale.
func (s *staleReads) verdict(name string, asked int, doubt, allowed string) Verdict {
	if s.count > 0 {
		s.wrongs.say(fmt.Sprintf("%s stale by up to %s (%s)", were(s.count, "read"), span(s.worst), allowed), s.examples...)
	}
	return s.wrongs.verdict(name, doubt, fmt.Sprintf("%s as fresh as promised (%s)", were(asked, "read"), allowed))
}

// Verdict fails if a read was staler than it may be.
func (f *freshReads) Verdict() Verdict {
	doubt := ""
	switch {
	case f.sightings.blown != "":
		doubt = f.sightings.blown
	case f.asked == 0:
		doubt = "no read of a database was shown a version"
	case f.sightings.full:
		doubt = fmt.Sprintf("more than %s were read", many(maxSighted, "thing"))
	}
	return f.stale.verdict(f.Name(), f.asked, doubt, "allowed are 0 s where that is promised, elsewhere "+span(f.bound))
}
