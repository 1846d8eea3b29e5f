package loadgen

import (
	"context"
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
	switch {
	case done.Err != nil && !done.Sent && !w.sent():
		event.Class = classifyUnsent(done.Err)
	case done.Err != nil:
		event.Kind, event.Class = unanswered(j.op.Write), classifySent(done.Err, done.Headers)
	default:
		event.Status = done.Status
		e.judge(j, &answer{status: done.Status, header: done.Header, body: done.Body}, event)
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
