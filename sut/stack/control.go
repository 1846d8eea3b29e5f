package stack

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/proofload/proofload/sut"
)

// cpuPeriod is what a share of the processors is counted in, in microseconds.
const cpuPeriod = 100_000

// NodeExec implements [sut.Executor].
func (s *Stack) NodeExec(ctx context.Context, node string, variables []string, argv ...string) (string, error) {
	if _, ok := s.topology.Node(node); !ok {
		return "", fmt.Errorf("run a command in node %s: no such node in %s", node, s.topology.Name)
	}
	output, code, err := s.execAs(ctx, "root", containerName(s.id, node), argv, append([]string{"NODE_PID=1"}, variables...))
	if err == nil && code != 0 {
		err = fmt.Errorf("exit status %d: %s", code, strings.TrimSpace(output))
	}
	if err != nil {
		return output, fmt.Errorf("run a command in node %s: %w", node, err)
	}
	return output, nil
}

// ContainerName implements [sut.ContainerNamer].
func (s *Stack) ContainerName(node string) string { return containerName(s.id, node) }

// Limits implements [sut.Limiter].
func (s *Stack) Limits(ctx context.Context, node string) (sut.Limits, error) {
	c, err := s.inspect(ctx, node)
	if err != nil {
		return sut.Limits{}, err
	}
	l := sut.Limits{Memory: c.HostConfig.Memory}
	if c.HostConfig.CPUQuota > 0 {
		l.CPU = float64(c.HostConfig.CPUQuota) / float64(max(1, c.HostConfig.CPUPeriod))
	}
	return l, nil
}

// LimitCPU implements [sut.Limiter]. A quota of processors is lifted by one below
// zero.
func (s *Stack) LimitCPU(ctx context.Context, node string, cores float64) error {
	r := container.Resources{CPUPeriod: cpuPeriod, CPUQuota: -1}
	if cores > 0 {
		r.CPUQuota = max(1000, int64(cores*cpuPeriod)) // the least that the kernel takes
	}
	return s.update(ctx, node, r)
}

// LimitMemory implements [sut.Limiter]. Memory and swap go together, and no limit
// is said by a very large one, which is all that the engine takes.
func (s *Stack) LimitMemory(ctx context.Context, node string, bytes int64) error {
	if bytes == 0 {
		bytes = 1 << 44
	}
	return s.update(ctx, node, container.Resources{Memory: bytes, MemorySwap: bytes})
}

// update changes what a node may use. What is zero stays as it is.
func (s *Stack) update(ctx context.Context, node string, r container.Resources) error {
	_, err := s.docker.ContainerUpdate(ctx, containerName(s.id, node), client.ContainerUpdateOptions{Resources: &r})
	if err != nil {
		return fmt.Errorf("limit node %s: %w", node, err)
	}
	return nil
}

// Stop implements [sut.Stopper].
func (s *Stack) Stop(ctx context.Context, node string, grace time.Duration) error {
	if _, ok := s.topology.Node(node); !ok {
		return fmt.Errorf("stop node %s: no such node in %s", node, s.topology.Name)
	}
	seconds := int(grace.Seconds())
	err := s.endBy(ctx, node, grace+endTimeout, func(ctx context.Context) error {
		_, err := s.docker.ContainerStop(ctx, containerName(s.id, node), client.ContainerStopOptions{Timeout: &seconds})
		return err
	})
	if err != nil {
		return fmt.Errorf("stop node %s: %w", node, err)
	}
	return nil
}
