package check

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ms converts to the unit of results.
func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func msOrUnseen(d time.Duration) float64 {
	if d == unseen {
		return -1
	}
	return ms(d)
}

// since returns the time from t0 in ms, negative if the moment was not seen.
func since(t0, at time.Duration) float64 {
	if at == unseen {
		return -1
	}
	return ms(max(0, at-t0))
}

// count writes a number with thousands separators.
func count[T int | int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(s) - 3; i > start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// many writes a number of things.
func many[T int | int64](n T, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return count(n) + " " + thing
}

// value writes a value with its unit to three significant digits.
func value(unit string, v float64) string {
	switch {
	case unit == unitPercent:
		return digits(v) + " %"
	case unit == unitCount:
		return count(int64(math.Round(v)))
	case v == 0:
		return "0 s"
	case math.Abs(v) < 1000:
		return digits(v) + " ms"
	}
	return digits(v/1000) + " s"
}

// beside writes a value so that it differs from the limit if it does.
func (o Objective) beside(v float64) string {
	unit := unitOf(o.Metric)
	text := value(unit, v)
	if v == o.Limit || text != value(unit, o.Limit) || unit == unitCount {
		return text
	}
	unit = map[string]string{unitMS: "ms", unitPercent: "%"}[unit]
	return strconv.FormatFloat(v, 'f', -1, 64) + " " + unit
}

// span writes a duration.
func span(d time.Duration) string { return value(unitMS, ms(d)) }

func digits(v float64) string {
	places := 2
	switch a := math.Abs(v); {
	case a >= 100:
		places = 0
	case a >= 10:
		places = 1
	case a > 0 && a < 0.1:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	s := strconv.FormatFloat(v, 'f', places, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// limit writes the limit of an objective beside its value.
func (o Objective) limit() string {
	word := "limit"
	if o.Op == ">=" {
		word = "at least"
	}
	return fmt.Sprintf("(%s %s)", word, value(unitOf(o.Metric), o.Limit))
}

// happened says in words what an entry of the timeline did: "the primary was
// lost".
func happened(e Entry) string {
	past := map[string]string{
		"lose": "lost", "kill": "killed", "stop": "stopped", "pause": "paused", "partition": "partitioned",
		"stall": "stalled", "start": "started", "restore": "restored", "heal": "healed",
	}[e.Verb]
	if past == "" || e.Target == "" {
		return e.Name
	}
	target := e.Target
	if _, member, ok := strings.Cut(target, "."); ok && !strings.ContainsAny(member, "[.") {
		target = "the " + strings.ReplaceAll(member, "-", " ")
	}
	return target + " was " + past
}

// sentence makes a sentence of a clause. A first word that is a name, such as
// p99 or jobs-done, is left as it is.
func sentence(clause string) string {
	word, _, _ := strings.Cut(clause, " ")
	if strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsLetter(r) }) || word == "" {
		return strings.TrimSuffix(clause, ".") + "."
	}
	r, size := utf8.DecodeRuneInString(clause)
	return string(unicode.ToUpper(r)) + strings.TrimSuffix(clause[size:], ".") + "."
}
