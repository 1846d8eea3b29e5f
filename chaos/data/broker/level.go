package broker

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// A Level is a number of messages of a queue that something waits for.
type Level struct {
	Queue string // of the virtual host /
	Count string // which messages: ready, unacked, or messages for both
	Above int    // it is reached when there are more
}

// counted are the counts of a [Level] by what the broker calls them.
func counted() map[string]string {
	return map[string]string{"ready": "messages_ready", "unacked": "messages_unacknowledged", "messages": "messages"}
}

// ParseLevel reads a level as it is written, for example
// "ledger.statements unacked>0".
func ParseLevel(text string) (Level, error) {
	m := regexp.MustCompile(`^([A-Za-z0-9_./:-]{1,120}) (ready|unacked|messages)>([0-9]{1,9})$`).FindStringSubmatch(text)
	if m == nil {
		return Level{}, fmt.Errorf("%q: want a queue and how many of its messages, "+
			"for example ledger.statements unacked>0; ready> and messages> are known too", text)
	}
	above, err := strconv.Atoi(m[3])
	return Level{Queue: m[1], Count: m[2], Above: above}, err
}

// String is the level as it is written.
func (l Level) String() string { return fmt.Sprintf("%s %s>%d", l.Queue, l.Count, l.Above) }

// lookEvery is the pause of the broker between two looks at a queue.
const lookEvery = time.Millisecond

// Await blocks until a queue is at a level, and returns how many messages it
// has then. The broker itself looks, in a node of its own, for as long as is
// said, and the error is a [chaos.MissedError] if that was in vain; a queue that is
// not there is an error at once.
func (l Level) Await(ctx context.Context, exec sut.Executor, node string, patience time.Duration) (int, error) {
	expression := fmt.Sprintf(`Look = fun Look(Over) -> case rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"%s\">>)) of
	{ok, Q} ->
		[{_, N}] = rabbit_amqqueue:info(Q, [%s]),
		case N > %d of
			true -> N;
			false -> case erlang:monotonic_time(millisecond) > Over of
				true -> late;
				false -> timer:sleep(%d), Look(Over)
			end
		end;
	_ -> none
end end, Look(erlang:monotonic_time(millisecond) + %d).`, l.Queue, counted()[l.Count], l.Above, lookEvery.Milliseconds(), patience.Milliseconds())
	script := shellBroker + `broker "` + expression + `" ` + strconv.Itoa(int(patience.Seconds())+5)
	out, err := exec.NodeExec(ctx, node, nil, "sh", "-c", script)
	said := strings.TrimSpace(out)
	if err != nil {
		return 0, fmt.Errorf("look at the queue %s: %w", l.Queue, err)
	}
	switch said {
	case "none":
		return 0, fmt.Errorf("there is no queue %s", l.Queue)
	case "late":
		return 0, &chaos.MissedError{Moment: fmt.Sprintf("the queue %s had not come to %s>%d within %s", l.Queue, l.Count, l.Above, patience)}
	}
	n, err := strconv.Atoi(said)
	if err != nil {
		return 0, errors.New("the broker says " + said)
	}
	return n, nil
}
