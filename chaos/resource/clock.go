package resource

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

const kindClockOffset = "clock-offset"

// The least offset that an answer shows which has whole seconds, and the most
// that is of use.
const (
	leastOffset = 5 * time.Second
	mostOffset  = 10 * 365 * 24 * time.Hour
)

// clockOffset is the catalogue entry of clocks that are wrong.
func clockOffset() chaos.Kind {
	k := chaos.Kind{
		Name: kindClockOffset,
		About: "Sets the time of day that the processes of a node are told off by so much, with no help of theirs: the function of the kernel " +
			"that tells them leads elsewhere in their memory. The processes that the node has then and those that they fork are told so; " +
			"a program that is started later, the kernel, and what measures how time passes are not.",
		Needs:   "an environment that runs commands inside nodes; Perl in the node, x86-64, and a kernel that lets it debug the node's processes",
		Undone:  "The function is put back in all processes; by the guard if the run died. A new process has its own.",
		Touches: []string{"clock"},
		Inside:  true,
		Params: []chaos.Param{{
			Name: "by", Measure: chaos.Text, Default: "90s",
			About: "how far it is ahead, for example 90s, or behind, for example -90s", Limits: leastOffset.String() + " or more, either way",
		}},
	}
	entry := k
	k.Check = func(p chaos.Params) error {
		_, err := parseOffset(entry.Value(p, "by"))
		return errors.Join(err, checkClocks(p.Target))
	}
	k.New = func(env sut.Environment, targets *chaos.Targets, p chaos.Params) (chaos.Fault, error) {
		exec, ok := env.(sut.Executor)
		if !ok {
			return nil, fmt.Errorf("commands inside nodes: %w", sut.ErrUnsupported)
		}
		by, err := parseOffset(entry.Value(p, "by"))
		if err != nil {
			return nil, err
		}
		return &wrongClock{env: env, exec: exec, targets: targets, target: p.Target, by: by}, nil
	}
	k.Heal, k.Gone = healClocks, goneClocks
	return k
}

// parseOffset reads the parameter by.
func parseOffset(text string) (time.Duration, error) {
	by, err := time.ParseDuration(text)
	if err != nil || by.Abs() < leastOffset || by.Abs() > mostOffset {
		return 0, fmt.Errorf("%s: the parameter by=%s: want %s or more, ahead or behind, for example 90s or -90s", kindClockOffset, text, leastOffset)
	}
	return by, nil
}

// checkClocks reports nodes whose time nobody can ask for.
func checkClocks(target sut.Selection) error {
	if len(target.Nodes) == 0 {
		return fmt.Errorf("%s acts on nodes, and %q has none: write for example app[1]", kindClockOffset, target.Ref)
	}
	for _, n := range target.Nodes {
		if !slices.Contains(tellers(), n.Role) {
			return fmt.Errorf("%s acts on nodes that say what time it is, and %s is %s: want one of %s", kindClockOffset, n.Name, n.Role, tellers())
		}
	}
	return nil
}

// A wrongClock is the fault of nodes whose time of day is wrong.
type wrongClock struct {
	env     sut.Environment
	exec    sut.Executor
	targets *chaos.Targets
	target  sut.Selection
	by      time.Duration
	nodes   []string // as resolved by Prepare
	before  map[string]clockBefore
}

// clockBefore is what is known of a node before.
type clockBefore struct {
	Patch string        `json:"patch"`
	Ahead time.Duration `json:"ahead_ns,omitempty"` // of the clock here
}

// String implements [chaos.Fault].
func (f *wrongClock) String() string { return kindClockOffset + " " + f.target.Ref }

// Prepare implements [chaos.Fault].
func (f *wrongClock) Prepare(ctx context.Context) (chaos.Undo, error) {
	var err error
	if f.nodes, err = f.targets.Names(ctx, f.target); err != nil {
		return chaos.Undo{}, err
	}
	f.before = map[string]clockBefore{}
	undo := chaos.Undo{Kind: kindClockOffset, Target: chaos.JoinTargets(f.nodes)}
	for _, node := range f.nodes {
		var b clockBefore
		if b.Ahead, err = ahead(ctx, f.env, node); err != nil {
			return chaos.Undo{}, fmt.Errorf("ask %s for the time: %w", node, err)
		}
		if b.Patch, err = f.patch(ctx, node); err != nil {
			return chaos.Undo{}, fmt.Errorf("the clock of %s cannot be changed: %w", node, err)
		}
		f.before[node] = b
		undo.Manual = append(undo.Manual, "docker restart CONTAINER_OF_"+node)
	}
	if undo.Data, err = json.Marshal(f.before); err != nil {
		return chaos.Undo{}, fmt.Errorf("write undo data: %w", err)
	}
	return undo, nil
}

// patch returns the patch for a node, having tried what it takes to make it.
func (f *wrongClock) patch(ctx context.Context, node string) (string, error) {
	printed, err := runClockScript(ctx, f.exec, node, "check", "")
	if err != nil {
		return "", fmt.Errorf("%w: %w", sut.ErrUnsupported, err)
	}
	image, err := hex.DecodeString(strings.TrimSpace(printed))
	if err != nil {
		return "", fmt.Errorf("read the vDSO: %w", err)
	}
	p, err := clockPatch(image, f.by)
	if err != nil {
		return "", err
	}
	return p.String(), nil
}

