package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// byCommand marks the undo data of faults that commands made.
const byCommand = "command"

// renewals is how often a lease is renewed before it is over.
const renewals = 3

// Undo data of a fault.
type undoData struct {
	By    string     `json:"by"`
	Parts []partData `json:"parts"`
}

// Undo data of one part of a fault.
type partData struct {
	Component string                `json:"component"`
	Heal      string                `json:"heal"`
	Look      string                `json:"look,omitempty"`
	Dir       string                `json:"dir"`
	Variables []string              `json:"variables"`
	Secrets   map[string]sut.Secret `json:"secrets,omitempty"`
}

// A fault that commands make.
type fault struct {
	owned

	params chaos.Params
	parts  []part
	data   undoData // as resolved by Prepare
}

// String implements [chaos.Fault].
func (f *fault) String() string { return f.Name + " " + f.params.Target.Ref }

// Prepare implements [chaos.Fault].
func (f *fault) Prepare(context.Context) (chaos.Undo, error) {
	f.data = undoData{By: byCommand}
	undo := chaos.Undo{Kind: f.Name}
	var names []string
	for _, p := range f.parts {
		lease := ""
		if p.Lease > 0 {
			lease = seconds(p.Lease)
		}
		d := partData{Component: p.Component, Heal: p.Heal, Look: p.Look, Dir: p.Dir, Secrets: p.Secrets, Variables: append([]string{
			"PROOFLOAD_FAULT=" + f.Name, "PROOFLOAD_ON=" + p.Component, "PROOFLOAD_ID=proofload-" + uuid.NewString()[:8],
			"PROOFLOAD_FOR=" + seconds(f.params.TTL()), "PROOFLOAD_LEASE=" + lease,
		}, f.with()...)}
		if _, err := d.environment(f.find); err != nil {
			return chaos.Undo{}, err
		}
		f.data.Parts = append(f.data.Parts, d)
		names = append(names, strings.TrimPrefix(p.Component, "link:"))
		undo.Manual = append(undo.Manual, d.byHand())
	}
	undo.Target = chaos.JoinTargets(names)
	data, err := json.Marshal(f.data)
	if err != nil {
		return chaos.Undo{}, fmt.Errorf("write undo data: %w", err)
	}
	undo.Data = data
	return undo, nil
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }

// with are the parameters of the fault as variables.
func (f *fault) with() []string {
	var list []string
	for _, p := range f.Params {
		list = append(list, "PROOFLOAD_WITH_"+strings.ToUpper(strings.ReplaceAll(p.Name, "-", "_"))+"="+f.Value(f.params, p.Name))
	}
	return list
}

// Inject implements [chaos.Fault].
func (f *fault) Inject(ctx context.Context) (chaos.Injection, error) {
	in := &injection{fault: *f, called: time.Now()}
	if err := in.inject(ctx); err != nil {
		return nil, err
	}
	in.took = time.Since(in.called)
	in.lease(context.WithoutCancel(ctx))
	return in, nil
}

// inject runs all commands that make the fault.
func (f *fault) inject(ctx context.Context) error {
	return chaos.Each(chaos.Indices(f.parts), func(i int) error {
		_, err := f.data.Parts[i].run(ctx, f.find, f.parts[i].Inject, true)
		return err
	})
}

// heal undoes a fault from its undo data.
func (o owned) heal(ctx context.Context, env sut.Environment, u chaos.Undo) error {
	if d, ok := readUndo(u); ok {
		return d.undo(ctx, o.find)
	}
	return o.Heal(ctx, env, u)
}

// gone sees a fault gone, from its undo data. One without a look is not observed.
func (o owned) gone(ctx context.Context, env sut.Environment, u chaos.Undo) error {
	if d, ok := readUndo(u); ok {
		return d.gone(ctx, o.find)
	}
	if o.Gone == nil {
		return nil
	}
	return o.Gone(ctx, env, u)
}

// readUndo reads the undo data of a fault that commands made, if it is that.
func readUndo(u chaos.Undo) (d undoData, ok bool) {
	err := json.Unmarshal(u.Data, &d)
	return d, err == nil && d.By == byCommand
}

// gone looks at each part until the fault is seen not to be in effect.
func (d undoData) gone(ctx context.Context, find Finder) error {
	return chaos.Each(d.Parts, func(p partData) error {
		if p.Look == "" {
			return nil
		}
		return chaos.Watch(ctx, func(ctx context.Context) error {
			_, err := p.look(ctx, find, false)
			return err
		})
	})
}

// undo runs all commands that undo the fault. First of all it ends what those that
// make it have running still: it would be made anew behind the undo's back.
func (d undoData) undo(ctx context.Context, find Finder) error {
	return chaos.Each(d.Parts, func(p partData) error {
		if _, err := p.run(ctx, find, chaos.ShellEnd, false); err != nil {
			return fmt.Errorf("end what makes the fault: %w", err)
		}
		_, err := p.run(ctx, find, p.Heal, false)
		return err
	})
}

// environment is what the commands of a part have in theirs, beside our own.
func (d partData) environment(find Finder) ([]string, error) {
	list := append(slices.Clone(d.Variables), "ID="+d.id())
	for _, name := range slices.Sorted(maps.Keys(d.Secrets)) {
		where := d.Secrets[name]
		value := ""
		if find != nil {
			value, _ = find(where) // one that is empty is none
		}
		if value == "" {
			return nil, fmt.Errorf("find the secret %s in %s: %w", name, where.Env+where.File, sut.ErrNoSecret)
		}
		list = append(list, name+"="+value)
	}
	return list, nil
}

