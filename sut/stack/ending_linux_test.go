package stack

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"

	"github.com/proofload/proofload/sut"
)

// TestStateByProcess kills a process behind the back of an engine that says
// that it runs.
func TestStateByProcess(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be dead
		_ = cmd.Wait()
	})
	// The control groups of any process have a slash in their names.
	c := container.InspectResponse{ID: "/", State: &container.State{Running: true, Pid: cmd.Process.Pid}}
	elsewhere := c
	elsewhere.ID = "of another machine"

	s := &Stack{}
	if sees(elsewhere) || !sees(c) {
		t.Errorf("seen are one of another machine: %t, and one of this: %t", sees(elsewhere), sees(c))
	}
	if got := s.stateOf(elsewhere); got != sut.Running {
		t.Errorf("a process that this machine does not know is %s, want %s as the engine says", got, sut.Running)
	}
	s.local.Store(true)
	if got := s.stateOf(c); got != sut.Running {
		t.Errorf("a process that lives is %s", got)
	}
	paused := c
	paused.State = &container.State{Running: true, Paused: true, Pid: cmd.Process.Pid}
	if got := s.stateOf(paused); got != sut.Paused {
		t.Errorf("a process that is frozen is %s", got)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	late, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for s.stateOf(c) != sut.Down { // nobody waits for it: it stays in the table
		select {
		case <-late.Done():
			t.Fatal("a process that was killed is not seen down")
		case <-time.After(time.Millisecond):
		}
	}
	silence := make(chan struct{})
	defer close(silence)
	takingDown := func() (container.InspectResponse, error) {
		<-silence
		return c, nil
	}
	if got, err := s.stateBy(&c, takingDown); got != sut.Down || err != nil {
		t.Errorf("of a process that has ended, while the engine says nothing: %s, %v", got, err)
	}
	running := func() (container.InspectResponse, error) { return elsewhere, nil }
	if got, err := (&Stack{}).stateBy(&c, running); got != sut.Running || err != nil {
		t.Errorf("where the engine answers at once: %s, %v; want what it says", got, err)
	}
	if got := (&Stack{}).stateOf(c); got != sut.Running {
		t.Errorf("who knows no process of the engine says %s, want %s as the engine says", got, sut.Running)
	}
}