// runClockScript runs the script inside a node and returns what it printed.
func runClockScript(ctx context.Context, exec sut.Executor, node, mode, patch string) (string, error) {
	return exec.NodeExec(ctx, node, []string{"MODE=" + mode, "PATCH=" + patch}, "sh", "-c",
		`command -v perl >/dev/null || { echo "the node has no Perl"; exit 1; }; exec perl -e "$0"`, clockScript)
}

// Inject implements [chaos.Fault].
func (f *wrongClock) Inject(ctx context.Context) (chaos.Injection, error) {
	in := &clockInjection{wrongClock: *f, called: time.Now()}
	err := chaos.Each(f.nodes, func(node string) error {
		_, err := runClockScript(ctx, f.exec, node, "set", f.before[node].Patch)
		return err
	})
	if err != nil {
		return nil, err
	}
	return in, nil
}

// healClocks puts back what undo data names.
func healClocks(ctx context.Context, env sut.Environment, u chaos.Undo) error {
	var before map[string]clockBefore
	if err := json.Unmarshal(u.Data, &before); err != nil {
		return fmt.Errorf("read undo data: %w", err)
	}
	return restoreClocks(ctx, env, before)
}

// goneClocks is the observation of [chaos.Kind.Gone] that nodes say the right time.
func goneClocks(ctx context.Context, env sut.Environment, u chaos.Undo) error {
	in := clockInjection{wrongClock: wrongClock{env: env}}
	if err := json.Unmarshal(u.Data, &in.before); err != nil {
		return fmt.Errorf("read undo data: %w", err)
	}
	in.nodes = there(env, in.before)
	_, err := in.observe(ctx, 0, true)
	return err
}

// restoreClocks puts back the clocks of the nodes that are there and run: the
// processes of one that is down took theirs with them.
func restoreClocks(ctx context.Context, env sut.Environment, before map[string]clockBefore) error {
	exec, ok := env.(sut.Executor)
	if !ok {
		return fmt.Errorf("commands inside nodes: %w", sut.ErrUnsupported)
	}
	var errs []error
	for node, b := range before {
		if _, ok := env.Topology().Node(node); !ok || chaos.IsDown(ctx, env, node) {
			continue
		}
		if _, err := runClockScript(ctx, exec, node, "unset", b.Patch); err != nil && !chaos.IsDown(ctx, env, node) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// A clockInjection is a wrong clock.
type clockInjection struct {
	wrongClock

	called time.Time // the last inject or recover call
}

// Settle implements [chaos.Injection].
func (i *clockInjection) Settle(ctx context.Context) (chaos.Evidence, error) {
	return i.observe(ctx, i.by, false)
}

// Recover implements [chaos.Injection].
func (i *clockInjection) Recover(ctx context.Context) error {
	i.called = time.Now()
	return restoreClocks(ctx, i.env, i.before)
}

// Recovered implements [chaos.Injection]. A node that tells the right time need
// not be whole: what waited for a time of day may go on waiting for it.
func (i *clockInjection) Recovered(ctx context.Context) (chaos.Evidence, error) {
	e, err := i.observe(ctx, 0, true)
	if err != nil {
		return chaos.Evidence{}, err
	}
	var up []string
	for _, node := range i.nodes {
		if !chaos.IsDown(ctx, i.env, node) { // by another fault
			up = append(up, node)
		}
	}
	by, err := chaos.AwaitWhole(ctx, i.env, up)
	if err != nil {
		return chaos.Evidence{}, err
	}
	e.By, e.Took = e.By+", "+by, time.Since(i.called)
	return e, nil
}

// observe asks all nodes for the time until each says what is wanted. One that
// is down may be left out.
func (i *clockInjection) observe(ctx context.Context, want time.Duration, orDown bool) (chaos.Evidence, error) {
	said := make([]string, len(i.nodes))
	err := chaos.Watch(ctx, func(ctx context.Context) error {
		return chaos.Each(chaos.Indices(said), func(n int) error {
			node := i.nodes[n]
			if orDown && chaos.IsDown(ctx, i.env, node) {
				said[n] = node + " is down"
				return nil
			}
			is, err := ahead(ctx, i.env, node)
			if err != nil {
				return fmt.Errorf("ask %s for the time: %w", node, err)
			}
			is -= i.before[node].Ahead
			if (is - want).Abs() >= leastOffset/2 {
				return fmt.Errorf("the clock of %s is off by %s, not %s", node, is.Round(time.Second), want)
			}
			said[n] = fmt.Sprintf("%s says a time that is off by %s", node, is.Round(time.Second))
			return nil
		})
	})
	if err != nil {
		return chaos.Evidence{}, err
	}
	return chaos.Evidence{By: "the time that the node answers with", Saw: strings.Join(said, "; "), Took: time.Since(i.called)}, nil
}
