package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/reports/live"
	"github.com/proofload/proofload/reports/text"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/scenarios/run"
)

// logsTimeout bounds the collection of logs, which goes on after Ctrl-C.
const logsTimeout = 30 * time.Second

// A session is one execution of a plan by the run command.
type session struct {
	app      *app
	plan     *planned
	flags    runFlags
	dir      reports.Directory
	manifest *reports.Manifest
	recorder *history.Recorder
	unlock   func() error // the run's directory is ours until the process ends
	progress *live.State  // nil unless it is shown right now
	page     *shown       // nil unless it is open
	ending   run.Ending   // once it was carried out

	system atomic.Pointer[system] // what it runs against, once that is up
	held   *holding               // the right to break the target; nil where that dies with this process
}

// newSession makes the run directory and starts the run's clock.
func (a *app) newSession(p *planned, flags runFlags) (*session, error) {
	var tail [2]byte
	rand.Read(tail[:]) // never fails
	now := time.Now()
	id := now.UTC().Format("20060102-150405") + "-" + hex.EncodeToString(tail[:])
	dir, err := reports.CreateDirectory(runsRoot, id)
	if err != nil {
		return nil, err
	}
	s := &session{app: a, plan: p, flags: flags, dir: dir, manifest: newManifest(id, now, p.Plan)}
	switch s.manifest.Stack = id; {
	case p.target != nil:
		s.manifest.Stack = p.targetFile
	case flags.stack == "warm":
		s.manifest.Stack = strings.TrimPrefix(p.Target, stackPrefix)
	}
	if s.unlock, err = reports.Lock(dir.File(reports.FileLock)); err != nil {
		return nil, err
	}
	err = errors.Join(
		dir.Write(reports.FileScenario, p.Scenario.Source),
		run.RenderFile(dir, reports.FilePlan, func(w io.Writer) error { return p.Render(a.secrets.guard(w), 100) }),
		dir.WriteManifest(s.manifest),
		s.keepBaseline(),
	)
	if p.workload != nil {
		err = errors.Join(err, dir.Write(reports.FileWorkload, p.workload.Source))
	}
	if err != nil {
		return nil, err
	}
	if s.recorder, err = history.Create(dir.File(history.FileName)); err != nil {
		return nil, err
	}
	if a.secrets.any() {
		s.recorder.Hide(a.secrets.hide)
	}
	return s, nil
}

// carryOut brings the target up, runs the plan against it, takes it down and
// judges what was recorded.
func (s *session) carryOut(ctx context.Context) (*reports.Result, error) {
	sys, end := s.execute(ctx)
	s.collectLogs(ctx, sys)
	keep := s.flags.keep == "always" || s.flags.keep == "failed" && (end.Unfinished() || s.looksBad())
	end.NotDown = sys.release(ctx, keep)
	if where := sys.kept(keep); where != "" {
		s.say("the stack is kept, " + where + "; its containers are called proofload-" + s.manifest.Stack + "-NODE, and proofload down --all removes them")
	}
	if err := s.recorder.Close(); err != nil {
		return nil, exit(reports.ExitEnvironment, fmt.Errorf("write history: %w", err))
	}
	result, err := run.Judge(s.dir, s.manifest)
	if err != nil {
		return nil, exit(reports.ExitEnvironment, err)
	}
	times := run.Times{Took: time.Since(s.manifest.Began)}
	if sys != nil {
		times.Ready, times.Images = sys.ready, sys.making
	}
	s.ending = end
	run.Conclude(result, end, times)
	result.Problem = s.app.secrets.hide(result.Problem)
	return result, nil
}

