package scenarios

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	maxDuration = 7 * 24 * time.Hour
	maxRate     = 1e6 // operations per second
	maxCount    = 1 << 31
)

var (
	durationPattern = regexp.MustCompile(`^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$`)
	percentPattern  = regexp.MustCompile(`^(\d+(?:\.\d+)?)%$`)
	countPattern    = regexp.MustCompile(`^\d+$`)
	ratePattern     = regexp.MustCompile(`^(\d+(?:\.\d+)?)/([sm])$`)
	limitPattern    = regexp.MustCompile(`^(<=|>=)? *(.*)$`)
	titlePattern    = regexp.MustCompile(`^[a-z][a-z0-9-]{1,62}$`)
	namePattern     = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
)

// What a name may be, for people: of a phase or an entry, and of a whole scenario,
// after which files are called.
const (
	nameHint  = "use a to z, 0 to 9 and -, and begin with a letter"
	titleHint = "use 2 to 63 characters of a to z, 0 to 9 and -, and begin with a letter"
)

// parseDuration reads a time with its unit.
func parseDuration(text string) (time.Duration, *mistake) {
	const hint = "write a number and a unit, for example 250ms, 30s or 1m30s"
	if !durationPattern.MatchString(text) {
		return 0, &mistake{fmt.Sprintf("%q is not a duration", text), hint}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d > maxDuration {
		return 0, &mistake{text + " is too long", "the longest is 168h, a week"}
	}
	return d, nil
}

// FormatDuration writes a duration as a scenario would: 2m, not 2m0s.
func FormatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// parsePercent reads a percentage.
func parsePercent(text string) (float64, *mistake) {
	m := percentPattern.FindStringSubmatch(text)
	if m == nil {
		return 0, &mistake{fmt.Sprintf("%q is not a percentage", text), "write for example 0.1% or 99%"}
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil || v > 100 {
		return 0, &mistake{text + " is more than all", "write 0% to 100%"}
	}
	return v, nil
}

// parseCount reads a whole number.
func parseCount(text string) (int, *mistake) {
	if !countPattern.MatchString(text) {
		return 0, &mistake{fmt.Sprintf("%q is not a whole number", text), "write for example 0 or 5"}
	}
	v, err := strconv.Atoi(text)
	if err != nil || v > maxCount {
		return 0, &mistake{text + " is too large", fmt.Sprintf("the most is %d", maxCount)}
	}
	return v, nil
}

// parseOneRate reads a rate, in operations per second.
func parseOneRate(text string) (float64, *mistake) {
	m := ratePattern.FindStringSubmatch(text)
	if m == nil {
		return 0, &mistake{fmt.Sprintf("%q is not a rate", text), "write for example 200/s, 600/m or 20/s -> 200/s"}
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if m[2] == "m" {
		v /= 60
	}
	if err != nil || v > maxRate {
		return 0, &mistake{text + " is more than can be offered", fmt.Sprintf("the most is %.0f/s", maxRate)}
	}
	return v, nil
}

// parseAt reads PHASE or PHASE + OFFSET.
func parseAt(text string) (phase string, offset time.Duration, wrong *mistake) {
	const hint = "write PHASE or PHASE + OFFSET, for example failover + 10s"
	phase, after, later := strings.Cut(text, "+")
	phase = strings.TrimRight(phase, " ")
	if !namePattern.MatchString(phase) {
		return "", 0, &mistake{fmt.Sprintf("%q is not a moment of the run", text), hint}
	}
	if !later {
		return phase, 0, nil
	}
	offset, wrong = parseDuration(strings.TrimLeft(after, " "))
	if wrong != nil {
		wrong.hint = hint
	}
	return phase, offset, wrong
}

// limit reads the limit of a metric: a bare value, or one after <= or >=.
func (m metric) limit(text string) (op string, limit float64, wrong *mistake) {
	parts := limitPattern.FindStringSubmatch(text)
	if parts == nil {
		return "", 0, &mistake{fmt.Sprintf("%q is not a limit", text), "write a value on one line"}
	}
	op, side := "<=", "an upper"
	if m.lower {
		op, side = ">=", "a lower"
	}
	if parts[1] != "" && parts[1] != op {
		return "", 0, &mistake{fmt.Sprintf("the limit of %s is %s one", m.name, side), fmt.Sprintf("write %q", op+" "+parts[2])}
	}
	switch m.measure {
	case percentMeasure:
		limit, wrong = parsePercent(parts[2])
	case countMeasure:
		var n int
		n, wrong = parseCount(parts[2])
		limit = float64(n)
	default:
		var d time.Duration
		d, wrong = parseDuration(parts[2])
		limit = float64(d) / float64(time.Millisecond)
	}
	return op, limit, wrong
}

// value makes a setter for what parse reads.
func value[T any](p scalarReader, dst *T, parse func(string) (T, *mistake)) func(key, value *node) {
	return func(key, value *node) {
		text, ok := p.scalar(value, key.text)
		if !ok {
			return
		}
		v, wrong := parse(text)
		if wrong != nil {
			p.add(value, wrong.msg, wrong.hint)
			return
		}
		*dst = v
	}
}
