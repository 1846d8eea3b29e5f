package reportstest

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	metricLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	labelPair  = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)="(?:[^"\\]|\\[n"\\])*"(,|$)`)
	metricSize = regexp.MustCompile(`^(?:[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?(?i:inf|infinity)|(?i:nan))$`)
)

// An exposition is what a parser of OpenMetrics has read so far.
type exposition struct {
	family  string // that was begun last
	said    map[string]string
	samples map[string]int // by family
	seen    map[string]bool
}

// OpenMetrics reads text as OpenMetrics 1.0.0 strictly: what the specification
// says that exposers must do, and no more than proofload uses of it, which are
// gauges and counters without timestamps. It returns how many samples each family
// has.
func OpenMetrics(text string) (map[string]int, error) {
	body, ended := strings.CutSuffix(text, "# EOF\n")
	switch {
	case !utf8.ValidString(text):
		return nil, errors.New("it is not UTF-8")
	case !ended:
		return nil, errors.New("it does not end with # EOF and a line feed")
	case body != "" && !strings.HasSuffix(body, "\n"):
		return nil, errors.New("# EOF is no line of its own")
	}
	x := &exposition{said: map[string]string{}, samples: map[string]int{}, seen: map[string]bool{}}
	n := 0
	for line := range strings.Lines(body) {
		n++
		if err := x.line(strings.TrimSuffix(line, "\n")); err != nil {
			return nil, fmt.Errorf("line %d, %q: %w", n, line, err)
		}
	}
	return x.samples, nil
}

func (x *exposition) line(line string) error {
	if rest, ok := strings.CutPrefix(line, "# "); ok {
		words := strings.SplitN(rest, " ", 3)
		if len(words) < 3 {
			return errors.New("it is neither TYPE, UNIT nor HELP of a family")
		}
		return x.describe(words[0], words[1], words[2])
	}
	return x.sample(line)
}

// describe takes one line about a family, whose first line begins it.
func (x *exposition) describe(what, family, text string) error {
	if !metricName.MatchString(family) {
		return fmt.Errorf("%q is no name", family)
	}
	if family != x.family {
		if _, known := x.samples[family]; known {
			return fmt.Errorf("family %s is in two pieces", family)
		}
		x.family, x.samples[family] = family, 0
	}
	key := what + " " + family
	if _, twice := x.said[key]; twice {
		return fmt.Errorf("%s is said twice", key)
	}
	x.said[key] = text
	switch {
	case x.samples[family] > 0:
		return errors.New("it comes behind samples of the family")
	case what == "HELP":
		return nil
	case what == "UNIT" && !strings.HasSuffix(family, "_"+text):
		return fmt.Errorf("family %s does not end with its unit", family)
	case what == "TYPE" && text != "gauge" && text != "counter", what != "TYPE" && what != "UNIT":
		return fmt.Errorf("%s %s is not expected", what, text)
	}
	return nil
}

func (x *exposition) sample(line string) error {
	m := metricLine.FindStringSubmatch(line)
	if m == nil {
		return errors.New("it is no sample")
	}
	want := x.family
	if x.said["TYPE "+x.family] == "counter" {
		want += "_total"
	}
	if x.family == "" || m[1] != want {
		return fmt.Errorf("it is not of family %q, which was begun last", x.family)
	}
	if !metricSize.MatchString(m[3]) {
		return fmt.Errorf("%s is no number", m[3])
	}
	if v, err := strconv.ParseFloat(m[3], 64); err != nil || want != x.family && v < 0 {
		return fmt.Errorf("%s is no value", m[3])
	}
	names := map[string]bool{}
	for rest := m[2]; rest != ""; {
		pair := labelPair.FindStringSubmatch(rest)
		if len(pair) != 3 || pair[2] == "," && len(rest) == len(pair[0]) {
			return fmt.Errorf("labels end at %q", rest)
		}
		if names[pair[1]] {
			return fmt.Errorf("label %s is there twice", pair[1])
		}
		names[pair[1]], rest = true, rest[len(pair[0]):]
	}
	key := m[1] + "{" + m[2] + "}"
	if x.seen[key] {
		return errors.New("the sample is there twice")
	}
	x.seen[key] = true
	x.samples[x.family]++
	return nil
}
