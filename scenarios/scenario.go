// Package scenarios defines the scenario language: what a scenario file may
// say, and whether what it says makes sense by itself.
//
// It knows nothing of how faults, load or checks work. Package plan resolves
// what is said here against an environment and the catalogues.
package scenarios

import (
	"fmt"
	"strings"
	"time"
)

// Version is the first key's value in a scenario file.
const Version = "scenario/v1"

// A Pos is a place in a file. Both count from 1.
type Pos struct{ Line, Col int }

// A Scenario is a parsed scenario file.
type Scenario struct {
	File   string // as it was named on the command line, or library:NAME
	Source []byte // as read

	Name, About, Owner string
	Vars               map[string]string // of the file, as they were used
	VarSpots           map[string]Spot
	Tags               []string
	Target             string
	TargetPos          Pos
	TargetWidth        int               // characters that it takes in the file
	Options            map[string]string // of the target, for example replication: async
	OptionsPos         Pos
	OptionSpots        map[string]Spot
	Seed               uint64 // 0: choose one
	SeedPos            Pos
	Load               Load
	Timeline           []Event
	Objectives         []Objective
	Verify             []Verify
	Queries            []Query // of verify:, in SQL
	Bounds             Bounds
	Recovered          Recovered
	Repeat             Repeat
	RepeatPos          Pos // of its times
	Abort              *Abort
	Compare            *Compare  // nil: with nothing
	Warnings           []Problem // what is probably not meant, but can be carried out
}

// Load says what clients do.
type Load struct {
	Workload    string
	WorkloadPos Pos
	Arrivals    string // even or poisson; empty is poisson
	MaxInFlight int    // 0: the engine's own cap
	Client      Client
	SendLag     time.Duration // how late sends may be at the 99th percentile, 0: the judge's own budget
	Phases      []Phase
}

// A Phase is a named stretch of the run. What its profile does not use is
// zero.
type Phase struct {
	Name              string
	For               time.Duration
	Profile           Profile
	From, To          float64       // operations per second at its start and end; of Spike, beside and in it; of Sine, where it starts and turns
	Steps             int           // of Step
	SpikeAt, SpikeFor time.Duration // of Spike, since the phase's start
	Period            time.Duration // of Sine
	Replay            string        // of Replay: the file, as the scenario names it
	ReplayPos         Pos
	Users             Users  // of Closed
	Until             string // the entry of the timeline with which it ends, after For at the latest; empty: none
	Score             bool
	Pos               Pos
}

// Users are clients that each wait for an answer and think before they send
// again.
type Users struct {
	From, To              int           // at the phase's start and end
	ThinkLeast, ThinkMost time.Duration // any time between the two, at random
}

// An Event is one entry of the timeline.
type Event struct {
	Phase              string            // the phase it is anchored to
	Offset             time.Duration     // since that phase began
	Verb               string            // stall, lose, kill, start, ...
	Target             string            // the component it acts on; text for note, and for http without on:
	Statement          string            // of sql, exec and http: what is to be done
	Somewhere          bool              // of http: Target is a component; otherwise the request is for the target as a whole
	For                time.Duration     // zero: until something else ends it
	With               map[string]string // parameters of the fault, as written; only the catalogue understands them
	Headers            map[string]string // of http; secrets are named in them, see [Reveal]
	Again              Again             // more of the same
	To                 string            // of a restore: the mark that it goes back to; empty: as far as the log goes
	As                 string            // its name; the parser fills in VERB-N where the file says none
	Named              bool              // the file gave it a name
	Pos                Pos               // of the entry
	VerbPos, TargetPos Pos
	WithPos            Pos
	WithSpots          map[string]Spot
	HeaderSpots        map[string]Spot
}

// A Spot is where a key of a mapping and its value are written. Widths are in
// characters.
type Spot struct {
	Key, Value           Pos
	KeyWidth, ValueWidth int
}

// Again says that an entry happens several times. The zero value is once.
type Again struct {
	Times  int           // in all
	Every  time.Duration // from one to the next
	Jitter time.Duration // each is later by a random part of this
}

// Last is when the last one begins at the latest, after the first.
func (a Again) Last() time.Duration {
	if a.Times < 2 {
		return 0
	}
	return time.Duration(a.Times-1)*a.Every + a.Jitter
}

// An Objective is one limit.
type Objective struct {
	Subject string // a phase, PHASE/OP, or the name of an event
	Metric  string
	Op      string  // "<=" or ">="
	Limit   float64 // ms, percent or a count, by metric
	Text    string  // the limit as written
	Pos     Pos     // of the limit

	SubjectPos Pos
}

// A Verify asks for one check.
type Verify struct {
	Check string
	Pos   Pos
}

// Bounds override what the checks allow; zero fields keep the default.
type Bounds struct {
	Stale         time.Duration // how old the answer of a replica or a cache may be
	Answer        time.Duration // how long the system may take to say anything
	Return        time.Duration // how long after the last fault is gone clients may go without
	Amplification int           // how many times as many attempts an operation may cause as it does in calm
}

// Recovered overrides when clients count as served again; zero fields keep the
// default.
type Recovered struct {
	Window time.Duration
	Good   float64 // share, 0 to 1
	Rate   float64 // share, 0 to 1
	Within time.Duration
}

// Repeat asks for several drills, of which the worst counts.
type Repeat struct {
	Times  int           // at least 1
	Jitter time.Duration // each drill shifts its timeline by a random part of this
}

// Compare asks for a comparison with a run that was kept.
type Compare struct {
	To      string             // baseline/NAME
	WorseBy map[string]float64 // by metric: percent, of errors percentage points
	Pos     Pos
}

// Abort says when to stop for safety.
type Abort struct {
	Errors float64       // more than this percentage of operations fails; 100: whatever
	P99    time.Duration // more than one operation in a hundred takes longer; 0: whatever
	For    time.Duration // all this time
}

// Condition says in words what is not to last for [Abort.For].
func (a Abort) Condition() string {
	var all []string
	if a.Errors < 100 {
		all = append(all, fmt.Sprintf("over %g%% errors", a.Errors))
	}
	if a.P99 > 0 {
		all = append(all, "p99 over "+FormatDuration(a.P99))
	}
	return strings.Join(all, " or ")
}