// id is the mark of the fault.
func (d partData) id() string {
	for _, v := range d.Variables {
		if id, ok := strings.CutPrefix(v, "PROOFLOAD_ID="); ok {
			return id
		}
	}
	return ""
}

// run runs a command and returns the beginning of what it printed, in one line.
// What makes the fault has its mark.
func (d partData) run(ctx context.Context, find Finder, command string, marked bool) (string, error) {
	variables, err := d.environment(find)
	if err != nil {
		return "", err
	}
	if marked {
		variables = append(variables, "PROOFLOAD_MARK="+d.id())
	}
	said, err := shell(ctx, d.Dir, variables, command)
	if err != nil && said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	if err != nil {
		return said, fmt.Errorf("%s: %w", d.Component, err)
	}
	return said, nil
}

// byHand is the command that undoes a part of the fault, for people.
func (d partData) byHand() string {
	words := []string{"cd " + quote(d.Dir) + " &&"}
	for _, name := range slices.Sorted(maps.Keys(d.Secrets)) {
		value := `"$` + d.Secrets[name].Env + `"`
		if file := d.Secrets[name].File; file != "" {
			value = `"$(cat ` + quote(file) + `)"`
		}
		words = append(words, name+"="+value)
	}
	for _, v := range d.Variables {
		name, value, _ := strings.Cut(v, "=")
		words = append(words, name+"="+quote(value))
	}
	return strings.Join(append(words, "sh -c", quote(d.Heal)), " ")
}

// quote makes one word of a text for a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// An injection is a fault that commands made.
type injection struct {
	fault

	called time.Time // the last inject or recover call
	took   time.Duration

	stop    context.CancelFunc // ends the renewal of the lease
	renewal sync.WaitGroup
	mu      sync.Mutex
	told    time.Time // when the lease was last renewed
	failed  error     // of the last try to do so
}

// lease renews what the system would heal by itself, until it is stopped.
func (in *injection) lease(ctx context.Context) {
	ctx, in.stop = context.WithCancel(ctx)
	lease := in.shortest()
	if lease == 0 {
		return
	}
	in.told = in.called
	in.renewal.Go(func() {
		tick := time.NewTicker(lease / renewals)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			in.renew(ctx, lease/renewals)
		}
	})
}

// renew makes the fault once more.
func (in *injection) renew(ctx context.Context, within time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	began := time.Now()
	err := in.inject(ctx)
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.failed = err; err == nil {
		in.told = began
	}
}

// shortest is the shortest lease of all parts, or 0.
func (in *injection) shortest() time.Duration {
	var shortest time.Duration
	for _, p := range in.parts {
		if p.Lease > 0 && (shortest == 0 || p.Lease < shortest) {
			shortest = p.Lease
		}
	}
	return shortest
}

// expired reports that the lease is over because it could not be renewed.
func (in *injection) expired() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if lease := in.shortest(); in.failed != nil && time.Since(in.told) > lease {
		return fmt.Errorf("the lease of %s was not renewed: %w", lease, in.failed)
	}
	return nil
}

// Settle implements [chaos.Injection].
func (in *injection) Settle(ctx context.Context) (chaos.Evidence, error) {
	if err := in.expired(); err != nil {
		return chaos.Evidence{}, err
	}
	return in.observe(ctx, "inject", true)
}

// Recover implements [chaos.Injection].
func (in *injection) Recover(ctx context.Context) error {
	in.stop()
	in.renewal.Wait()
	in.called = time.Now()
	err := in.data.undo(ctx, in.find)
	in.took = time.Since(in.called)
	return err
}

// Recovered implements [chaos.Injection].
func (in *injection) Recovered(ctx context.Context) (chaos.Evidence, error) {
	return in.observe(ctx, "heal", false)
}

// observe looks at each part until it is as wanted. What cannot be looked at is
// taken for what the command that did it says.
func (in *injection) observe(ctx context.Context, did string, want bool) (chaos.Evidence, error) {
	seen := chaos.Evidence{By: "what the owner's own command exited with", Took: in.took}
	said := make([]string, len(in.parts))
	err := chaos.Each(chaos.Indices(in.parts), func(i int) error {
		if in.parts[i].Look == "" {
			said[i] = fmt.Sprintf("%s: %s exited with 0", in.parts[i].Component, did)
			return nil
		}
		return chaos.Watch(ctx, func(ctx context.Context) (err error) {
			said[i], err = in.data.Parts[i].look(ctx, in.find, want)
			return err
		})
	})
	if err != nil {
		return chaos.Evidence{}, err
	}
	if slices.ContainsFunc(in.parts, func(p part) bool { return p.Look != "" }) {
		seen.By, seen.Took = "the owner's own look at it", time.Since(in.called)
	}
	seen.Saw = strings.Join(said, "; ")
	return seen, nil
}

// look runs the command that looks at a part. It exits with 0 while the fault is in
// effect, with 1 while it is not, and with anything else if it cannot tell.
func (d partData) look(ctx context.Context, find Finder, want bool) (string, error) {
	said, err := d.run(ctx, find, d.Look, false)
	status, ended := errors.AsType[*exec.ExitError](err)
	gone := ended && status.ExitCode() == 1
	switch {
	case err != nil && !gone:
		return "", fmt.Errorf("look: %w", err)
	case want == gone:
		return "", fmt.Errorf("%s is seen to be %s: %s", d.Component, map[bool]string{true: "whole", false: "broken"}[gone], said)
	}
	return strings.TrimSpace(fmt.Sprintf("%s: look exited with %d %s", d.Component, map[bool]int{true: 1}[gone], said)), nil
}
