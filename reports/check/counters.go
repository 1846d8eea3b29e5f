package check

import (
	"fmt"
	"maps"
	"slices"

	"github.com/proofload/proofload/reports/history"
)

// counterBounds checks that what the writes moved in sum lies between what was
// acknowledged and what may have happened beside it: for each thing, no less
// than the sum of the acknowledged amounts, and no more than that together with
// those of unknown outcome (the bounds of Jepsen's counter). It needs the sums
// alone, not the writes one by one.
type counterBounds struct {
	course     *course
	durability *durability
	found      map[int]map[string]int64 // by drill and key
	whole      map[int]bool             // drills of which all counters were read
	unread     string
}

func newCounterBounds(c *course, d *durability) *counterBounds {
	return &counterBounds{course: c, durability: d, found: map[int]map[string]int64{}, whole: map[int]bool{}}
}

// Name returns "counter-bounds".
func (*counterBounds) Name() string { return nameCounters }

// Observe takes the final value of a counter.
func (c *counterBounds) Observe(e *history.Event) {
	if e.By != history.ByAudit || e.Op != history.AuditCounter {
		return
	}
	drill := c.course.number(e)
	switch {
	case e.Kind == history.Fail:
		c.unread = "the counters could not be read: " + e.Text
	case e.Key == "":
		c.whole[drill] = true
	default:
		if c.found[drill] == nil {
			c.found[drill] = map[string]int64{}
		}
		c.found[drill][e.Key] += e.Value
	}
}

// A span of values that a counter may have.
type allowed struct{ low, high int64 }

func (a *allowed) add(delta int64, certain bool) {
	if certain || delta < 0 {
		a.low += delta
	}
	if certain || delta > 0 {
		a.high += delta
	}
}

// allowed returns what the counters of a drill may be. Skipped is how many
// writes say no amount, or different ones.
func (c *counterBounds) allowed(drill int) (bounds map[string]*allowed, skipped int) {
	bounds = map[string]*allowed{}
	move := func(key string, delta int64, certain bool) {
		if key == "" {
			return
		}
		if bounds[key] == nil {
			bounds[key] = &allowed{}
		}
		bounds[key].add(delta, certain)
	}
	d := c.durability
	for _, w := range d.byDrill[drill] {
		switch {
		case !w.acknowledged() && !w.indeterminate():
		case w.amount == 0:
			skipped++
		default:
			move(d.words.of(w.key), -w.amount, w.acknowledged())
			move(d.words.of(w.peer), w.amount, w.acknowledged())
		}
	}
	return bounds, skipped
}

// Verdict fails if a counter is out of its bounds.
func (c *counterBounds) Verdict() Verdict {
	var w wrongs
	if c.durability.blown != "" {
		return Verdict{Check: c.Name(), Outcome: Inconclusive, Reason: c.durability.blown}
	}
	doubt := c.course.anyUnread()
	judged := 0
	say := func(format string, args ...any) {
		if doubt == "" {
			doubt = fmt.Sprintf(format, args...)
		}
	}
	for _, d := range c.course.list() {
		if !c.whole[d.number] {
			if c.unread != "" {
				say("%s", c.unread)
			}
			say("the counters of drill %d were not read", d.number)
			continue
		}
		bounds, skipped := c.allowed(d.number)
		if skipped > 0 {
			say("%s of drill %d have no amount that is known", many(skipped, "write"), d.number)
			continue
		}
		keys := maps.Clone(c.found[d.number])
		for key := range bounds {
			if keys == nil {
				keys = map[string]int64{}
			}
			keys[key] += 0 // those that did not move
		}
		judged += len(keys)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			c.judge(&w, d.number, key, keys[key], bounds[key])
		}
	}
	if judged == 0 {
		say("nothing was moved")
	}
	return w.verdict(c.Name(), doubt, many(judged, "counter")+" within what was acknowledged and what may have happened")
}

func (c *counterBounds) judge(w *wrongs, drill int, key string, value int64, b *allowed) {
	if b == nil {
		b = &allowed{}
	}
	off := max(b.low-value, value-b.high)
	if off <= 0 {
		return
	}
	text := fmt.Sprintf("%s moved by %d in drill %d, not between %d and %d", key, value, drill, b.low, b.high)
	if len(w.kinds) == 0 {
		w.say("counters are not what was acknowledged")
	}
	if len(w.examples) < maxExamples {
		w.examples = append(w.examples, text)
	}
	w.groups.add(caught{op: "counter", id: key, at: c.course.last, weight: float64(off), text: func() string { return text }})
}
