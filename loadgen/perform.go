package loadgen

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// maxBody is how much of an answer's body is read unless its operation says
// otherwise.
const maxBody = 1 << 20

// perform carries out one job and records it.
func (e *engine) perform(j *job) {
	now := e.Recorder.Now()
	event := history.Event{
		Kind: history.Fail, By: history.ByLoad, Op: j.op.Op, ID: j.op.ID, Drill: e.Drill,
		Phase: j.phase, Write: j.op.Write, Sched: j.sched, Amount: j.op.Amount, Key: j.op.Key, Step: j.step,
	}
	if e.inFlight.Add(1) > int64(e.MaxInFlight) {
		event.Class = ClassShed
	} else {
		event.Sent = now
		if j.op.Write {
			invoke := event
			invoke.Kind = history.Invoke
			e.Recorder.Record(invoke)
		}
		e.send(j, &event)
	}
	event.At = e.Recorder.Now()
	e.inFlight.Add(-1)
	e.Recorder.Record(event)
	e.count(&event, now-j.sched)
	e.Workload.Observe(&j.op, event.Kind == history.OK) // last, so that what uses it is recorded later
	j.end = End{Kind: event.Kind, Class: event.Class, Status: event.Status}
}

// count adds an ended operation to the statistics.
func (e *engine) count(event *history.Event, lag time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if event.Step > 0 {
		return // the schedule has the first request of a journey
	}
	e.stats.Offered++
	switch {
	case event.Class == ClassShed:
		e.stats.Shed++
	case event.Status != 0:
		e.stats.Completed++
		fallthrough
	default:
		e.stats.Sent++
	}
	lag = min(max(lag, 0), history.MaxLatency)
	_ = e.lag.RecordValue(lag.Microseconds()) // cannot fail within the range
}

// send sends the operation, once, and sets the outcome in event.
func (e *engine) send(j *job, event *history.Event) {
	ctx, cancel := context.WithTimeoutCause(e.requests, cmp.Or(j.op.Timeout, e.Timeouts.Total), errTotal)
	defer cancel()
	var w wire
	req, err := e.request(httptrace.WithClientTrace(ctx, w.trace()), j)
	if err != nil {
		event.Class = ClassNotSent
		return
	}
	if j.op.Do != nil {
		e.settle(ctx, j, j.op.Do(req, e.transport), &w, event)
		return
	}
	resp, err := e.transport.RoundTrip(req)
	switch {
	case err != nil && !w.sent():
		event.Class = classifyUnsent(ctx, err)
		return
	case err != nil:
		event.Kind = unanswered(j.op.Write)
		event.Class = classifySent(ctx, err, false)
		return
	}
	defer func() { _ = resp.Body.Close() }() // read to its end, or given up
	event.Node = resp.Header.Get(e.NodeHeader)
	event.Timeline, _ = strconv.Atoi(resp.Header.Get(e.TimelineHeader)) // absent where no database was asked
	body, err := readBody(resp.Body, cmp.Or(j.op.MaxBody, maxBody))
	switch {
	case errors.Is(err, errBodyTooLong):
		event.Kind, event.Class = unanswered(j.op.Write), ClassTooLarge
		return
	case err != nil:
		event.Kind, event.Class = unanswered(j.op.Write), classifySent(ctx, err, true)
		return
	}
	event.Status = resp.StatusCode
	e.judge(j, resp.Header, body, event)
}

// unanswered is the outcome of an operation that was sent and got no answer
// that settles it: a write may have happened, a read changes nothing.
func unanswered(write bool) history.Kind {
	if write {
		return history.Info
	}
	return history.Fail
}

// judge sets the outcome of an operation that was answered to the end.
func (e *engine) judge(j *job, header http.Header, body []byte, event *history.Event) {
	judge := j.op.Judge
	if judge == nil {
		judge = judgeStatus
	}
	switch judge(event.Status, header, body) {
	case Done:
		event.Kind = history.OK
		return
	case Refused:
		event.Kind = history.Fail
	default:
		event.Kind = unanswered(j.op.Write)
	}
	event.Class = classifyStatus(event.Status)
}

// request builds the request of a job. It is never sent twice: a body that
// cannot be had again makes the transport give up where it would otherwise
// silently repeat reads, and whatever carries an idempotency key, on another
// connection.
func (e *engine) request(ctx context.Context, j *job) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, j.op.Method, e.BaseURL+j.op.Path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.GetBody = nil
	req.Body = io.NopCloser(bytes.NewReader(j.op.Body))
	req.ContentLength = int64(len(j.op.Body)) // 0 means unknown; of a read, the transport finds the body empty
	maps.Copy(req.Header, j.op.Header)
	if req.Header.Get("X-Correlation-ID") == "" {
		req.Header.Set("X-Correlation-ID", fmt.Sprintf("proofload-%d-%d", e.Drill, j.seq))
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "proofload")
	}
	if j.op.Prepare != nil {
		if err := j.op.Prepare(ctx, req.Header); err != nil {
			return nil, fmt.Errorf("prepare request: %w", err)
		}
	}
	return req, nil
}

var errBodyTooLong = errors.New("body too long")

// readBody reads an answer to its end, up to limit bytes.
func readBody(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = errBodyTooLong
	}
	return body, err
}
