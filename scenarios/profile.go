package scenarios

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Profile is how the load goes within a phase.
type Profile string

// The profiles, by the way in which a phase says its load. A pause is a phase
// with rate: 0/s.
const (
	Linear Profile = ""       // rate: 200/s, and rate: 20/s -> 200/s
	Step   Profile = "step"   // rate: 100/s -> 500/s in 5 steps
	Spike  Profile = "spike"  // rate: 200/s spike 2000/s at 20s for 5s
	Sine   Profile = "sine"   // rate: 100/s <-> 300/s every 2m
	Replay Profile = "replay" // replay: FILE
	Closed Profile = "closed" // users: 50
)

const (
	maxSteps = 1000
	maxUsers = 100_000
)

var (
	stepsPattern   = regexp.MustCompile(`^(.*?) +in +(\d+) +steps$`)
	everyPattern   = regexp.MustCompile(`^(.*?) +every +(\S+)$`)
	spikePattern   = regexp.MustCompile(`^(.*?) +at +(\S+) +for +(\S+)$`)
	perHostPattern = regexp.MustCompile(`^[1-9]\d{0,5} per host$`)
	usersPattern   = regexp.MustCompile(`^(\d+)(?: *-> *(\d+))?$`)
)

// A rate is what rate: says.
type rate struct {
	profile           Profile
	from, to          float64 // operations per second
	steps             int
	spikeAt, spikeFor time.Duration
	period            time.Duration
}

// parseRate reads a constant rate or one of the ways to change it.
func parseRate(text string) (rate, *mistake) {
	if low, rest, ok := strings.Cut(text, "<->"); ok {
		return parseSine(low, rest)
	}
	if base, rest, ok := strings.Cut(text, " spike "); ok {
		return parseSpike(base, rest)
	}
	first, second, ramp := strings.Cut(text, "->")
	var r rate
	var wrong *mistake
	if r.from, wrong = parseOneRate(strings.TrimSpace(first)); !ramp || wrong != nil {
		r.to = r.from
		return r, wrong
	}
	second = strings.TrimSpace(second)
	if m := stepsPattern.FindStringSubmatch(second); m != nil {
		r.profile, second = Step, m[1]
		var err error
		if r.steps, err = strconv.Atoi(m[2]); err != nil || r.steps < 2 || r.steps > maxSteps {
			return rate{}, &mistake{m[2] + " steps are too few or too many", fmt.Sprintf("write 2 to %d", maxSteps)}
		}
	}
	r.to, wrong = parseOneRate(second)
	return r, wrong
}

func parseSine(low, rest string) (r rate, wrong *mistake) {
	m := everyPattern.FindStringSubmatch(strings.TrimSpace(rest))
	if m == nil {
		return r, &mistake{"a rate that oscillates needs its period", "write for example 100/s <-> 300/s every 2m"}
	}
	r.profile = Sine
	if r.from, wrong = parseOneRate(strings.TrimSpace(low)); wrong != nil {
		return r, wrong
	}
	if r.to, wrong = parseOneRate(m[1]); wrong != nil {
		return r, wrong
	}
	r.period, wrong = length(m[2])
	return r, wrong
}

func parseSpike(base, rest string) (r rate, wrong *mistake) {
	m := spikePattern.FindStringSubmatch(strings.TrimSpace(rest))
	if m == nil {
		return r, &mistake{"a spike needs its moment and its length", "write for example 200/s spike 2000/s at 20s for 5s"}
	}
	r.profile = Spike
	if r.from, wrong = parseOneRate(strings.TrimSpace(base)); wrong != nil {
		return r, wrong
	}
	if r.to, wrong = parseOneRate(m[1]); wrong != nil {
		return r, wrong
	}
	if r.spikeAt, wrong = parseDuration(m[2]); wrong != nil {
		return r, wrong
	}
	r.spikeFor, wrong = length(m[3])
	return r, wrong
}

// connections reads how operations share connections.
func connections(text string) (string, *mistake) {
	if text != "reuse" && text != "new" && !perHostPattern.MatchString(text) {
		return "", &mistake{fmt.Sprintf("%q says not how connections are shared", text), "write reuse, new or for example 8 per host"}
	}
	return text, nil
}

// A span is a range of whole numbers or of times.
type span[T int | time.Duration] struct{ from, to T }

// parseUsers reads how many users there are, or from how many to how many
// their number goes.
func parseUsers(text string) (span[int], *mistake) {
	m := usersPattern.FindStringSubmatch(text)
	if m == nil {
		return span[int]{}, &mistake{fmt.Sprintf("%q is not a number of users", text), "write for example 50, or 10 -> 50"}
	}
	from, err := strconv.Atoi(m[1])
	to := from
	if err == nil && m[2] != "" {
		to, err = strconv.Atoi(m[2])
	}
	if err != nil || max(from, to) > maxUsers {
		return span[int]{}, &mistake{text + " are more users than there can be", fmt.Sprintf("the most are %d", maxUsers)}
	}
	return span[int]{from, to}, nil
}

// parseThink reads a time to think, or the least and the most of it.
func parseThink(text string) (span[time.Duration], *mistake) {
	least, most, random := strings.Cut(text, " to ")
	var s span[time.Duration]
	var wrong *mistake
	if s.from, wrong = parseDuration(strings.TrimSpace(least)); wrong != nil {
		wrong.hint = "write for example 1s, or 500ms to 2s"
		return s, wrong
	}
	s.to = s.from
	if random {
		if s.to, wrong = parseDuration(strings.TrimSpace(most)); wrong != nil {
			wrong.hint = "write for example 1s, or 500ms to 2s"
			return s, wrong
		}
	}
	if s.to < s.from {
		return s, &mistake{fmt.Sprintf("%q goes backwards", text), "write the shorter time first"}
	}
	return s, nil
}
