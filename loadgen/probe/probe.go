// Package probe watches the nodes of a system under test from the side, at a
// low rate, while clients use it.
//
// Probes explain how a failover went: who was primary when, who noticed, and
// where the service's own path to the database led. They decide nothing.
package probe

import (
	"context"
	"sync"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// timeout bounds one observation, connecting included.
const timeout = 500 * time.Millisecond

// heartbeat is how often an observation is recorded that has not changed.
const heartbeat = time.Second

// A Target is what one probe watches.
type Target struct {
	Node string // the node that events name
	Op   string // [history.ProbeDatabase], [history.ProbeRoute], [history.ProbeAgent], [history.ProbeBooks] or [history.ProbeCounter]
	URL  string // of a database, with credentials; or the base URL of an agent; or where metrics are

	// Counters are, for [history.ProbeCounter], the metrics that each counter is
	// the sum of, in the text format of Prometheus.
	Counters map[string]string
}

// An observer makes one observation. It fills in what it saw, or returns why
// it saw nothing.
type observer interface {
	observe(ctx context.Context, e *history.Event) error
	close(ctx context.Context)
}

// Run probes all targets, each at the given pace, until ctx is done. An
// observation is recorded when its outcome, role, timeline, class or text differs from
// the one before, and at least once a second; of counters and books each is, for
// what they say is a number. It is timed at its end, and one
// that takes longer than 500 ms is a failure.
func Run(ctx context.Context, targets []Target, pace Pace, rec *history.Recorder) {
	a := new(alarm)
	for _, t := range targets {
		a.nodes = append(a.nodes, t.Node)
	}
	every := func() time.Duration {
		if pace.Alarm > 0 && a.on(rec.Now()) {
			return pace.Alarm
		}
		return pace.Calm
	}
	defer rec.Tap(a.observe)()
	var probes sync.WaitGroup
	for _, t := range targets {
		probes.Go(func() { watch(ctx, t, newObserver(t), every, rec) })
	}
	probes.Wait()
}

func newObserver(t Target) observer {
	switch t.Op {
	case history.ProbeAgent:
		return newAgent(t.URL)
	case history.ProbeCounter:
		return newMetrics(t)
	case history.ProbeBooks:
		return &database{url: t.URL, ask: readBooks}
	}
	return &database{url: t.URL, ask: readNode}
}

func watch(ctx context.Context, t Target, o observer, every func() time.Duration, rec *history.Recorder) {
	defer o.close(context.WithoutCancel(ctx))
	period := every()
	tick := time.NewTicker(period)
	defer tick.Stop()
	counts := t.Op == history.ProbeCounter || t.Op == history.ProbeBooks
	var last history.Event
	for ctx.Err() == nil {
		e := history.Event{Kind: history.Info, By: history.ByProbe, Op: t.Op, Node: t.Node}
		if err := once(ctx, o, &e); err != nil {
			e.Kind, e.Text = history.Fail, reason(err)
		}
		if ctx.Err() != nil {
			return // the observation was cut short
		}
		e.At = rec.Now()
		if counts || changed(&last, &e) || e.At-last.At >= heartbeat {
			record(rec, o, e)
			last = e
		}
		if p := every(); p != period {
			period = p
			tick.Reset(p)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// record records an observation, or each of those that were made at once.
func record(rec *history.Recorder, o observer, e history.Event) {
	m, several := o.(*metrics)
	if !several || e.Kind == history.Fail {
		rec.Record(e)
		return
	}
	for _, c := range m.seen {
		e.Target, e.Value = c.name, c.value
		rec.Record(e)
	}
}

func once(ctx context.Context, o observer, e *history.Event) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return o.observe(ctx, e)
}

func changed(was, is *history.Event) bool {
	return was.Kind != is.Kind || was.Role != is.Role || was.Timeline != is.Timeline || was.Text != is.Text || was.Class != is.Class
}
