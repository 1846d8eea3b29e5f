package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/proofload/proofload/sut"
)

// netTools is the auxiliary container in the network namespace of one node. It
// holds the tools and the capability, so that nodes need neither.
type netTools struct {
	mu      sync.Mutex
	started string      // when the node that it joined was started; empty if there is none yet
	idle    []*netShell // in that container, at nothing
}

// leave ends the shells in the auxiliary container.
func (t *netTools) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.empty()
}

// empty is leave for who holds mu.
func (t *netTools) empty() {
	for _, shell := range t.idle {
		shell.end()
	}
	t.idle = nil
}

// takeBack keeps a shell for the next command, unless it has ended or its node was
// started anew meanwhile.
func (t *netTools) takeBack(shell *netShell) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case shell.ended.Load():
	case shell.started != t.started:
		shell.end()
	default:
		t.idle = append(t.idle, shell)
	}
}

// PrepareNet implements [sut.NetAdmin]. It starts the auxiliary container of
// the node, or a new one if the node was restarted since, and a shell in it.
func (s *Stack) PrepareNet(ctx context.Context, node string) error {
	shell, err := s.netShell(ctx, node)
	if err == nil {
		s.net[node].takeBack(shell)
	}
	return err
}

// netShell returns a shell in the network namespace that a node has now, at
// nothing. No command waits for another, which may take long.
func (s *Stack) netShell(ctx context.Context, node string) (*netShell, error) {
	c, err := s.inspect(ctx, node)
	if err != nil {
		return nil, fmt.Errorf("prepare network tools: %w", err)
	}
	if s.stateOf(c) == sut.Down {
		return nil, fmt.Errorf("prepare network tools of node %s: it is down, and its network namespace is gone", node)
	}
	tools := s.net[node]
	tools.mu.Lock()
	defer tools.mu.Unlock()
	if tools.started != c.State.StartedAt {
		tools.empty()
	}
	if n := len(tools.idle); n > 0 {
		shell := tools.idle[n-1]
		tools.idle = tools.idle[:n-1]
		return shell, nil
	}
	if tools.started != c.State.StartedAt {
		if joinErr := s.joinNet(ctx, node, c); joinErr != nil {
			return nil, joinErr
		}
		tools.started = c.State.StartedAt
	}
	shell, err := openNetShell(ctx, s.docker, netToolsName(s.id, node))
	if err == nil {
		shell.started = tools.started
	}
	return shell, err
}

// joinNet sees to it that there is an auxiliary container in the namespace of a
// node's container.
func (s *Stack) joinNet(ctx context.Context, node string, c container.InspectResponse) error {
	found, err := s.findNetTools(ctx, node, c.State.StartedAt)
	if err != nil {
		return err
	}
	if !found {
		if err := s.startNetTools(ctx, node, c.ID, c.State.StartedAt); err != nil {
			return fmt.Errorf("start network tools of node %s: %w", node, err)
		}
	}
	return nil
}

func netToolsName(id, node string) string { return containerName(id, node) + "-net" }

// findNetTools looks for an auxiliary container that another process left in
// the node's present namespace, and removes one that is in a former.
func (s *Stack) findNetTools(ctx context.Context, node, started string) (bool, error) {
	name := netToolsName(s.id, node)
	result, err := s.docker.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("inspect network tools of node %s: %w", node, err)
	}
	c := result.Container
	if c.State.Running && c.Config.Labels[labelStarted] == started {
		return true, nil
	}
	_, err = s.docker.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true})
	if err != nil && !errdefs.IsNotFound(err) {
		return false, fmt.Errorf("remove network tools of node %s: %w", node, err)
	}
	return false, nil
}

// startNetTools starts the auxiliary container in the namespace of a node's
// container.
func (s *Stack) startNetTools(ctx context.Context, node, containerID, started string) error {
	img, err := loadImage(netImage, nil)
	if err != nil {
		return err
	}
	labels := s.labels(node)
	labels[labelNet], labels[labelStarted] = node, started
	_, err = testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{
		Logger:  quiet{},
		Started: true,
		ContainerRequest: testcontainers.ContainerRequest{
			Name:   netToolsName(s.id, node),
			Image:  img.tag(),
			Labels: labels,
			HostConfigModifier: func(h *container.HostConfig) {
				h.NetworkMode = container.NetworkMode("container:" + containerID)
				h.CapAdd = []string{"NET_ADMIN"}
				h.Memory, h.MemorySwap = memoryNode, memoryNode
			},
		},
	})
	return err
}

// NetExec implements [sut.NetAdmin].
func (s *Stack) NetExec(ctx context.Context, node string, argv ...string) (string, error) {
	shell, err := s.netShell(ctx, node)
	if err != nil {
		return "", err
	}
	output, code, err := shell.run(ctx, argv)
	s.net[node].takeBack(shell)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit status %d: %s", code, strings.TrimSpace(output))
	}
	if err != nil {
		return output, fmt.Errorf("run %s in the network of node %s: %w", strings.Join(argv, " "), node, err)
	}
	return output, nil
}

// exec runs a command in a container and returns what it printed and its exit
// status.
func (s *Stack) exec(ctx context.Context, name string, argv, env []string) (output string, code int, err error) {
	return s.execAs(ctx, "", name, argv, env)
}

// execAs is exec as a user of the container; empty is the image's own.
func (s *Stack) execAs(ctx context.Context, user, name string, argv, env []string) (output string, code int, err error) {
	created, err := s.docker.ExecCreate(ctx, name, client.ExecCreateOptions{
		User: user, Cmd: argv, Env: env, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return "", 0, err
	}
	attached, err := s.docker.ExecAttach(ctx, created.ID, client.ExecAttachOptions{})
	if err != nil {
		return "", 0, err
	}
	defer attached.Close()
	// Reading does not know of the context: closing the connection ends it.
	stop := context.AfterFunc(ctx, attached.Close)
	defer stop()
	var buf bytes.Buffer
	if _, err = stdcopy.StdCopy(&buf, &buf, attached.Reader); err != nil && !errors.Is(err, io.EOF) {
		return buf.String(), 0, errors.Join(context.Cause(ctx), err)
	}
	result, err := s.docker.ExecInspect(ctx, created.ID, client.ExecInspectOptions{})
	if err != nil {
		return buf.String(), 0, err
	}
	return buf.String(), result.ExitCode, nil
}
