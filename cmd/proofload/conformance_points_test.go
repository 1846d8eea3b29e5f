//go:build integration

package main

import (
	"context"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/stack"
)

// points are the moments at which a kill can strike.
func points(t *testing.T, program installed, s *stack.Stack) {
	t.Helper()
	t.Run("kill at a point of a log", func(t *testing.T) { testKillAtPoint(t, program, s) })
	t.Run("kill at a level of a queue", func(t *testing.T) { testKillAtLevel(t, program, s) })
	t.Run("kill of a process", func(t *testing.T) { testKillProcess(t, program, s) })
}

// testKillAtPoint kills a standby as soon as its agent says that it has looked
// at itself and found nothing to do.
func testKillAtPoint(t *testing.T, program installed, s *stack.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	row := chaostest.Row{Kind: "kill", Target: "postgres.replica[1]", Values: []string{"when=no action. I am ("}}
	p := program.Inject(t, row, longLife)
	if _, err := p.Settled(ctx); err != nil {
		t.Fatal(err)
	}
	var victim string
	for _, n := range s.Topology().ByRole(sut.RoleDatabase) {
		if state, err := s.State(ctx, n.Name); err != nil || state == sut.Down {
			victim = n.Name
		}
	}
	var log strings.Builder
	if err := s.Logs(ctx, victim, &log); err != nil {
		t.Errorf("the log of %q: %v", victim, err)
	}
	if lines := strings.Split(strings.TrimSpace(log.String()), "\n"); !strings.Contains(strings.Join(lines[max(0, len(lines)-10):], "\n"), "no action. I am ("+victim) {
		t.Errorf("%s ended with %q, not at its point", victim, lines[len(lines)-1])
	}
	if err := p.Kill(false); err != nil {
		t.Error(err)
	}
	healed(t, p)
	if err := s.WaitReady(ctx, victim); err != nil {
		t.Error(err)
	}
}

// testKillProcess kills the server on a standby, and not the node: its agent
// starts it again.
func testKillProcess(t *testing.T, program installed, s *stack.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	primary, err := s.Primary(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var victim string
	for _, n := range s.Topology().ByRole(sut.RoleDatabase) {
		if n.Name != primary.Name && victim == "" {
			victim = n.Name
		}
	}
	const began = "select pg_postmaster_start_time()::text"
	before, err := query(ctx, s, "postgres/"+victim, "", began)
	if err != nil {
		t.Fatal(err)
	}
	p := program.Inject(t, chaostest.Row{Kind: "kill", Target: "postgres.replica[1]", Values: []string{"process=postgres"}}, longLife)
	if _, err = p.Settled(ctx); err != nil {
		t.Fatal(err)
	}
	if state, stateErr := s.State(ctx, victim); stateErr != nil || state != sut.Running {
		t.Errorf("%s is %s, %v: the node itself was killed", victim, state, stateErr)
	}
	if err = p.Kill(false); err != nil {
		t.Error(err)
	}
	healed(t, p)
	becomes(t, func(ctx context.Context) (bool, error) {
		now, askErr := query(ctx, s, "postgres/"+victim, "", began)
		return askErr != nil || now == before, ctx.Err()
	}, false)
	if err := s.WaitReady(ctx, victim); err != nil {
		t.Error(err)
	}
}

// healed waits until the guard of a process that was killed has done its work.
func healed(t *testing.T, p chaostest.Process) {
	t.Helper()
	becomes(t, func(context.Context) (bool, error) {
		n, err := p.Pending()
		return n > 0, err
	}, false)
}

// testKillAtLevel kills a worker as soon as a consumer has taken a message and not
// acknowledged it, and not while the message only lies there.
func testKillAtLevel(t *testing.T, program installed, s *stack.Stack) {
	t.Helper()
	const queue = "proofload-point"
	ch := oneMessage(t, s, queue)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := program.Inject(t, chaostest.Row{Kind: "kill", Target: "worker", Values: []string{"when=queue:" + queue + " unacked>0"}}, longLife)
	becomes(t, func(context.Context) (bool, error) {
		n, err := p.Pending()
		return err == nil && n > 0, nil // there is no journal at first
	}, true)
	if broken, err := answers(s, "worker-1")(ctx); broken || err != nil {
		t.Errorf("broken while the message was ready: %t, %v", broken, err)
	}
	if _, ok, err := ch.Get(queue, false); !ok || err != nil {
		t.Fatalf("take the message: %t, %v", ok, err)
	}
	taken := time.Now()
	if _, err := p.Settled(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("seen killed %s after the message was taken", time.Since(taken).Round(time.Millisecond))
	if state, err := s.State(ctx, "worker-1"); err != nil || state != sut.Down {
		t.Errorf("worker-1 is %s, %v", state, err)
	}
	if err := p.Kill(false); err != nil {
		t.Error(err)
	}
	healed(t, p)
	becomes(t, answers(s, "worker-1"), false)
	out, err := program.run(ctx, "inject", "kill", "worker", "when=queue:nobodys unacked>0", "--for", "5s")
	if codeOf(err) == "0" || !strings.Contains(out, "there is no queue nobodys") {
		t.Errorf("a queue that is not there: %v: %s", err, out)
	}
}

// oneMessage makes a queue with a message in it, which goes with the test.
func oneMessage(t *testing.T, s *stack.Stack, queue string) *amqp.Channel {
	t.Helper()
	url, _ := s.Endpoint("amqp/rabbitmq")
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // the queue goes with it
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = ch.QueueDeclare(queue, false, false, true, false, nil); err != nil {
		t.Fatal(err)
	}
	if err = ch.PublishWithContext(t.Context(), "", queue, false, false, amqp.Publishing{Body: []byte("proofload")}); err != nil {
		t.Fatal(err)
	}
	return ch
}
