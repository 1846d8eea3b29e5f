package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut"
)

// scriptMargin is how much longer than its time what a script starts lives on,
// should nobody end it before.
const scriptMargin = 10 * time.Second

// A Script is a kind of fault that shell commands make inside a node. They run
// with these variables:
//
//	ID        a mark that no other fault has
//	TTL       after how many seconds a process that they leave is to end by itself
//	NODE_PID  the node's main process
//	SAVED     what Save printed
//	P_NAME    each parameter: ms of a duration, bytes of a size, else the number
//
// Look and Gone are the observations, and go another way than Inject and Undo:
// they exit with 0 once it is so, and print what they saw either way. Undo is
// idempotent, and undoes also what Inject did by half: first of all it ends every
// process of the fault, that of Inject too, which outlives who began it.
type Script struct {
	Kind

	Roles []sut.Role // of the nodes that it acts on; nil: any

	// Lasting says that what Inject changes is on a disk, so that it outlives the
	// processes of the node: one that is down is not mended by that.
	Lasting bool

	Save   string // optional
	Inject string
	Look   string
	Undo   string
	Gone   string
	By     string // what the observations are

	// Met, optional, exits with 0 once something other than Look has met the fault
	// since it was injected, and prints what. Without it, Look counts as traffic.
	Met string
}

// Fault makes the catalogue entry. It sets New, Check, Heal and Gone, and what the
// environment must offer.
func (s Script) Fault() Kind {
	if !strings.HasPrefix(s.Undo, ShellEnd) {
		s.Undo = ShellEnd + s.Undo
	}
	k := s.Kind
	k.Inside, k.Needs = true, "an environment that runs commands inside nodes"
	if s.Roles != nil {
		k.Needs += ", and a node of the role " + joinRoles(s.Roles)
	}
	k.Check = s.check
	k.New = func(env sut.Environment, targets *Targets, p Params) (Fault, error) {
		exec, ok := env.(sut.Executor)
		if !ok {
			return nil, fmt.Errorf("commands inside nodes: %w", sut.ErrUnsupported)
		}
		return &scripted{script: s, env: env, exec: exec, targets: targets, params: p}, nil
	}
	k.Heal = func(ctx context.Context, env sut.Environment, u Undo) error {
		var d scriptData
		if err := json.Unmarshal(u.Data, &d); err != nil {
			return fmt.Errorf("read undo data: %w", err)
		}
		return s.undo(ctx, env, d)
	}
	k.Gone = func(ctx context.Context, env sut.Environment, u Undo) error {
		exec, ok := env.(sut.Executor)
		if !ok {
			return fmt.Errorf("commands inside nodes: %w", sut.ErrUnsupported)
		}
		in := scriptInjection{scripted: scripted{script: s, env: env, exec: exec}}
		if err := json.Unmarshal(u.Data, &in.data); err != nil {
			return fmt.Errorf("read undo data: %w", err)
		}
		_, err := in.Recovered(ctx)
		return err
	}
	return k
}

func joinRoles(roles []sut.Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, " or ")
}

// check reports a target that the script cannot act on.
func (s Script) check(p Params) error {
	if len(p.Target.Nodes) == 0 {
		return fmt.Errorf("%s acts on nodes, and %q has none: write for example app[1]", s.Name, p.Target.Ref)
	}
	for _, n := range p.Target.Nodes {
		if s.Roles != nil && !slices.Contains(s.Roles, n.Role) {
			return fmt.Errorf("%s acts on %s, and %s is %s", s.Name, joinRoles(s.Roles), n.Name, n.Role)
		}
	}
	return nil
}

// A scriptData is what undoing needs.
type scriptData struct {
	ID        string            `json:"id"`
	Nodes     []string          `json:"nodes"`
	Variables []string          `json:"variables"`
	Saved     map[string]string `json:"saved,omitempty"` // by node
}

// variables are those of the commands on one node.
func (d scriptData) variables(node string) []string {
	return append(slices.Clone(d.Variables), "ID="+d.ID, "SAVED="+d.Saved[node])
}

// run runs one of the scripts on one node and returns what it printed, in one
// line.
func (d scriptData) run(ctx context.Context, exec sut.Executor, node, script string) (string, error) {
	out, err := exec.NodeExec(ctx, node, d.variables(node), "sh", "-c", script)
	return strings.Join(strings.Fields(out), " "), err
}

// scripted is a fault of a script.
type scripted struct {
	script  Script
	env     sut.Environment
	exec    sut.Executor
	targets *Targets
	params  Params
	data    scriptData // as resolved by Prepare
}

// String implements [Fault].
func (f *scripted) String() string { return f.script.Name + " " + f.params.Target.Ref }

