package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/remote"
	"github.com/proofload/proofload/sut/stack"
)

// injectionsRoot is where the directories of single faults are made.
var injectionsRoot = filepath.Join(".proofload", "injections") //nolint:gochecknoglobals // a constant that the language has no form for

// The bounds on the steps of a single fault's life.
const (
	injectSettle  = 15 * time.Second
	injectRecover = 30 * time.Second
	injectWhole   = 90 * time.Second
)

func (a *app) injectCommand() *cobra.Command {
	var (
		flags stackFlags
		last  time.Duration
		allow string
	)
	cmd := &cobra.Command{
		Use:   "inject KIND TARGET [PARAMETER=VALUE]...",
		Short: "Break one thing for a while, with no load and no verdict",
		Long: `Injects one fault into a stack that is up, or the system of a target file, sees it
in effect, looks at it again and again while it lasts, undoes it and sees it gone.
Ctrl-C undoes it at once. If this process is killed, its guard undoes it.

proofload faults lists the kinds, and what they need to be told.

Exit codes: 0 it was in effect for all of its time and is gone, 2 usage or refused,
nothing touched, 3 the stack is not up, 4 it was not seen in effect, ended early, or
waited for a moment that never came, 5 stopped by a kill switch or the loss of its
guard, and undone, 6 it may still be in effect, or was not seen to be gone, 130
interrupted and undone.`,
		Example: `  proofload inject pause app[1] --for 20s
  proofload inject stall link:replication --for 1m
  proofload inject latency link:app->store delay=200ms --target ./store.yaml`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			flags.target = namedTarget(flags.target, "")
			i, err := a.newInjection(args[0], args[1], args[2:], flags, last)
			if err == nil {
				err = i.license(allow)
			}
			if err != nil {
				return exit(reports.ExitUsage, err)
			}
			return i.carryOut(cmd.Context())
		},
	}
	flags.register(cmd)
	cmd.Flags().Lookup("target").Usage = "which stack, or a target file"
	cmd.Flags().StringVar(&allow, "allow", "", allowFlag)
	cmd.Flags().DurationVar(&last, "for", time.Minute, "how long the fault lasts, up to "+chaos.MaxTTL.String())
	return cmd
}

// errAlarm is the cause with which something beside the fault ends it.
var errAlarm = errors.New("stopped, and undone")

// An injection is one execution of the inject command.
type injection struct {
	app    *app
	kind   chaos.Kind
	params chaos.Params

	catalog chaos.Catalog
	config  stack.Config
	remote  *remote.Target // nil unless the target is a file
	target  string
	found   string // by what it is found again, see [reports.Manifest]
	shape   sut.Topology
	dir     reports.Directory
	id      string
	held    *holding
	unlock  func() error // the directory is ours until the process ends

	allowed license
}

// newInjection resolves what the command line says. It touches nothing.
func (a *app) newInjection(name, ref string, values []string, flags stackFlags, last time.Duration) (*injection, error) {
	c := catalog()
	if _, ok := c[name]; !ok {
		hint := scenarios.DidYouMean(name, c.Names())
		return nil, fmt.Errorf("no fault %q: %s; proofload faults lists them", name, hint)
	}
	i := &injection{app: a, target: flags.target, found: flags.target}
	err := i.describe(flags)
	if err != nil {
		return nil, err
	}
	i.catalog = a.faults(i.remote)
	kind := i.catalog[name]
	i.kind = kind
	i.params = chaos.Params{For: last, Values: map[string]string{}}
	if i.params.Target, err = i.shape.Select(ref); err != nil {
		return nil, meantComponent(ref, i.shape, err)
	}
	for _, v := range values {
		key, value, ok := strings.Cut(v, "=")
		if !ok {
			return nil, fmt.Errorf("parameter %q: write NAME=VALUE; proofload faults %s lists them", v, name)
		}
		if i.params.Values[key] != "" {
			return nil, fmt.Errorf("parameter %s is given twice", key)
		}
		i.params.Values[key] = value
	}
	if last <= 0 {
		return nil, fmt.Errorf("--for %s: want more than nothing", last)
	}
	if err := kind.CheckAll(i.params); err != nil {
		return nil, err
	}
	if i.remote != nil {
		if err := i.remote.Permits(name, i.params.Target); err != nil {
			return nil, err
		}
	}
	if err := abilitiesOf(flags.target, i.remote).fault(name, i.params); err != nil {
		return nil, fmt.Errorf("%s cannot have %s: %w", flags.target, name, err)
	}
	return i, nil
}

