package resource

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

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// needsLimits is what the faults of this file need.
const needsLimits = "an environment that can change what nodes may use, and runs commands inside them"

func cpuThrottle() chaos.Kind {
	k := chaos.Kind{
		Name:    "cpu-throttle",
		About:   "Leaves a node only a share of one processor; the kernel stops it for the rest of each tenth of a second.",
		Needs:   needsLimits,
		Undone:  "The limit is set back; by the guard if the run died.",
		Touches: []string{chaos.TouchesCPU},
		Params:  []chaos.Param{{Name: "share", Measure: chaos.Percent, Default: "10%", About: "of one processor"}},
	}
	return limited(k, cgroup{
		set: func(ctx context.Context, l sut.Limiter, node string, p chaos.Params) error {
			return l.LimitCPU(ctx, node, k.Percent(p, "share")/100)
		},
		setBack: func(ctx context.Context, l sut.Limiter, node string, was sut.Limits) error {
			return l.LimitCPU(ctx, node, was.CPU)
		},
		flags: func(was sut.Limits) string {
			if was.CPU == 0 {
				return "--cpu-quota=-1"
			}
			return fmt.Sprintf("--cpu-period=100000 --cpu-quota=%d", int64(was.CPU*100_000))
		},
		// The second version of control groups says "quota period", the first
		// has a file each.
		read: `cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us`,
		hits: `cat /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/cpu/cpu.stat 2>/dev/null | sed -n 's/^nr_throttled //p'`,
		ours: 5,
		says: "throttled in %d periods",
	})
}

func memoryLimit() chaos.Kind {
	k := chaos.Kind{
		Name:    "memory-limit",
		About:   "Leaves a node less memory; if it uses more already, the kernel kills something there at once.",
		Needs:   needsLimits,
		Undone:  "The limit is set back; by the guard if the run died. What the kernel killed is not started again.",
		Touches: []string{chaos.TouchesMemory},
		Params:  []chaos.Param{{Name: "size", Measure: chaos.Size, About: "how much it may use", Limits: "6MiB or more"}},
	}
	return limited(k, cgroup{
		set: func(ctx context.Context, l sut.Limiter, node string, p chaos.Params) error {
			return l.LimitMemory(ctx, node, k.Size(p, "size"))
		},
		setBack: func(ctx context.Context, l sut.Limiter, node string, was sut.Limits) error {
			return l.LimitMemory(ctx, node, was.Memory)
		},
		flags: func(was sut.Limits) string { return fmt.Sprintf("--memory=%d --memory-swap=%[1]d", was.Memory) },
		read:  `cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes`,
		hits:  `{ sed -n 's/^max //p' /sys/fs/cgroup/memory.events || cat /sys/fs/cgroup/memory/memory.failcnt; } 2>/dev/null`,
		says:  "ran into it %d times",
	})
}

// A cgroup is a limit of a control group. Others that the node has are left as
// they are, because another fault may have set them meanwhile.
type cgroup struct {
	set     func(ctx context.Context, l sut.Limiter, node string, p chaos.Params) error
	setBack func(ctx context.Context, l sut.Limiter, node string, was sut.Limits) error
	flags   func(was sut.Limits) string // that set it back by hand
	read    string                      // prints it, as the kernel has it

	hits string // prints how often the node ran into it
	ours int64  // how often one look of ours does, at most
	says string // that, with the number
}

// hit reads how often a node ran into its limit; 0 if the kernel does not say.
func (c cgroup) hit(ctx context.Context, exec sut.Executor, node string) int64 {
	out, err := exec.NodeExec(ctx, node, nil, "sh", "-c", c.hits)
	n, parseErr := strconv.ParseInt(strings.TrimSpace(out), 10, 64)
	if err != nil || parseErr != nil {
		return 0
	}
	return n
}

