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

	"github.com/google/uuid"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

const kindDiskSlow = "disk-slow"

// What the observation writes, each time in place and waiting for the disk, and
// how long it waits at most: a disk that has not taken it by then is slow.
const (
	probeWrites   = 8
	probeSize     = 64 << 10 // bytes of each
	probePatience = 3 * time.Second
)

// The least that can be left of a disk, so that the observation ends.
const (
	leastRate       = 64 << 10
	leastOperations = 5
)

// diskSlow is the catalogue entry of throttled disks.
func diskSlow() chaos.Kind {
	k := chaos.Kind{
		Name: kindDiskSlow,
		About: "Throttles what a node writes to its disk, by bytes and by operations of the block device, whichever comes first: " +
			"who waits for the disk waits longer, such as a commit. What the kernel writes later of its own accord may escape.",
		Needs:   "an environment that can limit what nodes write to a disk, and runs commands inside them",
		Undone:  "The limits are set back; by the guard if the run died. They are lost when the node ends.",
		Touches: []string{chaos.TouchesDisk},
		Inside:  true,
		Params: []chaos.Param{
			{Name: "rate", Measure: chaos.Size, Default: "1MiB", About: "how much it may write each second", Limits: "64KiB or more"},
			{Name: "operations", Measure: chaos.Count, Default: "50", About: "how often it may write each second; a commit takes one to three", Limits: "5 or more"},
			{Name: "path", Measure: chaos.Text, Default: "/var/tmp", About: "a directory on the disk"},
		},
	}
	entry := k
	k.Check = func(p chaos.Params) error {
		var errs []error
		if len(p.Target.Nodes) == 0 {
			errs = append(errs, fmt.Errorf("%s acts on nodes, and %q has none: write for example app[1]", kindDiskSlow, p.Target.Ref))
		}
		if entry.Size(p, "rate") < leastRate {
			errs = append(errs, fmt.Errorf("%s: the parameter rate=%s: want 64KiB or more", kindDiskSlow, entry.Value(p, "rate")))
		}
		if entry.Count(p, "operations") < leastOperations {
			errs = append(errs, fmt.Errorf("%s: the parameter operations=%s: want %d or more", kindDiskSlow, entry.Value(p, "operations"), leastOperations))
		}
		return errors.Join(errs...)
	}
	k.New = func(env sut.Environment, targets *chaos.Targets, p chaos.Params) (chaos.Fault, error) {
		limiter, canLimit := env.(sut.DiskLimiter)
		exec, canLook := env.(sut.Executor)
		if !canLimit || !canLook {
			return nil, fmt.Errorf("limits of disks: %w", sut.ErrUnsupported)
		}
		return &slowDisk{
			env: env, limiter: limiter, exec: exec, targets: targets, target: p.Target, dir: entry.Value(p, "path"),
			limits: sut.DiskLimits{Bytes: entry.Size(p, "rate"), Writes: int64(entry.Count(p, "operations"))},
		}, nil
	}
	k.Heal = func(ctx context.Context, env sut.Environment, u chaos.Undo) error {
		var before map[string]diskBefore
		if err := json.Unmarshal(u.Data, &before); err != nil {
			return fmt.Errorf("read undo data: %w", err)
		}
		return healDisks(ctx, env, before)
	}
	k.Gone = goneDisks
	return k
}

// diskBefore is what a node had.
type diskBefore struct {
	Disk   string         `json:"disk"`
	Limits sut.DiskLimits `json:"limits"`

	took time.Duration // by the writes of the observation
}

// A slowDisk is the fault of nodes whose disk takes writes slowly.
type slowDisk struct {
	env     sut.Environment
	limiter sut.DiskLimiter
	exec    sut.Executor
	targets *chaos.Targets
	target  sut.Selection
	dir     string
	limits  sut.DiskLimits
	id      string
	nodes   []string              // as resolved by Prepare
	before  map[string]diskBefore // by node
}

// String implements [chaos.Fault].
func (f *slowDisk) String() string { return kindDiskSlow + " " + f.target.Ref }