// Prepare implements [Fault].
func (f *scripted) Prepare(ctx context.Context) (Undo, error) {
	nodes, err := f.targets.Names(ctx, f.params.Target)
	if err != nil {
		return Undo{}, err
	}
	ttl := f.params.TTL() + scriptMargin
	f.data = scriptData{
		ID: "proofload-" + uuid.NewString()[:8], Nodes: nodes, Saved: map[string]string{},
		Variables: append([]string{"TTL=" + strconv.Itoa(int(ttl.Seconds()))}, f.script.values(f.params)...),
	}
	for _, node := range nodes {
		if f.script.Save == "" {
			break
		}
		if f.data.Saved[node], err = f.data.run(ctx, f.exec, node, f.script.Save); err != nil {
			return Undo{}, fmt.Errorf("look at %s before: %w", node, err)
		}
	}
	data, err := json.Marshal(f.data)
	if err != nil {
		return Undo{}, fmt.Errorf("write undo data: %w", err)
	}
	undo := Undo{Kind: f.script.Name, Target: JoinTargets(nodes), Data: data}
	for _, node := range nodes {
		command := []string{"docker exec --user root --env NODE_PID=1"}
		for _, v := range f.data.variables(node) {
			command = append(command, "--env "+quote(v))
		}
		undo.Manual = append(undo.Manual, fmt.Sprintf("%s CONTAINER_OF_%s sh -c %s", strings.Join(command, " "), node, quote(f.script.Undo)))
	}
	return undo, nil
}

// quote makes one word of a text for a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// values are the parameters as variables.
func (s Script) values(p Params) []string {
	values := map[string]string{}
	for _, param := range s.Params {
		name := "P_" + strings.ToUpper(strings.ReplaceAll(param.Name, "-", "_"))
		switch param.Measure {
		case Duration:
			values[name] = strconv.FormatInt(s.Duration(p, param.Name).Milliseconds(), 10)
		case Percent:
			values[name] = strconv.FormatFloat(s.Percent(p, param.Name), 'f', -1, 64)
		case Size:
			values[name] = strconv.FormatInt(s.Size(p, param.Name), 10)
		case Count, Text, Component:
			values[name] = s.Value(p, param.Name)
		}
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, name+"="+values[name])
	}
	return list
}

// Inject implements [Fault].
func (f *scripted) Inject(ctx context.Context) (Injection, error) {
	in := &scriptInjection{scripted: *f, called: time.Now()}
	err := Each(f.data.Nodes, func(node string) error {
		_, err := f.exec.NodeExec(ctx, node, append(f.data.variables(node), "PROOFLOAD_MARK="+f.data.ID), "sh", "-c", f.script.Inject)
		return err
	})
	if err != nil {
		return nil, err
	}
	return in, nil
}

// undo runs the script's Undo on all nodes that it has not lost its effect on.
func (s Script) undo(ctx context.Context, env sut.Environment, d scriptData) error {
	exec, ok := env.(sut.Executor)
	if !ok {
		return fmt.Errorf("commands inside nodes: %w", sut.ErrUnsupported)
	}
	return Each(d.Nodes, func(node string) error {
		if s.isGone(ctx, env, node) {
			return nil
		}
		_, err := d.run(ctx, exec, node, s.Undo)
		if err != nil && s.isGone(ctx, env, node) {
			return nil
		}
		return err
	})
}

// isGone reports whether there is no such node any more, or it is down and what
// the script did has died with its processes.
func (s Script) isGone(ctx context.Context, env sut.Environment, node string) bool {
	if _, ok := env.Topology().Node(node); !ok {
		return true
	}
	return !s.Lasting && IsDown(ctx, env, node)
}

// A scriptInjection is a fault of a script in effect.
type scriptInjection struct {
	scripted

	called time.Time // the last inject or recover call
	met    bool      // by what its Met asks for, on some node
}

// Settle implements [Injection].
func (i *scriptInjection) Settle(ctx context.Context) (Evidence, error) {
	seen, err := i.observe(ctx, i.script.Look)
	if err != nil || i.script.Met == "" || i.met {
		return seen, err
	}
	seen.Saw += "; " + i.askMet(ctx)
	seen.Idle = !i.met
	return seen, nil
}

// askMet asks each node whether anything met the fault there, and returns what
// they say. One that cannot say has not been met.
func (i *scriptInjection) askMet(ctx context.Context) string {
	said := make([]string, len(i.data.Nodes))
	for n, node := range i.data.Nodes {
		saw, err := i.data.run(ctx, i.exec, node, i.script.Met)
		if err != nil && saw == "" {
			saw = "what met it is not known"
		}
		said[n] = node + ": " + saw
		i.met = i.met || err == nil
	}
	return strings.Join(said, "; ")
}

// Recover implements [Injection].
func (i *scriptInjection) Recover(ctx context.Context) error {
	i.called = time.Now()
	return i.script.undo(ctx, i.env, i.data)
}

// Recovered implements [Injection].
func (i *scriptInjection) Recovered(ctx context.Context) (Evidence, error) {
	return i.observe(ctx, i.script.Gone)
}

// observe runs a script on all nodes until it says yes.
func (i *scriptInjection) observe(ctx context.Context, script string) (Evidence, error) {
	said := make([]string, len(i.data.Nodes))
	err := Watch(ctx, func(ctx context.Context) error {
		var errs []error
		for n, node := range i.data.Nodes {
			if script == i.script.Gone && i.script.isGone(ctx, i.env, node) {
				said[n] = node + " is down"
				continue
			}
			saw, err := i.data.run(ctx, i.exec, node, script)
			said[n] = node + ": " + saw
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return Evidence{}, err
	}
	return Evidence{By: i.script.By, Saw: strings.Join(said, "; "), Took: time.Since(i.called)}, nil
}
