package check

import (
	"time"

	"github.com/proofload/proofload/reports/history"
)

// What probes and final reads say of a node.
const (
	rolePrimary  = "primary"
	roleReplica  = "replica"
	textUnlocked = "unlocked" // of an agent: nobody holds the leader lock
)

// An anatomy explains recoveries from side observations of the nodes. It
// decides nothing.
type anatomy struct {
	course    *course
	timelines map[int]int // the highest timeline seen in each drill
	bodies    []*body
}

// A body is the anatomy of one recovery. Moments are on the clock of the run.
type body struct {
	faultKey
	t0       time.Duration
	target   string
	timeline int // the highest that was seen before T0

	noticed, promoted, rerouted, firstOK time.Duration
}

func newAnatomy(c *course) *anatomy { return &anatomy{course: c, timelines: map[int]int{}} }

// begin starts to look at the recovery from an event.
func (a *anatomy) begin(e *history.Event) {
	drill := a.course.number(e)
	a.bodies = append(a.bodies, &body{
		faultKey: faultKey{drill, e.ID}, t0: e.At, target: e.Target, timeline: a.timelines[drill],
		noticed: unseen, promoted: unseen, rerouted: unseen, firstOK: unseen,
	})
}

func (a *anatomy) observe(e *history.Event) {
	if e.Kind == history.Fail || e.By != history.ByProbe && e.By != history.ByLoad {
		return
	}
	drill := a.course.number(e)
	for _, b := range a.bodies {
		if b.drill == drill && e.At >= b.t0 {
			b.observe(e)
		}
	}
	a.timelines[drill] = max(a.timelines[drill], e.Timeline)
}

func (b *body) observe(e *history.Event) {
	next := b.timeline > 0 && e.Timeline > b.timeline
	switch {
	case e.By == history.ByLoad:
		if next && e.Write && e.Kind == history.OK {
			first(&b.firstOK, e.At)
			// Clients ask all the time and probes do not: what a client was
			// answered by the new primary had been promoted and routed to.
			first(&b.promoted, e.At)
			first(&b.rerouted, e.At)
		}
	case e.Op == history.ProbeAgent && e.Text == textUnlocked:
		first(&b.noticed, e.At)
	case !next || e.Role != rolePrimary:
	case e.Op == history.ProbeDatabase && e.Node != b.target:
		first(&b.promoted, e.At)
	case e.Op == history.ProbeRoute:
		first(&b.rerouted, e.At)
	}
}

// tell writes the anatomy of a recovery into what is said of it.
func (a *anatomy) tell(f *fault, r *Recovery) {
	for _, b := range a.bodies {
		if b.faultKey == (faultKey{f.drill, f.name}) && b.t0 == f.t0 {
			r.Noticed, r.Promoted = since(b.t0, b.noticed), since(b.t0, b.promoted)
			r.Rerouted, r.FirstOK = since(b.t0, b.rerouted), since(b.t0, b.firstOK)
			return
		}
	}
}
