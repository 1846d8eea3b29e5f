package live

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

const (
	redraw = 100 * time.Millisecond // on a terminal
	poll   = 500 * time.Millisecond // for changes elsewhere
	pulse  = 15 * time.Second       // between summaries elsewhere
)

// Panel redraws the five lines at the bottom of a terminal until ctx is done;
// changes of state scroll by above them. Until the first drill begins there is
// only the hint. width is that of the terminal in columns, 0 if it is not known;
// now is the time since the run began.
func Panel(ctx context.Context, w io.Writer, width func() int, s *State, now func() time.Duration) {
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	drawn := 0
	for {
		var b strings.Builder
		if drawn > 0 {
			fmt.Fprintf(&b, "\x1b[%dA\x1b[J", drawn) // back to the first line, and clear
		}
		for _, line := range s.Changes() {
			b.WriteString(line + "\n") // whole: nothing goes back over it
		}
		drawn = 0
		if ctx.Err() == nil {
			for _, line := range s.panel(now(), width()) {
				b.WriteString(line + "\n")
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

// panel is what is redrawn: each line takes one row of the width.
func (s *State) panel(now time.Duration, width int) []string {
	hint := cut(s.hinted(), width)
	if !s.Begun() {
		return []string{hint}
	}
	lines := s.Lines(now)
	for i, line := range lines {
		lines[i] = cut(line, width)
	}
	lines[0] = beside(lines[0], hint, width)
	return lines
}

// beside puts two texts into one row, the second one at its end. Where there is
// no room for both, the first one is cut.
func beside(first, second string, width int) string {
	const gap = 2
	if width <= 0 {
		return first + strings.Repeat(" ", gap) + second
	}
	room := width - gap - len([]rune(second))
	if room < gap {
		return second
	}
	first = cut(first, room)
	return first + strings.Repeat(" ", width-len([]rune(first))-len([]rune(second))) + second
}

// cut shortens a line to the width of the terminal, so that it takes one row.
func cut(line string, width int) string {
	r := []rune(line)
	if width <= 0 || len(r) <= width {
		return line
	}
	return string(r[:width-1]) + "…"
}

// plain takes out control characters, so that what a system answered cannot
// steer the terminal that it is shown on.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
}