// meantComponent adds to the error about a component that there is not which one
// was probably meant.
func meantComponent(ref string, shape sut.Topology, err error) error {
	var known []string
	for _, c := range components(shape) {
		name, _, _ := strings.Cut(c, "\t")
		known = append(known, name)
	}
	if near := scenarios.Closest(ref, known); near != "" {
		return fmt.Errorf("%w: did you mean %q?", err, near)
	}
	return err
}

// describe finds out what the target is, without touching it.
func (i *injection) describe(flags stackFlags) (err error) {
	if isFile(flags.target) && len(flags.options) == 0 {
		i.remote, err = i.app.readTarget(flags.target, nil)
		if errors.As(err, new(noTargetError)) {
			return fmt.Errorf("--target: %w; %s", err, meantTarget(flags.target, ""))
		}
		if err != nil {
			return err
		}
		i.shape = i.remote.Topology()
		i.found, err = realPath(flags.target)
		return err
	}
	if flags.target != simTarget {
		if i.config, err = flags.config(nil); err != nil {
			return err
		}
		i.found = i.config.Name
	}
	i.shape, err = describeTarget(flags.target, i.config.Options)
	return err
}

// license reads what may be broken, and refuses what may not.
func (i *injection) license(file string) (err error) {
	if i.allowed, err = i.app.readLicense(file, i.shape); err != nil {
		return err
	}
	if closed := inWindow(i.remote, i.params.For); closed != nil {
		return closed
	}
	return i.allowed.policy.Allows(i.kind.Name, i.params)
}

