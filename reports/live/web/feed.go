package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/reports/html"
)

const (
	queued = 8192                   // events; four megabytes
	redraw = time.Second            // between two states of the page
	soon   = 250 * time.Millisecond // after something changed that is not load
)

// A Feed follows one run. Events come in through a bounded queue, so that
// nothing that is done with them holds the run up.
type Feed struct {
	result reports.Result // what is known of the run before it begins
	spec   check.Spec
	now    func() time.Duration // since the run began

	events  chan history.Event
	asks    chan func(*check.Watch)
	unseen  atomic.Int64 // events that found no place in the queue
	said    atomic.Pointer[string]
	stop    chan struct{}
	once    sync.Once
	stopped chan struct{}

	paint   func(*html.Live) // nil: there is no page
	watched func() bool      // somebody looks at it
	over    *reports.Result  // the final result; only touched in the loop
	file    string           // of the report
}

// NewFeed follows a run: result says which one, and now is the time since it
// began. Follow it until [Feed.Close].
func NewFeed(result reports.Result, spec check.Spec, now func() time.Duration) *Feed {
	return &Feed{
		result: result, spec: spec, now: now, events: make(chan history.Event, queued), asks: make(chan func(*check.Watch)),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
}

// Observe takes the next event. It never waits.
func (f *Feed) Observe(e *history.Event) {
	select {
	case f.events <- *e:
	default:
		f.unseen.Add(1)
	}
}

// Say notes the latest line of progress.
func (f *Feed) Say(line string) { f.said.Store(&line) }

// Close stops following. The last state stays.
func (f *Feed) Close() {
	f.once.Do(func() { close(f.stop) })
	<-f.stopped
}

// follow takes events and draws every second until the feed is closed.
func (f *Feed) follow() {
	defer close(f.stopped)
	w := check.NewWatch(f.spec)
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	var hurry <-chan time.Time
	for {
		select {
		case e := <-f.events:
			w.Observe(&e)
			if hurry == nil && (e.By == history.ByFault || e.By == history.ByRun) {
				hurry = time.After(soon)
			}
		case ask := <-f.asks:
			f.drain(w)
			ask(w)
		case <-hurry:
			hurry = nil
			f.showIfWatched(w)
		case <-tick.C:
			f.showIfWatched(w)
		case <-f.stop:
			f.drain(w)
			f.show(w)
			return
		}
	}
}

// drain takes the events that are there already.
func (f *Feed) drain(w *check.Watch) {
	for range len(f.events) {
		e := <-f.events
		w.Observe(&e)
	}
}

func (f *Feed) show(w *check.Watch) {
	if f.paint != nil {
		f.paint(f.live(w))
	}
}

// showIfWatched saves the work where nobody looks.
func (f *Feed) showIfWatched(w *check.Watch) {
	if f.watched != nil && f.watched() {
		f.show(w)
	}
}

// live is what is known now.
func (f *Feed) live(w *check.Watch) *html.Live {
	now := f.now()
	l := &html.Live{Progress: w.SoFar(now), Spec: f.spec, Now: now, Unseen: f.unseen.Load(), Report: f.file}
	if said := f.said.Load(); said != nil {
		l.Said = *said
	}
	r := f.result
	r.TookMS = float64(now) / float64(time.Millisecond)
	r.Judgement = l.Progress.Judgement
	if l.Result = &r; f.over != nil {
		l.Result = f.over
	}
	return l
}

// ask has do called with the watch in the loop, unless ctx ends first or the
// loop has ended.
func (f *Feed) ask(ctx context.Context, do func(*check.Watch)) {
	answered := make(chan struct{})
	select {
	case f.asks <- func(w *check.Watch) { defer close(answered); do(w) }:
		<-answered
	case <-f.stopped:
	case <-ctx.Done():
	}
}

// draw brings the page up to date.
func (f *Feed) draw(ctx context.Context) { f.ask(ctx, f.show) }

// Result is what is known of the run so far, without a verdict. It is nil once
// the feed is closed.
func (f *Feed) Result(ctx context.Context) *reports.Result {
	var r *reports.Result
	f.ask(ctx, func(w *check.Watch) { r = f.live(w).Result })
	return r
}

// Begin follows a run and shows it on the page; where there is none, it is only
// followed.
func (s *Server) Begin(f *Feed) {
	if s != nil {
		f.paint, f.watched = s.paint, func() bool { return s.readers.Load() > 0 }
		s.feed.Store(f)
	}
	go f.follow()
}

// paint puts a state on the board.
func (s *Server) paint(l *html.Live) {
	parts, err := s.painter.Parts(l)
	if err != nil {
		parts = []html.Part{{Name: "state", HTML: "The page cannot be drawn."}}
	}
	for _, p := range parts {
		s.board.put(eventPart, p.Name, p.HTML)
	}
}

// Finish shows how a run came out. The report's text goes with it, because the
// server is gone before anybody can read it; file is where it lies. A ctx that
// is done makes no difference.
func (s *Server) Finish(ctx context.Context, f *Feed, r *reports.Result, file string) error {
	f.ask(context.WithoutCancel(ctx), func(*check.Watch) { f.over, f.file = r, file })
	f.Close()
	if s == nil {
		return nil
	}
	s.ended = append(s.ended, html.Ended{Scenario: r.Scenario.Name, Verdict: r.Verdict, Report: file})
	parts, err := s.painter.Ended(s.ended)
	if err != nil {
		return err
	}
	for _, p := range parts {
		s.board.put(eventPart, p.Name, p.HTML)
	}
	var b bytes.Buffer
	err = html.Write(&b, r)
	if err != nil {
		return err
	}
	text, err := json.Marshal(map[string]string{"run": r.Run, "html": b.String()})
	if err != nil {
		return fmt.Errorf("send report: %w", err)
	}
	s.board.put(eventReport, eventReport, string(text))
	return nil
}