// limited makes the catalogue entry of a limit.
func limited(k chaos.Kind, c cgroup) chaos.Kind {
	k.Inside = true
	k.Check = func(p chaos.Params) error {
		if len(p.Target.Nodes) == 0 {
			return fmt.Errorf("%s acts on nodes, and %q has none: write for example app[1]", k.Name, p.Target.Ref)
		}
		return nil
	}
	k.New = func(env sut.Environment, targets *chaos.Targets, p chaos.Params) (chaos.Fault, error) {
		limiter, canLimit := env.(sut.Limiter)
		exec, canLook := env.(sut.Executor)
		if !canLimit || !canLook {
			return nil, fmt.Errorf("limits of nodes: %w", sut.ErrUnsupported)
		}
		return &limit{kind: k, cgroup: c, env: env, limiter: limiter, exec: exec, targets: targets, params: p}, nil
	}
	k.Heal = func(ctx context.Context, env sut.Environment, u chaos.Undo) error {
		var before map[string]before
		if err := json.Unmarshal(u.Data, &before); err != nil {
			return fmt.Errorf("read undo data: %w", err)
		}
		return c.heal(ctx, env, before)
	}
	k.Gone = func(ctx context.Context, env sut.Environment, u chaos.Undo) error {
		exec, ok := env.(sut.Executor)
		if !ok {
			return fmt.Errorf("limits of nodes: %w", sut.ErrUnsupported)
		}
		in := limitInjection{limit: limit{cgroup: c, env: env, exec: exec}}
		if err := json.Unmarshal(u.Data, &in.before); err != nil {
			return fmt.Errorf("read undo data: %w", err)
		}
		in.nodes = there(env, in.before)
		in.looks = make([]int64, len(in.nodes))
		_, err := in.Recovered(ctx)
		return err
	}
	return k
}

// before is what a node had.
type before struct {
	Limits sut.Limits `json:"limits"`
	Kernel string     `json:"kernel"` // the same, as the kernel says it
}

// A limit is the fault of nodes that may use less.
type limit struct {
	kind    chaos.Kind
	cgroup  cgroup
	env     sut.Environment
	limiter sut.Limiter
	exec    sut.Executor
	targets *chaos.Targets
	params  chaos.Params
	nodes   []string          // as resolved by Prepare
	before  map[string]before // by node
}

// String implements [chaos.Fault].
func (f *limit) String() string { return f.kind.Name + " " + f.params.Target.Ref }

// Prepare implements [chaos.Fault].
func (f *limit) Prepare(ctx context.Context) (chaos.Undo, error) {
	var err error
	if f.nodes, err = f.targets.Names(ctx, f.params.Target); err != nil {
		return chaos.Undo{}, err
	}
	f.before = map[string]before{}
	undo := chaos.Undo{Kind: f.kind.Name, Target: chaos.JoinTargets(f.nodes)}
	for _, node := range f.nodes {
		var b before
		if b.Limits, err = f.limiter.Limits(ctx, node); err != nil {
			return chaos.Undo{}, fmt.Errorf("read the limits of %s: %w", node, err)
		}
		if b.Kernel, err = f.cgroup.kernel(ctx, f.exec, node); err != nil {
			return chaos.Undo{}, err
		}
		f.before[node] = b
		undo.Manual = append(undo.Manual, fmt.Sprintf("docker update %s CONTAINER_OF_%s", f.cgroup.flags(b.Limits), node))
	}
	if undo.Data, err = json.Marshal(f.before); err != nil {
		return chaos.Undo{}, fmt.Errorf("write undo data: %w", err)
	}
	return undo, nil
}

// kernel reads a limit inside the node.
func (c cgroup) kernel(ctx context.Context, exec sut.Executor, node string) (string, error) {
	out, err := exec.NodeExec(ctx, node, nil, "sh", "-c", c.read)
	if err != nil {
		return "", fmt.Errorf("read the control group of %s: %w", node, err)
	}
	return strings.Join(strings.Fields(out), " "), nil
}

// Inject implements [chaos.Fault].
func (f *limit) Inject(ctx context.Context) (chaos.Injection, error) {
	in := &limitInjection{limit: *f, hits: make([]int64, len(f.nodes)), looks: make([]int64, len(f.nodes))}
	for i, node := range f.nodes {
		in.hits[i] = f.cgroup.hit(ctx, f.exec, node)
	}
	in.called = time.Now()
	err := chaos.Each(f.nodes, func(node string) error {
		return f.cgroup.set(ctx, f.limiter, node, f.params)
	})
	if err != nil {
		return nil, err
	}
	return in, nil
}