// execute runs the plan and returns the system it ran against, which may be
// half up, and how it ended.
func (s *session) execute(ctx context.Context) (*system, run.Ending) {
	show := s.startProgress(ctx)
	defer show()
	sys, err := s.bringUp(ctx)
	s.system.Store(sys)
	if err != nil {
		return sys, run.Ending{NotReady: err, Canceled: ctx.Err() != nil}
	}
	if s.plan.target != nil || s.flags.stack == "warm" && s.held != nil {
		if left, unclean := marked(ctx, sys.env); unclean != nil {
			return sys, run.Ending{NotReady: unclean, Left: left}
		}
	}
	s.manifest.Images = sys.images
	if err = s.dir.WriteManifest(s.manifest); err != nil {
		return sys, run.Ending{NotReady: err}
	}
	journal, err := chaos.OpenJournal(s.dir.File(reports.FileJournal))
	if err != nil {
		return sys, run.Ending{NotReady: err}
	}
	journal.Observe(s.app.audited(s.manifest.Run, s.plan.Target))
	defer func() {
		if closeErr := journal.Close(); closeErr != nil {
			s.say(closeErr.Error())
		}
	}()
	rig, err := sys.rig(s.recorder, s.plan.Seed)
	if err != nil {
		return sys, run.Ending{NotReady: err}
	}
	rig.Catalog, rig.Journal, rig.Ask = s.app.faults(s.plan.target), journal, s.ask
	rig.AllowHosts, rig.Secret = s.hosts(), s.app.secretsOf(s.plan.target)
	if s.flags.hasty {
		sys.gone = s.isGone
	}
	rig.Client = loadgen.Config{AllowHosts: s.hosts(), TLS: s.plan.Client.TLS, Timeouts: loadgen.Timeouts{Total: run.LongestRequest}}.Client()
	dismiss, err := s.guarded(ctx, rig)
	if err != nil {
		return sys, run.Ending{NotReady: err}
	}
	defer dismiss()
	if err = s.licensed(ctx, rig); err != nil {
		return sys, run.Ending{Stopped: err}
	}
	if s.plan.workload != nil {
		end, err := s.loadFrom(ctx, rig)
		if err != nil {
			return sys, run.Ending{NotReady: err}
		}
		defer end()
	}
	return sys, rig.Run(ctx, s.plan.Plan)
}

// hold takes the right to break the target, and mends what the last one to have
// it left. A target that lives in this process, or of which nothing can be
// broken, needs none of that.
func (s *session) hold(ctx context.Context) (err error) {
	id := holdID(s.plan.Target, s.manifest.Stack)
	if id == "" {
		return nil
	}
	if s.held, err = s.app.holdTarget(ctx, id); err != nil {
		return exit(reports.ExitUsage, err)
	}
	if err = s.app.sweep(ctx, s.held); err != nil {
		return exit(reports.ExitFaultsLeft, errors.Join(err, s.held.release()))
	}
	if err = s.held.own(s.manifest.Run, s.dir); err != nil {
		return exit(reports.ExitUsage, errors.Join(err, s.held.release()))
	}
	return nil
}

// letGo gives the target back. A cold stack is no more.
func (s *session) letGo() error {
	if s.flags.stack == "cold" && !isDeployed(s.plan.Target) {
		return s.held.forget()
	}
	return s.held.release()
}

// hosts are those beside this machine that the target's file lets load be sent to.
func (s *session) hosts() []string {
	if s.plan.target == nil {
		return nil
	}
	return s.plan.target.Hosts
}

// licensed holds the run to what the owner of the target allows.
func (s *session) licensed(ctx context.Context, rig *run.Rig) error {
	topology := rig.Env.Topology()
	allowed, err := s.app.readLicense(s.flags.plan.allow, topology)
	if err != nil {
		return err
	}
	if engaged := allowed.clear(ctx, rig.Env); engaged != nil {
		return engaged
	}
	policy, err := policyOf(s.plan.target)
	if err != nil {
		return err
	}
	rig.Journal.Require(policy.Permit(topology))
	rig.Alarms = append(rig.Alarms, allowed.bind(ctx, rig.Journal, topology)...)
	rig.Clear = func(ctx context.Context) error { return allowed.clear(ctx, rig.Env) }
	return nil
}

// guarded starts the guard of a run that breaks something, and returns what
// dismisses it.
func (s *session) guarded(ctx context.Context, rig *run.Rig) (dismiss func(), err error) {
	if s.held == nil || !slices.ContainsFunc(s.plan.Steps, func(p plan.Step) bool { return p.Fault || p.Verb == scenarios.VerbScale }) {
		return func() {}, nil
	}
	lease, err := startGuard(ctx, s.dir, s.held)
	if err != nil {
		return nil, err
	}
	rig.Journal.Require(func([]chaos.Entry, chaos.Undo) error { return lease.Err() })
	rig.Alarms = append(rig.Alarms, lease.Watch)
	return func() {
		if err := lease.Close(); err != nil {
			s.say(err.Error())
		}
	}, nil
}

