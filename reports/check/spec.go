package check

import (
	"cmp"
	"time"
)

// A Spec says what a run promised and how it was laid out. It is stored in the
// run's manifest, so that a history can be judged with no scenario at hand.
type Spec struct {
	Phases     []Phase     `json:"phases"`
	Events     []Entry     `json:"events"`
	Objectives []Objective `json:"objectives"`
	Verify     []string    `json:"verify"`
	Queries    []Query     `json:"queries,omitempty"`
	Recovered  Recovered   `json:"recovered"`
	Drills     int         `json:"drills"` // how many the run was to have

	// SendLag is how late operations may be sent at the 99th percentile outside
	// fault windows; above it the generator fell behind. Zero is
	// [DefaultSendLag].
	SendLag time.Duration `json:"send_lag_ns,omitempty"`

	// Beyond says, in words, which scored phases offer more than the machine was
	// calibrated for. Nobody knows what such a run says of the system.
	Beyond []string `json:"beyond_calibration,omitempty"`

	Bounds Bounds `json:"bounds,omitzero"`

	// Compare asks for a comparison with a baseline. It takes another run, so
	// that [Judge] does none by itself.
	Compare *Compare `json:"compare,omitempty"`
}

// Compare says what a run is to be no worse than.
type Compare struct {
	To      string             `json:"to"`       // baseline/NAME
	WorseBy map[string]float64 `json:"worse_by"` // by metric (p50, p90, p99, errors): percent, of errors percentage points
}

// Bounds are what some of the checkers allow. Zero fields are those of
// [DefaultBounds].
type Bounds struct {
	Stale         time.Duration `json:"stale_ns,omitempty"`      // how old the answer of a replica or a cache may be
	Answer        time.Duration `json:"answer_ns,omitempty"`     // how long the system may take to say anything, and to give up what its client has given up
	Return        time.Duration `json:"return_ns,omitempty"`     // how long after the last fault is gone clients may go without
	Amplification float64       `json:"amplification,omitempty"` // how many times as many attempts an operation may cause as it does in calm
}

// DefaultBounds is used where a scenario does not say otherwise. Answer is a
// little less than the time after which clients give up.
func DefaultBounds() Bounds {
	return Bounds{Stale: 5 * time.Second, Answer: 4900 * time.Millisecond, Return: 15 * time.Second, Amplification: 3}
}

// orDefault fills in what is not set.
func (b Bounds) orDefault() Bounds {
	def := DefaultBounds()
	return Bounds{
		Stale: cmp.Or(b.Stale, def.Stale), Answer: cmp.Or(b.Answer, def.Answer), Return: cmp.Or(b.Return, def.Return),
		Amplification: cmp.Or(b.Amplification, def.Amplification),
	}
}

// A Phase is a named stretch of each drill. Start and For are offsets from the
// drill's beginning.
type Phase struct {
	Name  string        `json:"name"`
	Start time.Duration `json:"start_ns"`
	For   time.Duration `json:"for_ns"`
	From  float64       `json:"from_per_s"` // offered rate at its start, operations per second
	To    float64       `json:"to_per_s"`   // and at its end
	Score bool          `json:"score"`      // false: counted in no objective

	// Planned is how many operations the rate adds up to, where it does not go
	// evenly from From to To. It is zero for a closed phase, as these are: its
	// users send when they have an answer, and nobody plans how often.
	Planned float64 `json:"planned,omitempty"`
	Users   int     `json:"users,omitempty"` // of a closed phase, at most; 0: it has a rate

	// Until is the entry of the timeline that ends the phase when it is over. The
	// phase then lasts for For at most.
	Until string `json:"until,omitempty"`
}

// operations is how many operations were planned in the phase.
func (p Phase) operations() float64 {
	return cmp.Or(p.Planned, (p.From+p.To)/2*p.For.Seconds())
}

// An Entry is one entry of the timeline.
type Entry struct {
	Name   string        `json:"name"` // its "as", or VERB-N
	Verb   string        `json:"verb"`
	Target string        `json:"target"` // as the scenario says it
	Phase  string        `json:"phase"`
	At     time.Duration `json:"at_ns"` // offset from the drill's beginning, without jitter
	For    time.Duration `json:"for_ns,omitempty"`
	Line   int           `json:"line"` // in the scenario file
}

// An Objective is one limit of the scenario.
type Objective struct {
	Subject string  `json:"subject"` // a phase, PHASE/OP, or the name of an event
	Metric  string  `json:"metric"`  // p50 p90 p95 p99 p99.9 max (ms), errors (percent), rate (percent of offered), rto rpo (ms), lost_writes duplicates (count), took (ms)
	Op      string  `json:"op"`      // "<=" or ">="
	Limit   float64 `json:"limit"`   // in the metric's unit
	Line    int     `json:"line"`
	Col     int     `json:"col"`
}

// Recovered says when clients count as served again: from the start of the
// first window of at least Window and MinOps operations in which at least Good
// of the offered operations were good (contract held, answered within Within
// of their scheduled time), at no less than Rate of the offered rate, and that
// then holds to the end of the phase.
type Recovered struct {
	Window time.Duration `json:"window_ns"`
	MinOps int           `json:"min_ops"`
	Good   float64       `json:"good"`
	Rate   float64       `json:"rate"`
	Within time.Duration `json:"within_ns"`
}

// DefaultSendLag is used where a scenario does not say otherwise.
const DefaultSendLag = 50 * time.Millisecond

// DefaultRecovered is used where a scenario does not say otherwise: 5 s, 50
// operations, 99 % good at 90 % of the offered rate, each within 1 s.
func DefaultRecovered() Recovered {
	return Recovered{Window: 5 * time.Second, MinOps: 50, Good: 0.99, Rate: 0.90, Within: time.Second}
}