// restore gives nodes back what they had, those that are there.
func (c cgroup) restore(ctx context.Context, env sut.Environment, before map[string]before) error {
	limiter, ok := env.(sut.Limiter)
	if !ok {
		return fmt.Errorf("limits of nodes: %w", sut.ErrUnsupported)
	}
	var errs []error
	for node, b := range before {
		if _, ok := env.Topology().Node(node); ok {
			errs = append(errs, c.setBack(ctx, limiter, node, b.Limits))
		}
	}
	return errors.Join(errs...)
}

// heal is restore after somebody else's death: see [giveBack].
func (c cgroup) heal(ctx context.Context, env sut.Environment, before map[string]before) error {
	limiter, canLimit := env.(sut.Limiter)
	exec, canLook := env.(sut.Executor)
	if !canLimit || !canLook {
		return fmt.Errorf("limits of nodes: %w", sut.ErrUnsupported)
	}
	return chaos.Each(slices.Collect(maps.Keys(before)), func(node string) error {
		if _, ok := env.Topology().Node(node); !ok {
			return nil // gone, and its limit with it
		}
		b := before[node]
		return giveBack(ctx, env, node,
			func(ctx context.Context) error { return c.setBack(ctx, limiter, node, b.Limits) },
			func(ctx context.Context) (bool, error) {
				is, err := c.kernel(ctx, exec, node)
				return is == b.Kernel, err
			})
	})
}

// A limitInjection is a limit in effect.
type limitInjection struct {
	limit

	called time.Time // the last inject or recover call
	hits   []int64   // by node, before
	looks  []int64   // of ours since, by node
}

// Settle implements [chaos.Injection]. A limit that nothing ran into but what
// looks at it has no effect: it is idle.
func (i *limitInjection) Settle(ctx context.Context) (chaos.Evidence, error) {
	seen, err := i.observe(ctx, func(was, is string) bool { return was != is })
	if err != nil {
		return seen, err
	}
	seen.Idle = true
	for n, node := range i.nodes {
		if chaos.IsDown(ctx, i.env, node) {
			seen.Idle = false
			continue
		}
		since := i.cgroup.hit(ctx, i.exec, node) - i.hits[n]
		i.looks[n]++
		if since > i.cgroup.ours*i.looks[n] || since < 0 { // the kernel ended it, and it was started again
			seen.Idle = false
		}
		seen.Saw += fmt.Sprintf("; %s "+i.cgroup.says, node, max(0, since))
	}
	return seen, nil
}

// Recover implements [chaos.Injection].
func (i *limitInjection) Recover(ctx context.Context) error {
	i.called = time.Now()
	return i.cgroup.restore(ctx, i.env, i.before)
}

// Recovered implements [chaos.Injection].
func (i *limitInjection) Recovered(ctx context.Context) (chaos.Evidence, error) {
	return i.observe(ctx, func(was, is string) bool { return was == is })
}

// observe reads the control groups of all nodes until they are as wanted. One
// that is down, because the kernel killed it, has the limit for its next start.
func (i *limitInjection) observe(ctx context.Context, want func(was, is string) bool) (chaos.Evidence, error) {
	said := make([]string, len(i.nodes))
	err := chaos.Watch(ctx, func(ctx context.Context) error {
		return chaos.Each(chaos.Indices(said), func(n int) error {
			node := i.nodes[n]
			if chaos.IsDown(ctx, i.env, node) {
				said[n] = node + " is down"
				return nil
			}
			i.looks[n]++
			is, err := i.cgroup.kernel(ctx, i.exec, node)
			if err != nil {
				return err
			}
			if !want(i.before[node].Kernel, is) {
				return fmt.Errorf("the control group of %s has the limit %s", node, is)
			}
			said[n] = node + ": limit " + is
			return nil
		})
	})
	if err != nil {
		return chaos.Evidence{}, err
	}
	return chaos.Evidence{By: "control groups of the kernel", Saw: strings.Join(said, "; "), Took: time.Since(i.called)}, nil
}
