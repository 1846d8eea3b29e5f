package check

import (
	"fmt"
	"maps"
	"slices"

	"github.com/proofload/proofload/reports/history"
)

// subscribers checks that everybody who has to learn of every write did: no gap
// in what a subscriber was sent.
type subscribers struct {
	course     *course
	durability *durability
	read       map[int]map[string]int64 // by drill and subscriber: of how many it has learned
	gaps       []gap
	unread     string
}

// A gap is a write that a subscriber has not learned of.
type gap struct{ subscriber, id string }

func newSubscribers(c *course, d *durability) *subscribers {
	return &subscribers{course: c, durability: d, read: map[int]map[string]int64{}}
}

// Name returns "subscribers".
func (*subscribers) Name() string { return nameSubscribers }

// Observe takes what subscribers have learned of.
func (s *subscribers) Observe(e *history.Event) {
	if e.By != history.ByAudit || e.Op != history.AuditSubscriber {
		return
	}
	switch {
	case e.Kind == history.Fail:
		s.unread = "what subscribers have learned could not be read: " + e.Text
	case e.ID != "":
		s.gaps = append(s.gaps, gap{e.Target, e.ID})
	default:
		drill := s.course.number(e)
		if s.read[drill] == nil {
			s.read[drill] = map[string]int64{}
		}
		s.read[drill][e.Target] = e.Count
	}
}

// Verdict fails if a subscriber has not learned of a write that was acknowledged
// and is there.
func (s *subscribers) Verdict() Verdict {
	d := s.durability
	if d.blown != "" {
		return Verdict{Check: s.Name(), Outcome: Inconclusive, Reason: d.blown}
	}
	var w wrongs
	missed := map[string][]record{}
	for _, g := range s.gaps {
		if made := d.writes[g.id]; made != nil && made.acknowledged() && made.found() {
			missed[g.subscriber] = append(missed[g.subscriber], record{g.id, made})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(missed)) {
		list := missed[name]
		also := func(*write) string { return ", not known to " + name }
		w.say(fmt.Sprintf("%s has not learned of %s", name, many(len(list), "acknowledged write")), describeAll(list, also)...)
		d.blameAll(&w, list, also)
	}
	doubt := s.course.anyUnread()
	names := 0
	for _, dr := range s.course.list() {
		names = max(names, len(s.read[dr.number]))
		if len(s.read[dr.number]) == 0 && doubt == "" {
			doubt = fmt.Sprintf("no subscriber was asked in drill %d", dr.number)
		}
	}
	if s.unread != "" && doubt == "" {
		doubt = s.unread
	}
	if doubt == "" && d.acknowledged() == 0 {
		doubt = "no write was acknowledged"
	}
	return w.verdict(s.Name(), doubt, many(names, "subscriber")+" learned of every acknowledged write")
}
