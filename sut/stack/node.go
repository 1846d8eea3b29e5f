package stack

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/proofload/proofload/sut"
)

// Kill implements [sut.Killer].
func (s *Stack) Kill(ctx context.Context, node string) error {
	if _, ok := s.topology.Node(node); !ok {
		return fmt.Errorf("kill node %s: no such node in %s", node, s.topology.Name)
	}
	err := s.endBy(ctx, node, endTimeout, func(ctx context.Context) error {
		_, err := s.docker.ContainerKill(ctx, containerName(s.id, node), client.ContainerKillOptions{Signal: "SIGKILL"})
		return err
	})
	if err == nil {
		return nil
	}
	if state, stateErr := s.State(ctx, node); stateErr == nil && state == sut.Down {
		return nil
	}
	return fmt.Errorf("kill node %s: %w", node, err)
}

// Start implements [sut.Killer]. The node has a new network namespace then.
func (s *Stack) Start(ctx context.Context, node string) error {
	if _, ok := s.topology.Node(node); !ok {
		return fmt.Errorf("start node %s: no such node in %s", node, s.topology.Name)
	}
	if err := s.awaitEngine(ctx, node); err != nil {
		return fmt.Errorf("start node %s: %w", node, err)
	}
	s.mu.Lock()
	delete(s.alive, node) // whose process has ended says nothing of the next one
	s.mu.Unlock()
	if err := s.start(ctx, node); err != nil {
		return fmt.Errorf("start node %s: %w", node, err)
	}
	return nil
}

// State implements [sut.Killer]. It is what the engine says, but that the
// process table of this machine may know sooner that a node has ended.
func (s *Stack) State(ctx context.Context, node string) (sut.State, error) {
	s.mu.Lock()
	alive := s.alive[node]
	s.mu.Unlock()
	return s.stateBy(alive, func() (container.InspectResponse, error) { return s.inspect(ctx, node) })
}

// Pause implements [sut.Pauser]. Pausing a paused node is not an error.
func (s *Stack) Pause(ctx context.Context, node string) error {
	return s.freeze(ctx, node, sut.Paused)
}

// Resume implements [sut.Pauser]. Resuming a running node is not an error.
func (s *Stack) Resume(ctx context.Context, node string) error {
	return s.freeze(ctx, node, sut.Running)
}

// freeze pauses or resumes a node, whichever leads to the state wanted.
func (s *Stack) freeze(ctx context.Context, node string, want sut.State) error {
	state, err := s.State(ctx, node)
	if err != nil || state == want {
		return err
	}
	verb := "pause"
	if want == sut.Paused {
		_, err = s.docker.ContainerPause(ctx, containerName(s.id, node), client.ContainerPauseOptions{})
	} else {
		verb = "resume"
		_, err = s.docker.ContainerUnpause(ctx, containerName(s.id, node), client.ContainerUnpauseOptions{})
	}
	if err != nil {
		return fmt.Errorf("%s node %s: %w", verb, node, err)
	}
	return nil
}

// A NodeStatus is what Docker and the node itself say about a node.
type NodeStatus struct {
	Node   string
	Role   sut.Role
	State  sut.State
	Health string // "ready", "primary", "replica", or what is amiss
	Image  string // name and tag
}

// Status says how each node is, in the order of the topology.
func (s *Stack) Status(ctx context.Context) []NodeStatus {
	result := make([]NodeStatus, len(s.topology.Nodes))
	each(s.topology.Nodes, func(i int, n sut.Node) { result[i] = s.status(ctx, n) })
	return result
}

func (s *Stack) status(ctx context.Context, n sut.Node) NodeStatus {
	status := NodeStatus{Node: n.Name, Role: n.Role, State: sut.Down}
	c, err := s.inspect(ctx, n.Name)
	if err != nil {
		status.Health = oneLine(err)
		if errdefs.IsNotFound(err) {
			status.Health = "has no container"
		}
		return status
	}
	status.Image, status.State = c.Config.Image, s.stateOf(c)
	if status.State != sut.Running {
		status.Health = string(status.State)
		return status
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if status.Health, err = s.health(ctx, n.Name); err != nil {
		status.Health = oneLine(err)
	}
	return status
}

func oneLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
