package stack

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/proofload/proofload/sut"
)

// logTimeout bounds reading the log of one node for an error message.
const logTimeout = 10 * time.Second

// Logs copies the log of a node, both streams as they came, each line with the
// time the engine received it (UTC).
func (s *Stack) Logs(ctx context.Context, node string, w io.Writer) error {
	if _, ok := s.topology.Node(node); !ok {
		return fmt.Errorf("no node %q in %s", node, s.topology.Name)
	}
	return s.copyLog(ctx, node, "all", w)
}

// copyLog copies the last lines of a container's log, or "all".
func (s *Stack) copyLog(ctx context.Context, node, lines string, w io.Writer) error {
	stream, err := s.docker.ContainerLogs(ctx, containerName(s.id, node), client.ContainerLogsOptions{
		ShowStdout: true, ShowStderr: true, Timestamps: true, Tail: lines,
	})
	if err != nil {
		return fmt.Errorf("read log of node %s: %w", node, err)
	}
	defer func() { _ = stream.Close() }()
	if _, err := stdcopy.StdCopy(w, w, stream); err != nil {
		return fmt.Errorf("read log of node %s: %w", node, err)
	}
	return nil
}

// FollowLog implements [sut.LogFollower].
func (s *Stack) FollowLog(ctx context.Context, node string, seen func(line string) (enough bool)) error {
	if _, ok := s.topology.Node(node); !ok {
		return fmt.Errorf("follow log: no node %q in %s", node, s.topology.Name)
	}
	stream, err := s.docker.ContainerLogs(ctx, containerName(s.id, node), client.ContainerLogsOptions{
		ShowStdout: true, ShowStderr: true, Follow: true, Tail: "0",
	})
	if err != nil {
		return fmt.Errorf("follow log of node %s: %w", node, err)
	}
	defer func() { _ = stream.Close() }() // ends the copy below
	lines, w := io.Pipe()
	defer func() { _ = lines.Close() }() // and so does this
	go func() {
		_, copyErr := stdcopy.StdCopy(w, w, stream)
		_ = w.CloseWithError(copyErr) // never fails
	}()
	scanner := bufio.NewScanner(lines)
	for scanner.Scan() {
		if seen(scanner.Text()) {
			return nil
		}
	}
	return fmt.Errorf("follow log of node %s: %w", node, cmp.Or(context.Cause(ctx), scanner.Err(), errors.New("it has ended")))
}

// CollectLogs implements [sut.LogCollector].
func (s *Stack) CollectLogs(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("collect logs: %w", err)
	}
	errs := make([]error, len(s.topology.Nodes))
	each(s.topology.Nodes, func(i int, n sut.Node) { errs[i] = s.collectLog(ctx, n.Name, dir) })
	return errors.Join(errs...)
}

func (s *Stack) collectLog(ctx context.Context, node, dir string) error {
	file, err := os.Create(filepath.Join(dir, node+".log"))
	if err != nil {
		return fmt.Errorf("collect log of node %s: %w", node, err)
	}
	return errors.Join(s.Logs(ctx, node, file), file.Close())
}
