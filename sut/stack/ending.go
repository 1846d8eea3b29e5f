package stack

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"

	"github.com/proofload/proofload/sut"
)

// The engine counts a container as running until it has taken down all that
// belongs to it, half a second after its processes died and their peers were
// told. Where the process table of this machine has them, it is believed.

const (
	// endEvery is the pause between two looks at the process table.
	endEvery = 2 * time.Millisecond
	// endTimeout bounds an order to the engine to end a node, beyond its grace.
	endTimeout = 30 * time.Second
	// engineSilent is how long the engine may take to say how a container is before
	// the process table is asked. It takes a few milliseconds, but answers nobody
	// who asks of one that it is taking down.
	engineSilent = 20 * time.Millisecond
	// downTimeout bounds how long the engine may take to know that a node has
	// ended whose processes are gone.
	downTimeout = 10 * time.Second
)

// sees reports whether the first process of a container is alive, by the
// process table of this machine. That may have no such process because the
// engine is on another machine.
func sees(c container.InspectResponse) bool {
	if c.State == nil || c.State.Pid == 0 || c.ID == "" {
		return false
	}
	dir := fmt.Sprintf("/proc/%d/", c.State.Pid)
	groups, err := os.ReadFile(dir + "cgroup")
	if err != nil || !bytes.Contains(groups, []byte(c.ID)) {
		return false
	}
	stat, err := os.ReadFile(dir + "stat") // 7 (name) Z ...
	if err != nil {
		return false
	}
	state := strings.TrimSpace(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X") {
		return true
	}
	threads, err := os.ReadDir(dir + "task")
	return err == nil && len(threads) > 1 // its first thread has ended, and others go on
}

// stateOf says how a container is.
func (s *Stack) stateOf(c container.InspectResponse) sut.State {
	switch {
	case c.State == nil || !c.State.Running:
		return sut.Down
	case s.local.Load() && !sees(c):
		return sut.Down
	case c.State.Paused:
		return sut.Paused
	default:
		return sut.Running
	}
}

// stateBy says how a container is by what the engine answers to a question, or by
// the process table if the process that was last seen alive has ended before the
// engine answers.
func (s *Stack) stateBy(alive *container.InspectResponse, ask func() (container.InspectResponse, error)) (sut.State, error) {
	type answer struct {
		container.InspectResponse

		err error
	}
	answered := make(chan answer, 1)
	go func() {
		c, err := ask()
		answered <- answer{c, err}
	}()
	look := time.NewTicker(engineSilent)
	defer look.Stop()
	for {
		select {
		case a := <-answered:
			if a.err != nil {
				return "", a.err
			}
			return s.stateOf(a.InspectResponse), nil
		case <-look.C:
			if alive != nil && !sees(*alive) {
				return sut.Down, nil
			}
		}
	}
}

// endBy gives the engine an order that ends a node, and returns when it has
// ended, which may be before the engine knows. The order is not taken back when
// ctx is done.
func (s *Stack) endBy(ctx context.Context, node string, within time.Duration, order func(context.Context) error) error {
	c, err := s.inspect(ctx, node)
	if err != nil {
		return err
	}
	visible := sees(c)
	done := make(chan error, 1)
	go func() {
		ordering, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
		defer cancel()
		done <- order(ordering)
	}()
	look := time.NewTicker(endEvery)
	defer look.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-look.C:
			if visible && !sees(c) {
				return nil
			}
		}
	}
}

// awaitEngine waits until the engine, too, knows that a node has ended whose
// processes are gone: one that it believes to run is not started.
func (s *Stack) awaitEngine(ctx context.Context, node string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, downTimeout, fmt.Errorf("the engine takes it for running %s after it ended", downTimeout))
	defer cancel()
	for {
		c, err := s.inspect(ctx, node)
		if err != nil {
			return err
		}
		if c.State == nil || !c.State.Running || s.stateOf(c) != sut.Down {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * endEvery):
		}
	}
}
