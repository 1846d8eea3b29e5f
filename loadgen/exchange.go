package loadgen

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// A Result is what an [Extras.Do] made of an operation.
type Result struct {
	Status int         // of the answer, for example the HTTP status
	Header http.Header // of the answer; may be nil
	Body   []byte

	Err     error // no whole answer
	Sent    bool  // with Err: something may have left
	Headers bool  // with Err: the head of the answer had arrived
}

// carryOut has an operation carry itself out, and sets the outcome.
func (e *engine) carryOut(j *job, r *request, event *history.Event) {
	ctx, cancel := context.WithDeadlineCause(e.requests, r.deadline, errTotal)
	defer cancel()
	w := &wire2{began: time.Now()}
	req, err := newRequest(w.context(ctx), e.BaseURL, r)
	if err != nil {
		event.Class = ClassNotSent
		return
	}
	done := j.op.Do(req, e.beside)
	if cause := context.Cause(ctx); done.Err != nil && cause != nil {
		done.Err = fmt.Errorf("%w: %w", cause, done.Err)
	}
	defer func() { e.sample(event, done.Err) }()
	switch {
	case done.Err != nil && !done.Sent && !w.sent():
		event.Class = classifyUnsent(done.Err)
	case done.Err != nil:
		event.Kind, event.Class = unanswered(j.op.Write), classifySent(done.Err, done.Headers)
	default:
		event.Status, j.answered = done.Status, true
		e.judge(j, &answer{status: done.Status, header: done.Header, body: done.Body}, event)
	}
}

// An Outcome is what an [Extras.Run] made of an operation.
type Outcome struct {
	Answer Answer // where there is no Err
	Err    error  // there is no whole answer
	Sent   bool   // with Err: something may have left, so that a write may have happened
	Class  string // of the error, where it has one that the engine cannot know
	Said   error  // what the system said itself where it answered, and not as it was to
}

// run has an operation that is no request carried out, and sets the outcome.
func (e *engine) run(j *job, deadline time.Time, event *history.Event) {
	ctx, cancel := context.WithDeadlineCause(e.requests, deadline, errTotal)
	defer cancel()
	o := j.op.Run(ctx)
	if cause := context.Cause(ctx); o.Err != nil && cause != nil && !errors.Is(o.Err, cause) {
		o.Err = fmt.Errorf("%w: %w", cause, o.Err)
	}
	j.answered = o.Err == nil
	defer func() { e.sample(event, cmp.Or(o.Err, o.Said)) }()
	switch {
	case o.Err != nil && !o.Sent:
		event.Class = cmp.Or(o.Class, classifyUnsent(o.Err))
	case o.Err != nil:
		event.Kind, event.Class = unanswered(j.op.Write), cmp.Or(o.Class, Classify(o.Err))
	case o.Answer == Done:
		event.Kind = history.OK
	case o.Answer == Refused:
		event.Class = cmp.Or(o.Class, ClassOther)
	default:
		event.Kind, event.Class = unanswered(j.op.Write), cmp.Or(o.Class, ClassBadBody)
	}
}

// pause waits until the next request of a journey is due, or its Early is
// closed. It returns whether the load goes on.
func (e *engine) pause(think time.Duration, early <-chan struct{}) bool {
	t := time.NewTimer(think)
	defer t.Stop()
	select {
	case <-e.load.Done():
		return false
	case <-early:
	case <-t.C:
	}
	return true
}
