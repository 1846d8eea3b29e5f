package proc

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// atOnce is the moment that needs no waiting.
const atOnce = "now"

// pointPatience is how long a point in a log is waited for. It is shorter than
// an inject call may take.
const pointPatience = 20 * time.Second

// whenParam is the point at which a node is killed.
func whenParam() chaos.Param {
	return chaos.Param{
		Name: "when", Measure: chaos.Text, Default: atOnce,
		About: "a text: the node is killed as soon as a new line of its log has it, which is waited for up to " +
			pointPatience.String() + " and belongs to the time that it takes to recover; now: at once",
	}
}

// atPoint returns what breaks a node once its log reaches the point that the
// parameters name.
func atPoint(env sut.Environment, p chaos.Params, breaks func(ctx context.Context, node string) error) (func(context.Context, string) error, error) {
	point := p.Values["when"]
	if point == "" || point == atOnce {
		return breaks, nil
	}
	follower, ok := env.(sut.LogFollower)
	if !ok {
		return nil, fmt.Errorf("the parameter when=%s: following logs: %w", point, sut.ErrUnsupported)
	}
	return func(ctx context.Context, node string) error {
		waiting, cancel := context.WithTimeoutCause(ctx, pointPatience, fmt.Errorf("no new line has %q within %s", point, pointPatience))
		defer cancel()
		err := follower.FollowLog(waiting, node, func(line string) bool { return strings.Contains(line, point) })
		if err != nil {
			return fmt.Errorf("wait for a point in the log of %s: %w", node, err)
		}
		return breaks(ctx, node)
	}, nil
}
