package httpload

import (
	"bytes"
	"regexp"
	"strconv"

	"github.com/proofload/proofload/scenarios"
)

// An expectation says when an answer is good.
type expectation struct {
	status  statuses
	headers []condition
	body    []condition
	json    []condition
	count   *counting // of rows or messages; nil: any
}

// statuses are ranges of HTTP statuses.
type statuses []statusRange

type statusRange struct{ from, to int }

func (s statuses) has(status int) bool {
	for _, r := range s {
		if r.from <= status && status <= r.to {
			return true
		}
	}
	return false
}

// success is every status that says so.
func success() statuses { return statuses{{200, 299}} }

// A condition is one that a part of the answer must meet: to be equal to a
// value (to hold it, of a body), or to match a pattern.
type condition struct {
	place  *scenarios.Node
	part   string // for people
	source source // of a JSON path or a header
	equals template
	match  *regexp.Regexp
}

// unmet returns the first condition that an answer does not meet, or nil.
func (e *expectation) unmet(v *visit, a *answer) *condition {
	for i := range e.headers {
		if c := &e.headers[i]; !c.holds(v, a.header.Get(c.source.header)) {
			return c
		}
	}
	for i := range e.body {
		c := &e.body[i]
		if c.match != nil && !c.match.Match(a.body) || c.match == nil && !bytes.Contains(a.body, []byte(c.equals.render(v))) {
			return c
		}
	}
	for i := range e.json {
		c := &e.json[i]
		if got, ok := c.source.find(a); !ok || !c.holds(v, got.text) {
			return c
		}
	}
	return nil
}

// holds reports whether a text is the one that is wanted.
func (c *condition) holds(v *visit, got string) bool {
	if c.match != nil {
		return c.match.MatchString(got)
	}
	return got == c.equals.render(v)
}

// parseStatus reads 200, 2xx or 200-204.
func parseStatus(text string) (statusRange, bool) {
	if m := statusClass.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		return statusRange{100 * n, 100*n + 99}, err == nil
	}
	m := statusPattern.FindStringSubmatch(text)
	if m == nil {
		return statusRange{}, false
	}
	from, err := strconv.Atoi(m[1])
	to := from
	if m[2] != "" {
		var err2 error
		if to, err2 = strconv.Atoi(m[2]); err2 != nil {
			return statusRange{}, false
		}
	}
	return statusRange{from, to}, err == nil && from <= to
}

var (
	statusClass   = regexp.MustCompile(`^([1-5])xx$`)
	statusPattern = regexp.MustCompile(`^([1-5]\d\d)(?: *- *([1-5]\d\d))?$`)
)
