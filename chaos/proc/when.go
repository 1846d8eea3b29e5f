package proc

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/data/broker"
	"github.com/proofload/proofload/sut"
)

// The moments that are no text of a log: the one that needs no waiting, and
// those that a queue comes to.
const (
	atOnce    = "now"
	ofAQueue  = "queue:"
	whenParam = "when"
)

// pointPatience is how long a point is waited for. It is shorter than an inject
// call may take.
const pointPatience = 20 * time.Second

// pointParam is the point at which a node is killed.
func pointParam() chaos.Param {
	return chaos.Param{
		Name: whenParam, Measure: chaos.Text, Default: atOnce,
		About: "a text: the node is killed as soon as a new line of its log has it; " +
			ofAQueue + "NAME unacked>0, ready>0 or messages>0: as soon as a queue of RabbitMQ has more messages than that, of which " +
			"consumers have not acknowledged some, nobody took some, or both. Either is waited for up to " +
			pointPatience.String() + ", which belongs to the time that it takes to recover, and if it does not come, nothing is broken; now: at once",
	}
}

// checkPoint reports a point that cannot be read. It is pure.
func checkPoint(kind string, p chaos.Params) error {
	if level, ok := strings.CutPrefix(p.Values[whenParam], ofAQueue); ok {
		if _, err := broker.ParseLevel(level); err != nil {
			return fmt.Errorf("%s: the parameter %s: %w", kind, whenParam, err)
		}
	}
	return nil
}

// A point is a moment at which a node is broken.
type point struct {
	await func(ctx context.Context, node string) (reached string, err error) // nil: at once

	mu      sync.Mutex
	reached []string // how it came to be, and how long after that the breaking was done
}

// newPoint returns the point that the parameters name.
func newPoint(env sut.Environment, p chaos.Params) (*point, error) {
	text := p.Values[whenParam]
	if text == "" || text == atOnce {
		return &point{}, nil
	}
	if level, ok := strings.CutPrefix(text, ofAQueue); ok {
		return queuePoint(env, level)
	}
	follower, ok := env.(sut.LogFollower)
	if !ok {
		return nil, fmt.Errorf("the parameter %s=%s: following logs: %w", whenParam, text, sut.ErrUnsupported)
	}
	return &point{await: func(ctx context.Context, node string) (string, error) {
		waiting, cancel := context.WithTimeout(ctx, pointPatience)
		defer cancel()
		err := follower.FollowLog(waiting, node, func(line string) bool { return strings.Contains(line, text) })
		if err != nil && waiting.Err() != nil && ctx.Err() == nil {
			return "", &chaos.MissedError{Moment: fmt.Sprintf("no new line of the log of %s had %q within %s", node, text, pointPatience)}
		}
		if err != nil {
			return "", fmt.Errorf("wait for a point in the log of %s: %w", node, err)
		}
		return "its log had " + text, nil
	}}, nil
}

// queuePoint is the moment at which a queue of the first broker is at a level.
func queuePoint(env sut.Environment, text string) (*point, error) {
	level, err := broker.ParseLevel(text)
	if err != nil {
		return nil, err
	}
	exec, ok := env.(sut.Executor)
	brokers := env.Topology().ByRole(sut.RoleBroker)
	if !ok || len(brokers) == 0 {
		return nil, fmt.Errorf("the parameter %s=%s%s: commands inside a node of the role %s: %w",
			whenParam, ofAQueue, text, sut.RoleBroker, sut.ErrUnsupported)
	}
	return &point{await: func(ctx context.Context, node string) (string, error) {
		n, err := level.Await(ctx, exec, brokers[0].Name, pointPatience)
		if err != nil {
			return "", fmt.Errorf("wait to kill %s: %w", node, err)
		}
		return fmt.Sprintf("%s had %d", level, n), nil
	}}, nil
}

// at returns what breaks a node once the point is reached.
func (p *point) at(breaks func(ctx context.Context, node string) error) func(context.Context, string) error {
	if p.await == nil {
		return breaks
	}
	return func(ctx context.Context, node string) error {
		reached, err := p.await(ctx, node)
		if err != nil {
			return err
		}
		then := time.Now()
		if err := breaks(ctx, node); err != nil {
			return err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.reached = append(p.reached, fmt.Sprintf("killed %s after it was seen that %s", time.Since(then).Round(time.Millisecond), reached))
		return nil
	}
}

// said tells how the point was reached, if one was waited for.
func (p *point) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.reached) == 0 {
		return ""
	}
	return ": " + strings.Join(p.reached, "; ")
}