// bringUp brings the plan's target up. A cold stack has a name of its own, so
// that runs beside each other, and what a killed one left, do not meet.
func (s *session) bringUp(ctx context.Context) (*system, error) {
	if s.plan.Target == simTarget {
		return bringUpSim(ctx, s.plan.Options)
	}
	client := loadgen.Config{AllowHosts: s.hosts(), TLS: s.plan.Client.TLS, Timeouts: s.plan.Client.Timeouts}.Client()
	switch {
	case s.plan.target != nil:
		return attachTarget(s.plan.target, client), nil
	case isAddress(s.plan.Target):
		return attachURL(s.plan.Target, client), nil
	}
	cfg := stackConfig(s.plan.Target, s.plan.Options, s.manifest.Run, s.say)
	cfg.ID = s.manifest.Stack
	return bringUpStack(ctx, cfg, s.flags.stack == "warm")
}

// looksBad judges what was recorded so far, to decide whether to keep a stack.
func (s *session) looksBad() bool {
	if err := s.recorder.Flush(); err != nil {
		return true
	}
	r, err := run.Judge(s.dir, s.manifest)
	return err != nil || r.Exit != reports.ExitPass
}

// isGone reports whether what was recorded so far says that the system, or one of
// its instances, did not come back: its background work is nothing to wait for.
func (s *session) isGone() bool {
	if s.recorder.Flush() != nil {
		return false
	}
	r, err := run.Judge(s.dir, s.manifest)
	return err == nil && slices.ContainsFunc(r.Checks, func(v check.Verdict) bool {
		return v.Outcome == check.Fail && (v.Check == "goodput-returns" || v.Check == "instances-recover")
	})
}

// say tells the user a line of progress.
func (s *session) say(line string) {
	s.page.say(line)
	switch {
	case s.flags.progress == progressQuiet:
	case s.progress != nil:
		s.progress.Say(s.recorder.Now(), line)
	case s.flags.progress == progressJSON: // before the first line of progress, or after the last
		s.app.line(map[string]any{"type": "change", "at_ms": s.recorder.Now().Milliseconds(), "text": line})
	default:
		fmt.Fprintf(s.app.stderr, "%8s  %s\n", s.recorder.Now().Round(time.Second), line)
	}
}

// startProgress shows the run while it goes on. The returned function ends
// that and returns when the last line is out.
func (s *session) startProgress(ctx context.Context) (stop func()) {
	if s.flags.progress == progressQuiet {
		return func() {}
	}
	var total time.Duration
	for _, p := range s.plan.Spec.Phases {
		total = max(total, p.Start+p.For)
	}
	state := live.NewState(live.Header{
		Scenario: s.plan.Scenario.Name, Run: s.manifest.Run, Target: s.plan.Target, Total: total, Spec: s.plan.Spec,
	})
	s.progress = state
	remove := s.recorder.Tap(state.Observe)
	// The progress outlives the cancelled run: mending is worth watching.
	showing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	hide := s.app.console.show(ctx, state, s.say, s.showLogs)
	var wg sync.WaitGroup
	wg.Go(func() {
		switch {
		case s.flags.progress == progressJSON:
			live.JSON(showing, s.app.stderr, state, s.recorder.Now)
		case s.app.redraws(s.flags.progress):
			live.Panel(showing, s.app.stderr, s.app.width, state, s.recorder.Now)
		default:
			live.Plain(showing, s.app.stderr, state, s.recorder.Now)
		}
	})
	return func() {
		hide()
		remove()
		cancel()
		wg.Wait()
		s.progress = nil
	}
}

// conclude writes the documents, prints the summary and returns the verdict as
// an exit code.
func (a *app) conclude(s *session, r *reports.Result) error {
	select {
	case <-a.hurry:
		if r.Problem != "" {
			fmt.Fprintln(a.stderr, "proofload: "+scenarios.Printable(r.Problem))
		}
		fmt.Fprintln(a.stderr, "proofload: report skipped; proofload check "+s.manifest.Run+" makes it")
		return exit(r.Exit, nil)
	default:
	}
	if err := run.Render(s.dir, r, a.attached(s.dir)); err != nil {
		return exit(max(r.Exit, reports.ExitFail), err)
	}
	return a.summarize(s.dir, r)
}

// summarize prints a result and returns its exit code.
func (a *app) summarize(dir reports.Directory, r *reports.Result) error {
	err := text.Write(a.stdout, r, text.Options{
		Color: a.colored(a.stdoutTTY), Width: a.width(), Report: dir.File(reports.FileHTML),
	})
	if err != nil {
		return err
	}
	if r.Exit == reports.ExitPass {
		return nil
	}
	return exit(r.Exit, nil)
}
