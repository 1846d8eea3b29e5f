package resource

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// slack is what a disk takes at once before it is throttled, and what a machine
// that is busy takes to look.
const slack = 100 * time.Millisecond

// A slowDiskInjection is a throttled disk.
type slowDiskInjection struct {
	slowDisk

	called time.Time     // the last inject or recover call
	slow   time.Duration // what the writes took when they were seen to be slow; zero if they were not yet
}

// least is how long the writes of the observation take if they are throttled.
func (i *slowDiskInjection) least() time.Duration {
	bytes := time.Duration(probeWrites*probeSize) * time.Second / time.Duration(i.limits.Bytes)
	writes := probeWrites * time.Second / time.Duration(i.limits.Writes)
	return min(probePatience, max(bytes, writes)) - slack
}

// Settle implements [chaos.Injection]. The writes that show it take from the
// little that the node has, so that it looks at the limits only once it was seen.
func (i *slowDiskInjection) Settle(ctx context.Context) (chaos.Evidence, error) {
	if i.slow > 0 {
		return i.observe(ctx, "control groups of the kernel", func(ctx context.Context, node string) (string, error) {
			is, err := i.limiter.DiskLimits(ctx, node, i.before[node].Disk)
			if err == nil && is != i.limits {
				err = fmt.Errorf("the limits of %s are %+v", node, is)
			}
			return fmt.Sprintf("%s: %d bytes and %d operations a second", node, is.Bytes, is.Writes), err
		})
	}
	slowest := time.Duration(0)
	e, err := i.observe(ctx, "writes of the probe", func(ctx context.Context, node string) (string, error) {
		took, err := i.write(ctx, node)
		if err == nil && took < max(i.least(), 2*i.before[node].took) {
			err = fmt.Errorf("writes to the disk of %s take %s as before", node, took.Round(time.Millisecond))
		}
		slowest = max(slowest, took)
		return fmt.Sprintf("%s: %d writes of %d KiB took %s, %s before", node, probeWrites, probeSize>>10,
			took.Round(time.Millisecond), i.before[node].took.Round(time.Millisecond)), err
	})
	if err == nil {
		i.slow = slowest
	}
	return e, err
}

// Recover implements [chaos.Injection].
func (i *slowDiskInjection) Recover(ctx context.Context) error {
	i.called = time.Now()
	return restoreDisks(ctx, i.env, i.before)
}

// Recovered implements [chaos.Injection]. A node that is down has lost its limits.
func (i *slowDiskInjection) Recovered(ctx context.Context) (chaos.Evidence, error) {
	return i.observe(ctx, "control groups of the kernel and writes of the probe", func(ctx context.Context, node string) (string, error) {
		if killer, ok := i.env.(sut.Killer); ok {
			if state, err := killer.State(ctx, node); err == nil && state == sut.Down {
				return node + " is down", nil
			}
		}
		b := i.before[node]
		is, err := i.limiter.DiskLimits(ctx, node, b.Disk)
		if err != nil {
			return "", err
		}
		if is != b.Limits {
			return "", fmt.Errorf("the limits of %s are %+v, not %+v", node, is, b.Limits)
		}
		took, err := i.write(ctx, node)
		if err == nil && i.slow > 0 && took > max(i.slow/2, 2*b.took) {
			err = fmt.Errorf("writes to the disk of %s still take %s", node, took.Round(time.Millisecond))
		}
		return fmt.Sprintf("%s: %d writes of %d KiB took %s", node, probeWrites, probeSize>>10, took.Round(time.Millisecond)), err
	})
}

// observe looks at one node after the other until all are as wanted.
func (i *slowDiskInjection) observe(
	ctx context.Context, by string, look func(ctx context.Context, node string) (string, error),
) (chaos.Evidence, error) {
	said := make([]string, len(i.nodes))
	err := chaos.Watch(ctx, func(ctx context.Context) (err error) {
		for n, node := range i.nodes {
			if said[n], err = look(ctx, node); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return chaos.Evidence{}, err
	}
	return chaos.Evidence{By: by, Saw: strings.Join(said, "; "), Took: time.Since(i.called)}, nil
}
