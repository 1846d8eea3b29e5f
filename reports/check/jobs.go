package check

import (
	"fmt"
	"strings"

	"github.com/proofload/proofload/reports/history"
)

// jobsDone checks that the background job of every acknowledged write was
// done, and that no work is left over or was given up.
//
// What goes in must come out: a job that was not done waits somewhere, was given
// up, or has vanished. Only the last is lost for good, so that it is told apart.
type jobsDone struct {
	course     *course
	durability *durability
	read       bool
	left       wrongs
	unread     string
	waiting    map[string]bool // writes whose job waits somewhere, by id
	dead       map[string]bool // writes whose job was given up
	unnamed    int64           // messages in queues, of which only the number is known
}

func newJobsDone(c *course, d *durability) *jobsDone {
	return &jobsDone{course: c, durability: d, waiting: map[string]bool{}, dead: map[string]bool{}}
}

// Name returns "jobs-done".
func (*jobsDone) Name() string { return nameJobs }

// Observe takes what is left of background work.
func (j *jobsDone) Observe(e *history.Event) {
	switch {
	case e.By != history.ByAudit:
	case e.Op == history.AuditWaiting && e.Kind != history.Fail:
		j.waiting[e.ID] = true
	case e.Op == history.AuditDead && e.Kind != history.Fail && e.Key != "":
		j.dead[e.Key] = true
	case e.Op == history.AuditJobs:
		j.observeLeft(e)
	}
}

func (j *jobsDone) observeLeft(e *history.Event) {
	j.read = true
	switch {
	case e.Kind == history.Fail:
		j.unread = fmt.Sprintf("%s could not be read: %s", e.Target, e.Text)
	case e.Count != 0:
		j.left.say(fmt.Sprintf("%s left in %s after drill %d", count(e.Count), e.Target, j.course.number(e)))
		if strings.HasPrefix(e.Target, "queue ") {
			j.unnamed += e.Count
		}
	}
}

// Verdict fails if a job is missing or something is left.
func (j *jobsDone) Verdict() Verdict {
	d := j.durability
	if d.blown != "" {
		return Verdict{Check: j.Name(), Outcome: Inconclusive, Reason: d.blown}
	}
	w := j.left
	if undone := d.which((*write).undone); len(undone) > 0 {
		also := func(*write) string { return ", no effect of its job" }
		w.say("the job of "+were(len(undone), "acknowledged write")+" not done"+j.whereabouts(undone), describeAll(undone, also)...)
		d.blameAll(&w, undone, also)
	}
	acked := d.how(func(w *write) bool { return w.acknowledged() && w.found() })
	doubt := j.course.anyUnread()
	switch {
	case doubt != "":
	case j.unread != "":
		doubt = j.unread
	case !j.read:
		doubt = "what is left of background work was not read"
	case acked == 0:
		doubt = "no acknowledged write was found"
	}
	return w.verdict(j.Name(), doubt, many(acked, "acknowledged write")+", the job of each was done, nothing is left")
}

// whereabouts says what became of jobs that were not done, where that is known.
func (j *jobsDone) whereabouts(undone []record) string {
	waiting, dead := 0, 0
	for _, r := range undone {
		switch {
		case j.dead[r.id]:
			dead++
		case j.waiting[r.id]:
			waiting++
		}
	}
	queued := min(int64(len(undone)-waiting-dead), j.unnamed)
	vanished := int64(len(undone)-waiting-dead) - queued
	if vanished == int64(len(undone)) {
		return "" // nothing is known of any, or all have vanished
	}
	return fmt.Sprintf(" (%d waiting, %d given up, up to %d in queues, %d vanished)", waiting, dead, queued, vanished)
}
