//go:build integration

package main

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut/stack"
)

// pitfalls are what else can go wrong on a real engine.
func pitfalls(t *testing.T, program installed, s *stack.Stack) {
	t.Helper()
	t.Run("ports stay", func(t *testing.T) { testPortsStay(t, s) })
	t.Run("limit below use", func(t *testing.T) { testLimitBelowUse(t, program, s) })
	t.Run("out of memory", func(t *testing.T) { testOutOfMemory(t, program, s) })
	t.Run("engine away", func(t *testing.T) { testEngineAway(t, program, s) })
}

// becomes waits until a probe finds its target broken, or whole.
func becomes(t *testing.T, probe chaostest.Probe, want bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := chaos.Watch(ctx, func(ctx context.Context) error {
		broken, err := probe(ctx)
		if err == nil && broken != want {
			err = errors.New("the probe does not agree yet")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// testPortsStay restarts the entry point, which publishes a port.
func testPortsStay(t *testing.T, s *stack.Stack) {
	t.Helper()
	base, _ := s.Endpoint("api")
	entry := func(ctx context.Context) (bool, error) { return !getOK(ctx, base+"/livez"), nil }
	becomes(t, entry, false)
	if err := s.Kill(t.Context(), "lb"); err != nil {
		t.Fatal(err)
	}
	becomes(t, entry, true)
	if err := s.Start(t.Context(), "lb"); err != nil {
		t.Fatal(err)
	}
	becomes(t, entry, false) // at the address of before
}

// testLimitBelowUse leaves a node less memory than it uses: that is refused, or
// the kernel kills, and either is told. Nothing stays behind.
func testLimitBelowUse(t *testing.T, program installed, s *stack.Stack) {
	t.Helper()
	before, err := s.Limits(t.Context(), "api-2")
	if err != nil {
		t.Fatal(err)
	}
	out, err := program.run(t.Context(), "inject", "memory-limit", "app[2]", "size=6MiB", "--for", "2s")
	if err == nil && !strings.Contains(out, "api-2 is down") || err != nil && !strings.Contains(out, "memory limit") {
		t.Errorf("%v: %s", err, out)
	}
	if after, err := s.Limits(t.Context(), "api-2"); err != nil || after != before {
		t.Errorf("the limits are %+v, %v, want %+v", after, err, before)
	}
	if err := program.Start(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Start(t.Context(), "api-2"); err != nil { // what the kernel killed is not started again by itself
		t.Fatal(err)
	}
	becomes(t, answers(s, "api-2"), false)
}

// testOutOfMemory leaks more memory than a node may use: the kernel kills, which
// is what is seen in effect. Nothing stays behind.
func testOutOfMemory(t *testing.T, program installed, s *stack.Stack) {
	t.Helper()
	out, err := program.run(t.Context(), "inject", "memory-hog", "app[2]", "size=8GiB", "rate=8GiB", "--for", "10s")
	if err != nil || !regexp.MustCompile(`[1-9]\d* processes killed for the lack of memory`).MatchString(out) {
		t.Errorf("%v: %s", err, out)
	}
	if err := s.Start(t.Context(), "api-2"); err != nil { // it may be what the kernel has chosen
		t.Fatal(err)
	}
	becomes(t, answers(s, "api-2"), false)
}

// testEngineAway mends when no engine answers: it says what to do by hand, and
// mends once there is one.
func testEngineAway(t *testing.T, program installed, s *stack.Stack) {
	t.Helper()
	p := program.Inject(t, chaostest.Row{Kind: "pause", Target: "app[2]"}, longLife)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := p.Settled(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(true); err != nil {
		t.Fatal(err)
	}
	heal := program.make(ctx, "heal")
	heal.Env = append(heal.Env, "DOCKER_HOST=unix://"+program.dir+"/nobody.sock")
	out, err := heal.CombinedOutput()
	if code := codeOf(err); err == nil || code != "6" || !strings.Contains(string(out), "by hand: docker unpause "+s.ContainerName("api-2")) {
		t.Errorf("without an engine: %v: %s", err, out)
	}
	if n, err := p.Pending(); err != nil || n != 1 {
		t.Errorf("%d faults are pending, %v, want 1", n, err)
	}
	if err := program.Start(ctx); err != nil {
		t.Fatal(err)
	}
	becomes(t, answers(s, "api-2"), false)
}

// longLife is a time in which a test is over.
const longLife = 5 * time.Minute
