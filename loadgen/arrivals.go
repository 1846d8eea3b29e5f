package loadgen

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// MaxArrivals bounds the arrivals of one file. Each takes 8 bytes of memory.
const MaxArrivals = 10_000_000

// maxOffset bounds the time of an arrival: a week, as of a run.
const maxOffset = 7 * 24 * time.Hour

// ReadArrivals reads recorded arrivals, for a [Replay] phase: one a line, in
// seconds since the recording began, as a decimal number such as 12.034567,
// none before the one above. Empty lines, and lines that begin with #, are
// passed over. The error names the line.
func ReadArrivals(r io.Reader) ([]time.Duration, error) {
	var offsets []time.Duration
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		at, err := parseOffset(text)
		switch {
		case err != nil:
		case len(offsets) > 0 && at < offsets[len(offsets)-1]:
			err = fmt.Errorf("%s is before %g, the arrival above", text, offsets[len(offsets)-1].Seconds())
		case len(offsets) == MaxArrivals:
			err = fmt.Errorf("more than %d arrivals", MaxArrivals)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		offsets = append(offsets, at)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read arrivals: %w", err)
	}
	if len(offsets) == 0 {
		return nil, errors.New("no arrivals")
	}
	return offsets, nil
}

func parseOffset(text string) (time.Duration, error) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds >= 0 && seconds <= maxOffset.Seconds()) {
		return 0, fmt.Errorf("%.40q is not a time in seconds from 0 to %g", text, maxOffset.Seconds())
	}
	return time.Duration(math.Round(seconds * float64(time.Second))), nil
}
