package check

import (
	"fmt"
	"time"
)

// tookSample judges how long a step of the timeline took: from the moment it
// began to the moment at which it was seen to be done. A heal took as long as
// the fault that it ended took to be seen gone.
func (c *court) tookSample(o Objective, entry Entry, drill int) sample {
	f := c.faults.get(drill, entry.Name)
	if f == nil {
		return unclear("the event " + o.Subject + " did not happen")
	}
	began, done := f.t0, f.settled
	switch {
	case f.failed != "":
		return unclear(fmt.Sprintf("the event %s failed: %s", entry.Name, f.failed))
	case done == unseen:
		s := o.judged(ms(c.course.last - began))
		s.censored = true
		s.reason = fmt.Sprintf("%s was not done %s later %s", o.Subject, span(c.course.last-began), o.limit())
		if s.outcome == Pass {
			s.outcome = Inconclusive
		}
		return s
	}
	s := o.judged(ms(done - began))
	s.resolution = ms(time.Millisecond)
	s.reason = fmt.Sprintf("%s took %s %s", o.Subject, o.beside(s.value), o.limit())
	return s
}
