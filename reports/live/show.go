package live

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	redraw = 100 * time.Millisecond // on a terminal
	poll   = 500 * time.Millisecond // for changes elsewhere
	pulse  = 15 * time.Second       // between summaries elsewhere
)

// Panel redraws the five lines at the bottom of a terminal of the given width
// until ctx is done; changes of state scroll by above them, and are all there is
// until the first drill begins. now is the time since the run began.
func Panel(ctx context.Context, w io.Writer, width int, s *State, now func() time.Duration) {
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	drawn := 0
	for {
		var b strings.Builder
		if drawn > 0 {
			fmt.Fprintf(&b, "\x1b[%dA\x1b[J", drawn) // back to the first line, and clear
		}
		for _, line := range s.Changes() {
			b.WriteString(cut(line, width) + "\n")
		}
		drawn = 0
		if ctx.Err() == nil && s.Begun() {
			for _, line := range s.Lines(now()) {
				b.WriteString(cut(line, width) + "\n")
				drawn++
			}
		}
		io.WriteString(w, b.String()) //nolint:errcheck // a terminal that is gone must not end the run
		if ctx.Err() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// Plain writes a line for every change of state and a summary now and then,
// until ctx is done.
func Plain(ctx context.Context, w io.Writer, s *State, now func() time.Duration) {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	next := now() + pulse
	for {
		for _, line := range s.Changes() {
			fmt.Fprintln(w, line)
		}
		if ctx.Err() != nil {
			return
		}
		if t := now(); t >= next && s.Begun() {
			fmt.Fprintln(w, s.Summary(t))
			next = t + pulse
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// cut shortens a line to the width of the terminal, so that it takes one row.
func cut(line string, width int) string {
	r := []rune(line)
	if width <= 0 || len(r) <= width {
		return line
	}
	return string(r[:width-1]) + "…"
}
