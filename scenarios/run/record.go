package run

import (
	"fmt"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

func (t *timeline) note(s plan.Step, op string, kind history.Kind, text string) {
	e := t.event(s, op)
	e.Kind, e.Text = kind, text
	t.rig.Recorder.Record(e)
	lasts := s.Fault || s.Verb == scenarios.VerbScale && s.Entry.For > 0
	if op == history.FaultRecovered || op == history.FaultSettled && !lasts {
		t.over(s.Entry.Name)
	}
}

// say records what an entry says that does nothing.
func (t *timeline) say(s plan.Step, op string) {
	t.rig.Recorder.Record(history.Event{Kind: history.Info, By: history.ByRun, Op: op, ID: s.Entry.Name, Drill: t.drill.N, Text: s.Text})
}

func (t *timeline) noteTarget(s plan.Step, op, target string) {
	e := t.event(s, op)
	e.Target = target
	t.rig.Recorder.Record(e)
}

// event makes the common part of all events of an entry.
func (t *timeline) event(s plan.Step, op string) history.Event {
	return history.Event{
		At: t.rig.Recorder.Now(), Kind: history.Info, By: history.ByFault, Op: op,
		ID: s.Entry.Name, Verb: s.Verb, Drill: t.drill.N, Target: s.Entry.Target, Carries: carries(s.Params.Target.Links),
	}
}

// carries returns the one kind of traffic that all links have in common.
func carries(links []sut.Link) string {
	if len(links) == 0 {
		return ""
	}
	for _, l := range links {
		if l.Carries != links[0].Carries {
			return ""
		}
	}
	return string(links[0].Carries)
}

// evidence puts an observation into one line.
func evidence(e chaos.Evidence) string {
	return fmt.Sprintf("%s: %s (%s)", e.By, e.Saw, e.Took.Round(time.Millisecond))
}
