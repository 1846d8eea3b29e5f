package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// unseen is a moment that is not in the history.
const unseen time.Duration = -1

// A course follows the run itself: which drills there were, where their phases
// lie on the clock of the run, and whether their final reads are complete.
type course struct {
	fuse
	phases  []Phase
	drills  map[int]*drill
	current int
	last    time.Duration // the latest moment in the history
	aborted bool
	abort   string // why
	torn    string // why the history could not be read to its end
}

// A drill is one pass through the phases.
type drill struct {
	number  int
	began   time.Duration // the zero of its phases' clock
	clock   history.Clock // of its phases, once it has begun
	loaded  bool          // its last operation was recorded
	ended   bool
	cuts    map[string]bool  // phases that ended early, or when they were to
	skipped map[string]int64 // operations that were planned in them and never due
	audited bool             // the final reads are complete
	unread  string           // why they are not
}

func newCourse(phases []Phase) *course {
	return &course{phases: phases, drills: map[int]*drill{}}
}

func (c *course) observe(e *history.Event) {
	c.last = max(c.last, e.At)
	switch {
	case e.By == history.ByRun:
		c.observeRun(e)
	case e.By == history.ByAudit && e.Op == history.AuditDone:
		d := c.of(e)
		d.audited = e.Kind != history.Fail
		if !d.audited {
			d.unread = cmp.Or(e.Text, "no reason given")
		}
	case e.By == history.ByLoad:
		c.of(e)
	}
}

func (c *course) observeRun(e *history.Event) {
	switch e.Op {
	case history.RunDrill:
		c.current = max(1, e.Drill)
		d := c.of(e)
		d.began = e.At
		d.clock.Observe(e)
	case history.RunHold, history.RunGoOn:
		c.of(e).clock.Observe(e)
	case history.RunCut:
		d := c.of(e)
		d.clock.Observe(e)
		d.cuts[e.Phase] = true
	case history.RunGenerator:
		c.of(e).skipped = skippedOf(e.Text)
	case history.RunPhase:
		d := c.of(e)
		if p, ok := c.phase(e.Phase); ok && d.began == unseen {
			d.began = e.At - p.Start
			d.clock.Began = d.began
		}
	case history.RunLoadEnd:
		c.of(e).loaded = true
	case history.RunDrillEnd:
		c.of(e).ended = true
	case history.RunAbort:
		c.aborted, c.abort = true, e.Text
	}
}

// number returns the drill that an event belongs to.
func (c *course) number(e *history.Event) int { return max(1, cmp.Or(e.Drill, c.current)) }

func (c *course) of(e *history.Event) *drill {
	n := c.number(e)
	d := c.drills[n]
	if d == nil {
		d = &drill{number: n, began: unseen, cuts: map[string]bool{}}
		c.drills[n] = d
	}
	return d
}

// list returns the drills in order.
func (c *course) list() []*drill {
	return slices.SortedFunc(maps.Values(c.drills), func(a, b *drill) int { return cmp.Compare(a.number, b.number) })
}

// completed counts the drills that ran to their end.
func (c *course) completed() int {
	n := 0
	for _, d := range c.drills {
		if d.ended {
			n++
		}
	}
	return n
}

func (c *course) phase(name string) (Phase, bool) {
	i := slices.IndexFunc(c.phases, func(p Phase) bool { return p.Name == name })
	if i < 0 {
		return Phase{}, false
	}
	return c.phases[i], true
}

// span returns where a phase of a drill lies on the clock of the run.
func (c *course) span(drill int, name string) (from, to time.Duration, ok bool) {
	p, known := c.phase(name)
	d := c.drills[drill]
	if !known || d == nil || d.began == unseen {
		return 0, 0, false
	}
	return d.clock.At(p.Start, c.last), d.clock.At(p.Start+p.For, c.last), true
}

// held reports whether the clock of a drill stands still at a moment.
func (c *course) held(drill int, at time.Duration) bool {
	d := c.drills[drill]
	return d != nil && d.clock.Held(at)
}

// phaseEnd returns the end of the phase that a moment of a drill lies in, or
// the moment itself if it lies in none.
func (c *course) phaseEnd(drill int, at time.Duration) time.Duration {
	for _, p := range c.phases {
		if from, to, ok := c.span(drill, p.Name); ok && from <= at && at < to {
			return to
		}
	}
	return at
}

// covered is how much of a stretch of the run the phases of a drill take up.
// Their clock stands still while a gate is open.
func (c *course) covered(drill int, from, to time.Duration) time.Duration {
	d := c.drills[drill]
	if d == nil || d.began == unseen || len(c.phases) == 0 {
		return to - from
	}
	last := c.phases[len(c.phases)-1]
	into := func(at time.Duration) time.Duration { return min(max(0, d.clock.Into(at)), last.Start+last.For) }
	return into(to) - into(from)
}

// unread says why the final reads of a drill cannot be relied on, empty if
// they can.
func (c *course) unread(drill int) string {
	switch d := c.drills[drill]; {
	case c.blown != "":
		return c.blown
	case d == nil:
		return fmt.Sprintf("there was no drill %d", drill)
	case d.audited:
		return ""
	case d.unread != "":
		return "the final reads are not complete: " + d.unread
	case len(c.drills) > 1:
		return fmt.Sprintf("the final reads of drill %d were not made", drill)
	}
	return "the final reads were not made"
}

// anyUnread returns the first reason why final reads cannot be relied on.
func (c *course) anyUnread() string {
	for _, d := range c.list() {
		if reason := c.unread(d.number); reason != "" {
			return reason
		}
	}
	if len(c.drills) == 0 {
		return "there was no drill"
	}
	return ""
}

// cut reports whether a drill did not run to the end of its load.
func (c *course) cut(drill int) bool {
	d := c.drills[drill]
	return d == nil || !d.loaded && !d.ended
}

// brokenOff says, in words for everybody, what it means that a history is not
// whole: where it ends, why that may be, and what of it holds all the same.
func (c *course) brokenOff(writes bool) string {
	ds := c.list()
	if len(ds) == 0 || ds[len(ds)-1].began == unseen {
		return "the record of the run ends before any load: the run died, or the file was damaged, and nothing can be said of the system"
	}
	d := ds[len(ds)-1]
	into := max(0, d.clock.Into(c.last))
	where := span(into) + " into"
	var whole []string
	switch {
	case d.number == 2:
		whole = append(whole, "drill 1")
	case d.number > 2:
		whole = append(whole, fmt.Sprintf("drills 1 to %d", d.number-1))
	}
	for _, p := range c.phases {
		switch end := p.Start + p.For; {
		case end <= into:
			whole, where = append(whole, p.Name), "after the load of"
		case p.Start <= into:
			where = span(into-p.Start) + " into " + p.Name + " of"
		}
	}
	said := fmt.Sprintf("the record of the run breaks off %s drill %d, where the run died or the file was damaged: ", where, d.number)
	if len(whole) > 0 {
		said += "what it shows of " + listed(whole) + " holds"
	} else {
		said += "no phase in it is whole"
	}
	if writes && !d.audited {
		said += "; what became of the writes was never looked up"
	}
	return said
}

// listed joins words as a sentence does.
func listed(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