// carryOut finds the target and injects the fault.
func (i *injection) carryOut(ctx context.Context) (err error) {
	if err = i.app.healLeftovers(ctx); err != nil {
		return exit(reports.ExitFaultsLeft, err)
	}
	env, done, err := i.attach(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	journal, err := chaos.OpenJournal(i.dir.File(reports.FileJournal))
	if err != nil {
		return exit(reports.ExitEnvironment, err)
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	journal.Observe(i.app.audited(i.id, i.target))
	if err = i.allowed.clear(ctx, env); err != nil {
		return exit(reports.ExitStopped, err)
	}
	policy, err := policyOf(i.remote)
	if err != nil {
		return exit(reports.ExitUsage, err)
	}
	journal.Require(policy.Permit(i.shape))
	alarms := i.allowed.bind(ctx, journal, i.shape)
	if i.held != nil {
		lease, startErr := startGuard(ctx, i.dir, i.held)
		if startErr != nil {
			return exit(reports.ExitEnvironment, startErr)
		}
		defer func() { err = errors.Join(err, lease.Close()) }()
		journal.Require(func([]chaos.Entry, chaos.Undo) error { return lease.Err() })
		alarms = append(alarms, lease.Watch)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, alarm := range alarms {
		go func() {
			if err := alarm(ctx); err != nil {
				cancel(fmt.Errorf("%w: %w", errAlarm, err))
			}
		}()
	}
	return i.live(ctx, env, journal)
}

// attach makes the directory of the injection, and finds a target that is clean
// and that nobody else breaks.
func (i *injection) attach(ctx context.Context) (env sut.Environment, done func() error, err error) {
	var tail [2]byte
	rand.Read(tail[:]) // never fails
	now := time.Now()
	i.id = now.UTC().Format("20060102-150405") + "-" + hex.EncodeToString(tail[:])
	if i.target == simTarget {
		sys, simErr := bringUpSim(ctx, nil)
		if simErr != nil {
			return nil, nil, exit(reports.ExitEnvironment, simErr)
		}
		done = func() error { return errors.Join(sys.release(ctx, false), i.letGo()) }
		return sys.env, done, i.note(now)
	}
	if i.remote == nil {
		if _, err = stack.Engine(ctx); err != nil {
			return nil, nil, exit(reports.ExitEnvironment, err)
		}
	}
	if i.held, err = i.app.holdTarget(ctx, holdID(i.target, i.found)); err != nil {
		return nil, nil, exit(reports.ExitUsage, err)
	}
	if err = i.app.sweep(ctx, i.held); err != nil {
		return nil, nil, exit(reports.ExitFaultsLeft, errors.Join(err, i.held.release()))
	}
	env, detach, err := i.join(ctx)
	if err != nil {
		return nil, nil, exit(reports.ExitEnvironment, errors.Join(err, i.held.release()))
	}
	done = func() error { return errors.Join(detach(), i.held.release(), i.letGo()) }
	if _, err = marked(ctx, env); err != nil {
		return nil, nil, exit(reports.ExitFaultsLeft, errors.Join(err, done()))
	}
	if err = errors.Join(i.note(now), i.held.own(i.id, i.dir)); err != nil {
		return nil, nil, exit(reports.ExitEnvironment, errors.Join(err, done()))
	}
	return env, done, nil
}

// join finds the system that is up, which is left as it is found.
func (i *injection) join(ctx context.Context) (env sut.Environment, detach func() error, err error) {
	if i.remote != nil {
		return i.remote.Attach(), func() error { return nil }, nil
	}
	i.config.AsIs = true
	st, err := stack.Attach(ctx, i.config)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: proofload up starts it", err)
	}
	return st, st.Detach, nil
}

// letGo gives the directory back.
func (i *injection) letGo() error {
	if i.unlock == nil {
		return nil
	}
	return i.unlock()
}

// note makes the directory, from which another process can mend once this one is
// no more.
func (i *injection) note(now time.Time) (err error) {
	if i.dir, err = reports.CreateDirectory(injectionsRoot, i.id); err != nil {
		return err
	}
	if i.unlock, err = reports.Lock(i.dir.File(reports.FileLock)); err != nil {
		return err
	}
	return i.dir.WriteManifest(&reports.Manifest{
		Schema: reports.SchemaManifest, Run: i.id, Target: i.target, Options: i.config.Options, Stack: i.found,
		Began: now, Version: version(),
	})
}

// live takes the fault through its life.
func (i *injection) live(ctx context.Context, env sut.Environment, journal *chaos.Journal) error {
	c := i.catalog
	fault, err := c.New(i.kind.Name, env, chaos.NewTargets(env), i.params)
	if err != nil {
		return exit(reports.ExitUsage, err)
	}
	i.say("inject %s on %s for %s", fault, i.target, i.params.For)
	active, err := chaos.Arm(ctx, journal, c, env, fault, nil)
	switch {
	case errors.Is(err, chaos.ErrLeft):
		return exit(reports.ExitFaultsLeft, fmt.Errorf("%w%s", err, byHand(i.dir)))
	case err != nil && ctx.Err() != nil:
		return exit(reports.ExitInterrupted, err)
	case errors.Is(err, chaos.ErrEngaged):
		return exit(reports.ExitStopped, err)
	case errors.As(err, new(*chaos.MissedError)):
		return exit(reports.ExitInconclusive, err)
	case err != nil:
		return exit(reports.ExitUsage, err)
	}
	flaw := i.observe(ctx, active)
	if err := i.recover(ctx, active); err != nil {
		return err
	}
	switch {
	case errors.Is(context.Cause(ctx), errAlarm):
		return exit(reports.ExitStopped, context.Cause(ctx))
	case ctx.Err() != nil:
		return exit(reports.ExitInterrupted, nil)
	case flaw != nil:
		return exit(reports.ExitInconclusive, flaw)
	}
	return nil
}

// observe sees the fault in effect until its time is over, or says why not.
func (i *injection) observe(ctx context.Context, active *chaos.Active) error {
	lasting, cancel := context.WithTimeout(ctx, i.params.For)
	defer cancel()
	settling, end := context.WithTimeout(lasting, injectSettle)
	seen, err := active.Settle(settling)
	end()
	if err != nil {
		if lasting.Err() == nil {
			i.say("not seen in effect: %v", err)
		}
		return fmt.Errorf("settle %s: %w", i.kind.Name, err)
	}
	i.say("in effect after %s on %s: %s: %s", seen.Took.Round(time.Millisecond), active.Undo.Target, seen.By, seen.Saw)
	if early := active.Hold(lasting); early != nil {
		return early
	}
	_, err = active.Last(ctx)
	return err
}

// recover undoes the fault and sees it gone, also when ctx is done.
func (i *injection) recover(ctx context.Context, active *chaos.Active) error {
	if err := chaos.Insist(ctx, injectRecover, active.Recover); err != nil {
		return exit(reports.ExitFaultsLeft, fmt.Errorf("recover %s: %w%s", i.kind.Name, err, byHand(i.dir)))
	}
	watching, cancel := context.WithTimeout(context.WithoutCancel(ctx), injectWhole)
	defer cancel()
	seen, err := active.Recovered(watching)
	if err != nil {
		return exit(reports.ExitFaultsLeft, fmt.Errorf("undone, but %s is not seen to be whole: %w%s", active.Undo.Target, err, byHand(i.dir)))
	}
	i.say("gone after %s: %s: %s", seen.Took.Round(time.Millisecond), seen.By, seen.Saw)
	return nil
}

func (i *injection) say(format string, args ...any) {
	fmt.Fprintf(i.app.stdout, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
