package loadgen

import (
	"errors"
	"fmt"
	"os"
)

// A turn is how a goroutine that never waits lets all others go first: those
// that can run, and then those that the network has something for. Yielding
// with [runtime.Gosched] does only half of that, since the scheduler asks the
// network only when nothing can run, and a timer is too coarse, since an idle
// process wakes on whole milliseconds. So the goroutine waits for a byte that
// comes as the network's data does.
type turn struct{ in, out *os.File }

func newTurn() (*turn, error) {
	in, out, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("open pipe: %w", err)
	}
	return &turn{in, out}, nil
}

// wait returns when the others had their turn.
func (t *turn) wait() {
	go func() { _, _ = t.out.Write([]byte{0}) }() // there is always room for one
	_, _ = t.in.Read(make([]byte, 1))             // cannot fail before close
}

func (t *turn) close() error { return errors.Join(t.out.Close(), t.in.Close()) }
