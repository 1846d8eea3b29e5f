package chaos

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proofload/proofload/sut"
)

// ErrNotAllowed is wrapped by errors that refuse a fault because the owner of
// the target does not allow it.
var ErrNotAllowed = errors.New("the target does not allow it")

// The classes of targets. In production nothing is broken, whatever else is
// said.
const (
	ClassSandbox    = "sandbox"
	ClassStaging    = "staging"
	ClassProduction = "production"
)

// A Policy is what the owner of a target allows to be broken. The zero value
// allows everything.
type Policy struct {
	Class   string        // one of the classes; empty is a sandbox
	Faults  []string      // kinds; nil: all
	On      []string      // names of nodes and links; nil: all
	Active  int           // faults at the same time; 0: any number
	TTL     time.Duration // of one fault at most; 0: [MaxTTL]
	Quorum  []sut.Role    // roles of which more than half of the nodes, and the links to them, stay untouched
	Windows []Window      // times throughout which something may be broken; nil: any
}

// Allows reports that a fault is not allowed, as far as that can be known before
// the run. It is pure.
func (p Policy) Allows(kind string, params Params) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%s %s: %w: %s", kind, params.Target.Ref, ErrNotAllowed, fmt.Sprintf(format, args...))
	}
	if p.Class == ClassProduction {
		return refuse("it is of class %s, in which nothing is broken", ClassProduction)
	}
	if p.Faults != nil && !slices.Contains(p.Faults, kind) {
		return refuse("it allows %s", strings.Join(p.Faults, ", "))
	}
	if limit := p.TTL; limit > 0 && params.TTL() > limit {
		return refuse("a fault lasts %s at most, not %s: say for:", limit, params.TTL())
	}
	if p.On != nil {
		for _, name := range names(params.Target) {
			if !slices.Contains(p.On, name) {
				return refuse("%s is not among %s", name, strings.Join(p.On, ", "))
			}
		}
	}
	return nil
}

// Permit makes the [Permit] that holds each injection into an environment of
// that shape to the policy.
func (p Policy) Permit(topology sut.Topology) Permit {
	return func(pending []Entry, next Undo) error {
		if p.Class == ClassProduction {
			return fmt.Errorf("%w: it is of class %s", ErrNotAllowed, ClassProduction)
		}
		if p.Active > 0 && len(pending) >= p.Active {
			return fmt.Errorf("%w: %d faults are in effect, which is the most at one time", ErrNotAllowed, len(pending))
		}
		now := time.Now()
		if err := p.Within(now, now.Add(next.TTL)); err != nil {
			return err
		}
		touched := strings.Split(next.Target, ",")
		for _, e := range pending {
			touched = append(touched, strings.Split(e.Undo.Target, ",")...)
		}
		for _, l := range topology.Links {
			if slices.Contains(touched, l.Name) {
				touched = append(touched, l.From, l.To)
			}
		}
		for _, role := range p.Quorum {
			if err := quorum(topology.ByRole(role), touched); err != nil {
				return fmt.Errorf("%w: of %s %w", ErrNotAllowed, role, err)
			}
		}
		return nil
	}
}

// Within reports that not all of the time from a moment, which is now, until
// another one lies in the windows.
func (p Policy) Within(now, until time.Time) error { return p.open("now", now, until) }

// AllowsAt is Within for a time that is to come.
func (p Policy) AllowsAt(from, until time.Time) error {
	return p.open(from.UTC().Format("Mon 15:04"), from, until)
}

func (p Policy) open(began string, from, until time.Time) error {
	if throughout(p.Windows, from, until) {
		return nil
	}
	return fmt.Errorf("%w from %s until %s: only %s", ErrNotAllowed, began, until.UTC().Format("15:04 MST"), join(p.Windows))
}

// quorum reports that no majority of the nodes would be left untouched.
func quorum(nodes []sut.Node, touched []string) error {
	return majority(len(nodes), countTouched(nodes, touched))
}

func countTouched(nodes []sut.Node, touched []string) int {
	hit := 0
	for _, n := range nodes {
		if slices.Contains(touched, n.Name) {
			hit++
		}
	}
	return hit
}

// A Window is a stretch of each of some days at which something may be broken.
type Window struct {
	text     string
	days     [7]bool // from Sunday
	from, to time.Duration
	zone     *time.Location
}

// String returns the window as it was written.
func (w Window) String() string { return w.text }

var windowPattern = regexp.MustCompile(`^(?:([A-Z][a-z]{2})(?:-([A-Z][a-z]{2}))? )?(\d{2}):(\d{2})-(\d{2}):(\d{2})(?: ([A-Za-z_+/0-9-]+))?$`)

// ParseWindow reads a window: days, if not all, hours, and the zone that they
// are of, if not UTC, for example "Mon-Fri 09:00-16:00 Europe/London".
func ParseWindow(text string) (Window, error) {
	w := Window{text: text, zone: time.UTC}
	m := windowPattern.FindStringSubmatch(text)
	if m == nil {
		return w, fmt.Errorf("%q is not a window of time", text)
	}
	first, last := 0, 6
	if m[1] != "" {
		first = weekday(m[1])
		last = first
	}
	if m[2] != "" {
		last = weekday(m[2])
	}
	if first < 0 || last < 0 {
		return w, fmt.Errorf("%q has no such day: there are Sun, Mon, Tue, Wed, Thu, Fri and Sat", text)
	}
	for d := first; ; d = (d + 1) % 7 {
		w.days[d] = true
		if d == last {
			break
		}
	}
	w.from, w.to = clock(m[3], m[4]), clock(m[5], m[6])
	if w.from >= w.to || w.to > 24*time.Hour {
		return w, fmt.Errorf("%q does not end after it begins, on the same day", text)
	}
	if m[7] != "" {
		zone, err := time.LoadLocation(m[7])
		if err != nil {
			return w, fmt.Errorf("%q has no such zone: %w", text, err)
		}
		w.zone = zone
	}
	return w, nil
}

func weekday(name string) int {
	return slices.Index([]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}, name)
}

func clock(hours, minutes string) time.Duration {
	h, _ := strconv.Atoi(hours)   // two digits
	m, _ := strconv.Atoi(minutes) // as well
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
}

// contains reports whether a moment lies in the window.
func (w Window) contains(at time.Time) bool {
	at = at.In(w.zone)
	of := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
	return w.days[at.Weekday()] && of >= w.from && of < w.to
}

// end is when the window ends that a moment lies in.
func (w Window) end(at time.Time) time.Time {
	year, month, day := at.In(w.zone).Date()
	return time.Date(year, month, day, int(w.to.Hours()), int(w.to.Minutes())%60, 0, 0, w.zone)
}

// throughout reports whether each moment from one to another lies in any of the
// windows, if there are any.
func throughout(windows []Window, from, until time.Time) bool {
	for at := from; len(windows) > 0; {
		i := slices.IndexFunc(windows, func(w Window) bool { return w.contains(at) })
		if i < 0 {
			return false
		}
		// Where clocks are set back, an hour comes twice, and ends but once.
		if at = later(windows[i].end(at), at.Add(time.Minute)); !at.Before(until) {
			return true
		}
	}
	return true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func join(windows []Window) string {
	texts := make([]string, len(windows))
	for i, w := range windows {
		texts[i] = w.text
	}
	return strings.Join(texts, ", ")
}
