package loadgen

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// timingsEvery is of how many operations one has the time to its first byte in
// the history. Each that made a connection has, with the parts of that.
const timingsEvery = 16

// correlationHeader carries the id by which the logs of the system name an
// operation.
const correlationHeader = "X-Correlation-Id"

// userAgent is who asks, unless an operation says otherwise.
const userAgent = "proofload"

// perform carries out one job and records it, unless the load was stopped.
func (e *engine) perform(j *job) {
	if e.load.Err() != nil {
		return
	}
	now := e.Recorder.Now()
	event := history.Event{
		Kind: history.Fail, By: history.ByLoad, Op: j.op.Op, ID: j.op.ID, Drill: e.Drill,
		Phase: j.phase, Write: j.op.Write, Sched: j.sched, Amount: j.op.Amount, Key: j.op.Key, Step: j.step,
		Peer: j.op.Peer, Of: j.op.Of, Session: j.op.Session, Promise: j.op.Promise,
		Seq: int64(j.seq) + 1, Corr: j.op.Header.Get(correlationHeader), //nolint:gosec // no schedule is so long
	}
	lag := now - j.sched
	if e.InFlight.Add(1) > int64(e.MaxInFlight) || lag > e.MaxLag {
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
	e.InFlight.Add(-1)
	e.Recorder.Record(event)
	e.count(&event, j.answered, lag)
	e.Workload.Observe(&j.op, event.Kind == history.OK) // last, so that what uses it is recorded later
	j.end = End{Kind: event.Kind, Class: event.Class, Status: event.Status}
}

// count adds an ended operation to the statistics.
func (e *engine) count(event *history.Event, answered bool, lag time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if event.Step > 0 {
		return // the schedule has the first request of a journey
	}
	e.stats.Offered++
	switch {
	case event.Class == ClassShed && lag > e.MaxLag:
		e.stats.Late++
		fallthrough
	case event.Class == ClassShed:
		e.stats.Shed++
	case answered:
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
	r := request{
		method: j.op.Method, path: j.op.Path, header: j.op.Header, body: j.op.Body, maxBody: j.op.MaxBody,
		deadline: time.Now().Add(cmp.Or(j.op.Timeout, e.Timeouts.Total)),
	}
	if j.op.Prepare != nil {
		if err := e.prepare(j, &r); err != nil {
			event.Class = classifyPrepare(err)
			e.sample(event, err)
			return
		}
	}
	if r.header.Get(correlationHeader) == "" {
		r.corr = history.CorrelationID(e.Drill, j.seq)
	}
	switch {
	case j.op.Run != nil:
		e.run(j, r.deadline, event)
		return
	case j.op.Do != nil:
		e.carryOut(j, &r, event)
		return
	}
	a, err := e.transport.exchange(&r)
	if a.timings.connected() || j.seq%timingsEvery == 0 {
		event.DNS, event.Connect, event.TLS, event.FirstByte = a.timings.DNS, a.timings.Connect, a.timings.TLS, a.timings.FirstByte
	}
	if a.headed {
		event.Node = a.header.Get(e.NodeHeader)
		if timeline := a.header.Get(e.TimelineHeader); timeline != "" { // absent where no database was asked
			event.Timeline, _ = strconv.Atoi(timeline)
		}
	}
	switch {
	case err == nil:
		event.Status, j.answered = a.status, true
		e.judge(j, &a, event)
	case !a.sent:
		event.Class = classifyUnsent(err)
	default:
		event.Kind, event.Class = unanswered(j.op.Write), classifySent(err, a.headed)
	}
	e.sample(event, err)
}

// How many errors of each class of an op are kept as text, in each drill, and how
// long one may be.
const (
	samplesEach = 3
	sampleSize  = 1000
)

// sample keeps the text of an error where there are few of its kind so far. It
// names the system in the words of this machine, which a class does not.
func (e *engine) sample(event *history.Event, err error) {
	if err == nil {
		return
	}
	key := event.Op + " " + event.Class
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.samples[key] == samplesEach {
		return
	}
	e.samples[key]++
	event.Text = strings.ToValidUTF8(err.Error(), "?")
	if len(event.Text) > sampleSize { // not cut: half of a secret would not be known for one, and be shown
		event.Text = fmt.Sprintf("an error of %d bytes", len(event.Text))
	}
}

// prepare lets an operation complete its request.
func (e *engine) prepare(j *job, r *request) error {
	ctx, cancel := context.WithDeadlineCause(e.requests, r.deadline, errTotal)
	defer cancel()
	r.header = make(http.Header, len(j.op.Header)+1)
	maps.Copy(r.header, j.op.Header)
	return j.op.Prepare(ctx, r.header)
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
func (e *engine) judge(j *job, a *answer, event *history.Event) {
	judge := j.op.Judge
	if judge == nil {
		judge = judgeStatus
	}
	switch judge(a.status, a.header, a.body) {
	case Done:
		event.Kind = history.OK
		if j.op.Saw != nil {
			saw := j.op.Saw(a.header, a.body)
			event.Role, event.Value, event.Saw = saw.Source, saw.Version, saw.Several
			if !j.op.Write {
				event.Amount = saw.Balance
			}
		}
		return
	case Refused:
		event.Kind = history.Fail
	default:
		event.Kind = unanswered(j.op.Write)
	}
	event.Class = classifyStatus(event.Status)
}