// Prepare implements [chaos.Fault].
func (f *slowDisk) Prepare(ctx context.Context) (chaos.Undo, error) {
	var err error
	if f.nodes, err = f.targets.Names(ctx, f.target); err != nil {
		return chaos.Undo{}, err
	}
	f.id = "proofload-" + uuid.NewString()[:8]
	f.before = map[string]diskBefore{}
	undo := chaos.Undo{Kind: kindDiskSlow, Target: chaos.JoinTargets(f.nodes)}
	for _, node := range f.nodes {
		var b diskBefore
		if b.Disk, err = f.limiter.DiskOf(ctx, node, f.dir); err != nil {
			return chaos.Undo{}, err
		}
		if b.Limits, err = f.limiter.DiskLimits(ctx, node, b.Disk); err != nil {
			return chaos.Undo{}, err
		}
		if b.took, err = f.write(ctx, node); err != nil {
			return chaos.Undo{}, err
		}
		f.before[node] = b
		undo.Manual = append(undo.Manual, "docker restart CONTAINER_OF_"+node)
	}
	if undo.Data, err = json.Marshal(f.before); err != nil {
		return chaos.Undo{}, fmt.Errorf("write undo data: %w", err)
	}
	return undo, nil
}

// write writes as somebody does who waits for the disk, and returns how long
// that took, [probePatience] at most.
func (f *slowDisk) write(ctx context.Context, node string) (time.Duration, error) {
	script := fmt.Sprintf(`
file="$DIR/$ID.probe"; a=$(date +%%s%%N)
timeout %g dd if=/dev/zero of="$file" bs=%d count=%d oflag=dsync 2>/dev/null; e=$?
b=$(date +%%s%%N); rm -f "$file"; echo $((b-a))
[ "$e" = 0 ] || [ "$e" = 124 ]`, probePatience.Seconds(), probeSize, probeWrites)
	out, err := f.exec.NodeExec(ctx, node, []string{"DIR=" + f.dir, "ID=" + f.id}, "sh", "-c", script)
	if err != nil {
		return 0, fmt.Errorf("write to %s of %s: %w", f.dir, node, err)
	}
	ns, err := strconv.ParseInt(strings.TrimSpace(out), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read how long writes to %s of %s took: %w", f.dir, node, err)
	}
	return time.Duration(ns), nil
}

// Inject implements [chaos.Fault].
func (f *slowDisk) Inject(ctx context.Context) (chaos.Injection, error) {
	in := &slowDiskInjection{slowDisk: *f, called: time.Now()}
	err := chaos.Each(f.nodes, func(node string) error {
		return f.limiter.SetDiskLimits(ctx, node, f.before[node].Disk, f.limits)
	})
	if err != nil {
		return nil, err
	}
	return in, nil
}

// restoreDisks gives nodes back what they had, those that are there.
func restoreDisks(ctx context.Context, env sut.Environment, before map[string]diskBefore) error {
	limiter, ok := env.(sut.DiskLimiter)
	if !ok {
		return fmt.Errorf("limits of disks: %w", sut.ErrUnsupported)
	}
	var errs []error
	for node, b := range before {
		if _, ok := env.Topology().Node(node); ok {
			errs = append(errs, limiter.SetDiskLimits(ctx, node, b.Disk, b.Limits))
		}
	}
	return errors.Join(errs...)
}

// healDisks is restoreDisks after somebody else's death: see [giveBack].
func healDisks(ctx context.Context, env sut.Environment, before map[string]diskBefore) error {
	limiter, ok := env.(sut.DiskLimiter)
	if !ok {
		return fmt.Errorf("limits of disks: %w", sut.ErrUnsupported)
	}
	return chaos.Each(slices.Collect(maps.Keys(before)), func(node string) error {
		if _, ok := env.Topology().Node(node); !ok {
			return nil // gone, and its limits with it
		}
		b := before[node]
		return giveBack(ctx, env, node,
			func(ctx context.Context) error { return limiter.SetDiskLimits(ctx, node, b.Disk, b.Limits) },
			func(ctx context.Context) (bool, error) {
				is, err := limiter.DiskLimits(ctx, node, b.Disk)
				return is == b.Limits, err
			})
	})
}

// goneDisks is the observation of [chaos.Kind.Gone] that nodes have what they had.
func goneDisks(ctx context.Context, env sut.Environment, u chaos.Undo) error {
	var before map[string]diskBefore
	if err := json.Unmarshal(u.Data, &before); err != nil {
		return fmt.Errorf("read undo data: %w", err)
	}
	limiter, ok := env.(sut.DiskLimiter)
	if !ok {
		return fmt.Errorf("limits of disks: %w", sut.ErrUnsupported)
	}
	return chaos.Each(there(env, before), func(node string) error {
		return chaos.Watch(ctx, func(ctx context.Context) error {
			if chaos.IsDown(ctx, env, node) {
				return nil
			}
			b := before[node]
			is, err := limiter.DiskLimits(ctx, node, b.Disk)
			if err == nil && is != b.Limits {
				err = fmt.Errorf("the limits of %s are %+v, not %+v", node, is, b.Limits)
			}
			return err
		})
	})
}
