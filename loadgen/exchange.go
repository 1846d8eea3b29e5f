package loadgen

import (
	"context"
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

// settle sets the outcome of an operation that carried itself out.
func (e *engine) settle(ctx context.Context, j *job, r Result, w *wire, event *history.Event) {
	switch {
	case r.Err != nil && !r.Sent && !w.sent():
		event.Class = classifyUnsent(ctx, r.Err)
	case r.Err != nil:
		event.Kind, event.Class = unanswered(j.op.Write), classifySent(ctx, r.Err, r.Headers)
	default:
		event.Status = r.Status
		e.judge(j, r.Header, r.Body, event)
	}
}

// pause waits until the next request of a journey is due, or its Early is
// closed. It returns whether the load goes on.
func (e *engine) pause(think time.Duration, early <-chan struct{}) bool {
	t := time.NewTimer(think)
	defer t.Stop()
	select {
	case <-e.stopped:
		return false
	case <-early:
	case <-t.C:
	}
	return true
}
