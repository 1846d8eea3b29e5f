package check

import (
	"fmt"

	"github.com/proofload/proofload/reports/history"
)

// jobsDone checks that the background job of every acknowledged write was
// done, and that no work is left over or was given up.
type jobsDone struct {
	course     *course
	durability *durability
	read       bool
	left       wrongs
	unread     string
}

// Name returns "jobs-done".
func (*jobsDone) Name() string { return nameJobs }

// Observe takes what is left of background work.
func (j *jobsDone) Observe(e *history.Event) {
	if e.By != history.ByAudit || e.Op != history.AuditJobs {
		return
	}
	switch {
	case e.Kind == history.Fail:
		j.unread = fmt.Sprintf("%s could not be read: %s", e.Target, e.Text)
	case e.Count != 0:
		j.left.say(fmt.Sprintf("%s left in %s after drill %d", count(e.Count), e.Target, j.course.number(e)))
	}
	j.read = true
}

// Verdict fails if a job is missing or something is left.
func (j *jobsDone) Verdict() Verdict {
	d := j.durability
	if d.blown != "" {
		return Verdict{Check: j.Name(), Outcome: Inconclusive, Reason: d.blown}
	}
	w := j.left
	if undone := d.which((*write).undone); len(undone) > 0 {
		w.say("the job of "+were(len(undone), "acknowledged write")+" not done",
			describeAll(undone, func(*write) string { return ", no effect of its job" })...)
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
