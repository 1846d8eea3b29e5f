package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/html"
	"github.com/proofload/proofload/reports/live/web"
	"github.com/proofload/proofload/reports/otlp"
)

// The views are what is open to others on this machine while runs go on. A nil
// one is closed.
type views struct {
	app     *app
	ui      *web.Server  // nil: not asked for
	metrics *web.Metrics // nil: not asked for
	otlp    string       // address of a collector; empty: there is none
}

// openViews opens what the flags ask for and says where it is. Stop is for those
// who look at the page.
func (a *app) openViews(ctx context.Context, flags runFlags, stop func()) (*views, error) {
	if flags.ui == "" && flags.metrics == "" && flags.otlp == "" {
		return nil, nil //nolint:nilnil // nothing is open
	}
	p := &views{app: a, otlp: flags.otlp}
	var err error
	if flags.ui != "" {
		if p.ui, err = web.Open(web.Config{Address: flags.ui, Stop: stop, Answer: a.desk.answer}); err != nil {
			return nil, exit(reports.ExitUsage, err)
		}
		a.tellURL(flags, "live page", p.ui.URL())
	}
	if flags.metrics != "" {
		if p.metrics, err = web.OpenMetrics(flags.metrics); err != nil {
			p.close(ctx)
			return nil, exit(reports.ExitUsage, err)
		}
		a.tellURL(flags, "metrics", p.metrics.URL())
	}
	return p, nil
}

// tellURL says where something is to be seen.
func (a *app) tellURL(flags runFlags, what, url string) {
	if flags.progress == progressJSON {
		a.line(map[string]any{"type": "url", "what": what, "url": url})
		return
	}
	fmt.Fprintf(a.stderr, "%s  %s\n", what, url)
}

// close ends what is open, and waits for nobody who looks.
func (p *views) close(ctx context.Context) {
	if p == nil {
		return
	}
	if p.ui != nil {
		p.ui.Close(ctx)
	}
	if p.metrics != nil {
		p.metrics.Close()
	}
}

const (
	otlpTimeout = 10 * time.Second // that a collector may cost a run that is over
	otlpEvery   = 10 * time.Second // between what it is sent before
)

// sendOTLP sends a result to a collector. That this fails changes no verdict.
func (a *app) sendOTLP(ctx context.Context, address string, r *reports.Result) {
	if address == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), otlpTimeout)
	defer cancel()
	if err := otlp.Send(ctx, address, r); err != nil {
		fmt.Fprintln(a.stderr, "otlp: "+err.Error())
	}
}

// A shown run is one that is shown to others. A nil one is to none.
type shown struct {
	views  *views
	feed   *web.Feed
	remove func() // of the tap
	let    func() // ends what is sent to a collector, and waits for it
}

// begin shows a run to others.
func (p *views) begin(ctx context.Context, s *session) *shown {
	if p == nil {
		return nil
	}
	m := s.manifest
	about := reports.Result{
		Schema: reports.SchemaResult, Run: m.Run, Scenario: m.Scenario, Target: m.Target, Options: m.Options,
		Drills: m.Spec.Drills, Seed: m.Seed, Client: m.Client, Began: m.Began, FaultsLeft: []string{},
	}
	feed := web.NewFeed(about, m.Spec, s.recorder.Now)
	p.ui.Begin(feed)
	if p.metrics != nil {
		p.metrics.Begin(feed)
	}
	return &shown{views: p, feed: feed, remove: s.recorder.Tap(feed.Observe), let: p.follow(ctx, feed)}
}

// follow sends what is known of a run to the collector, if there is one, until
// the function that it returns is called.
func (p *views) follow(ctx context.Context, feed *web.Feed) func() {
	if p.otlp == "" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // a run that was stopped is not over yet
	var sending sync.WaitGroup
	sending.Go(func() {
		otlp.Follow(ctx, p.otlp, time.Tick(otlpEvery), otlpEvery, feed.Result, func(err error) { fmt.Fprintln(p.app.stderr, "otlp: "+err.Error()) })
	})
	return func() {
		cancel()
		sending.Wait()
	}
}

func (s *shown) say(line string) {
	if s != nil {
		s.feed.Say(s.views.app.secrets.hide(line))
	}
}

// ask shows a question, or none.
func (s *shown) ask(questions ...html.Question) {
	if s == nil || s.views.ui == nil {
		return
	}
	if err := s.views.ui.Ask(questions); err != nil {
		fmt.Fprintln(s.views.app.stderr, "live page: "+err.Error())
	}
}

// finish shows how the run came out.
func (s *shown) finish(ctx context.Context, r *reports.Result, file string) {
	if s == nil {
		return
	}
	s.let()
	if s.views.metrics != nil {
		s.views.metrics.Finish(r)
	}
	if err := s.views.ui.Finish(ctx, s.feed, r, file); err != nil {
		fmt.Fprintln(s.views.app.stderr, "live page: "+err.Error())
	}
}

// close ends the following, of a run that did not come to a result as well.
func (s *shown) close() {
	if s != nil {
		s.let()
		s.remove()
		s.feed.Close()
	}
}
