// Package check decides from a history whether a run met its objectives.
//
// Checkers are pure functions of a history: they open no connection and read
// no clock, so that the same history always gets the same verdict. A history
// is read once, event by event, by all of them together.
package check

import "github.com/proofload/proofload/reports/history"

// An Outcome is the answer to one question asked of a history.
type Outcome string

// The outcomes. Inconclusive means that the question was not really asked, for
// example because no write was acknowledged; it is not a pass.
const (
	Pass         Outcome = "pass"
	Inconclusive Outcome = "inconclusive"
	Fail         Outcome = "fail"
)

// Worst returns the most serious of the given outcomes: a failure outweighs an
// inconclusive, and that outweighs a pass. Of no outcomes it is inconclusive.
func Worst(outcomes ...Outcome) Outcome {
	if len(outcomes) == 0 {
		return Inconclusive
	}
	worst := Pass
	for _, o := range outcomes {
		switch o {
		case Fail:
			return Fail
		case Pass:
		default:
			worst = Inconclusive
		}
	}
	return worst
}

// A Verdict is what a checker found.
type Verdict struct {
	Check    string   `json:"check"`
	Outcome  Outcome  `json:"outcome"`
	Reason   string   `json:"reason"`             // one sentence with the numbers that decided it
	Examples []string `json:"examples,omitempty"` // first and worst, at most 10
	Groups   []Group  `json:"groups,omitempty"`   // of a failure: what failed, by operation, the most frequent first
	Causes   []string `json:"causes,omitempty"`   // of a failure: what the evidence says of its cause, most telling first

	// Pictures are documents that show what was found, by the name of their file
	// in the run directory.
	Pictures map[string][]byte `json:"-"`
}

// A Group is what a checker found wrong of one operation.
type Group struct {
	Op     string         `json:"op"` // or the kind of thing, where it is no operation
	Count  int            `json:"count"`
	Since  float64        `json:"since_ms"` // the first, since the run began
	Until  float64        `json:"until_ms"` // the last
	ByNode map[string]int `json:"by_node,omitempty"`
	Cases  []Case         `json:"cases"` // the first ones, then the worst
}

// A Case is one example of a [Group].
type Case struct {
	At          float64 `json:"at_ms"`        // since the run began
	ID          string  `json:"id,omitempty"` // of the write, or of what was read
	Node        string  `json:"node,omitempty"`
	Correlation string  `json:"correlation_id,omitempty"` // by which the logs of the system name it
	Worst       bool    `json:"worst,omitempty"`
	Text        string  `json:"text"`
}

// A Checker looks for one kind of anomaly. It is used for one history and then
// thrown away.
type Checker interface {
	Name() string

	// Observe takes the next event. The event is only valid during the call.
	Observe(e *history.Event)

	// Verdict is called once, after the last event.
	Verdict() Verdict
}

// A Judgement is all that is said about one history.
type Judgement struct {
	Outcome    Outcome           `json:"outcome"`
	Sentence   string            `json:"sentence"`          // the verdict in one sentence, with the number that decided
	Reasons    []string          `json:"reasons,omitempty"` // why it is not a pass, most serious first
	Objectives []ObjectiveResult `json:"objectives"`
	Checks     []Verdict         `json:"checks"`
	Recoveries []Recovery        `json:"recoveries"`
	Writes     Writes            `json:"writes"`
	Windows    []Window          `json:"windows"`
	Generator  Generator         `json:"generator"`
	Faults     []FaultWindow     `json:"faults"`
	Series     []Second          `json:"series"`
	Heat       []Heat            `json:"heat,omitempty"`    // one a drill
	Topology   Topology          `json:"topology,omitzero"` // zero if nothing is known of it
	Journal    []JournalEntry    `json:"journal,omitempty"` // what happened, for people

	// Diagnoses are findings beside the verdict: they fail nothing.
	Diagnoses []Diagnosis `json:"diagnoses,omitempty"`
}

// A Diagnosis is something about the system that its owner should know, though
// no promise was broken by it.
type Diagnosis struct {
	Sign     string   `json:"sign"` // pool-saturated, connections-held, heap-grows, cache-missed, many-queries, slow-statement or missing-index
	Node     string   `json:"node"`
	Text     string   `json:"text"`     // one sentence with the numbers
	Evidence []string `json:"evidence"` // what it was seen from
	Next     string   `json:"next"`     // what to do about it
}

// An ObjectiveResult is a limit beside its measured value.
type ObjectiveResult struct {
	Subject    string    `json:"subject"`
	Metric     string    `json:"metric"`
	Unit       string    `json:"unit"` // ms, percent or count
	Op         string    `json:"op"`
	Limit      float64   `json:"limit"`
	Value      float64   `json:"value"`    // the worst of Samples; meaningless if Outcome is inconclusive and Samples is empty
	Censored   bool      `json:"censored"` // Value is a lower bound: not recovered inside the observation
	Margin     float64   `json:"margin"`   // how far inside the limit, negative if outside
	Outcome    Outcome   `json:"outcome"`
	OK         bool      `json:"ok"`                   // Outcome is a pass: the objective was met
	Reason     string    `json:"reason,omitempty"`     // why it is not a pass
	Note       string    `json:"note,omitempty"`       // what a reader should know beside the value, for example "48,210 acknowledged, 48,210 found"
	Samples    []float64 `json:"samples"`              // one a drill
	Resolution float64   `json:"resolution,omitempty"` // of Value, in Unit
	At         Place     `json:"at"`
}

// A Place is where something stands in the scenario file, from 1.
type Place struct {
	Line int `json:"line"`
	Col  int `json:"col"`
}

// A Recovery is what one drill showed of one event with a recovery objective,
// in ms since T0, the moment the inject call was made. A negative number means
// that it was not seen. Only Steady decides; the others explain.
type Recovery struct {
	Event      string             `json:"event"`
	Drill      int                `json:"drill"`
	Injected   float64            `json:"injected_at_ms"`    // T0 since the run began
	CallTook   float64            `json:"inject_call_ms"`    // the width of T0
	Propagated float64            `json:"propagated_ms"`     // seen in effect by an observer
	Impact     float64            `json:"impact_ms"`         // scheduled time of the first operation that was not good
	Noticed    float64            `json:"noticed_ms"`        // the failover agent saw the leader lock gone
	Promoted   float64            `json:"promoted_ms"`       // another node left recovery
	Rerouted   float64            `json:"rerouted_ms"`       // the service's own path led to it
	FirstOK    float64            `json:"first_ok_ms"`       // first write acknowledged by the new primary
	Steady     float64            `json:"steady_ms"`         // the recovery time: the worst class
	Censored   bool               `json:"censored"`          // Steady is the end of the observation
	ByClass    map[string]float64 `json:"by_class_ms"`       // recovery time of "read" and "write"
	BadSeconds int                `json:"bad_seconds"`       // whole seconds below target
	Flaps      int                `json:"flaps"`             // good, then bad again
	Lost       int                `json:"lost"`              // acknowledged writes of this drill that are gone
	Point      float64            `json:"recovery_point_ms"` // T0 minus the acknowledgement of the oldest lost, 0 if none
	LossWindow float64            `json:"loss_window_ms"`
	Stalled    float64            `json:"stalled_ms"` // how long replication had been stalled at T0, negative if it was not
}

// Writes accounts for every write of the run.
type Writes struct {
	Attempted        int      `json:"attempted"`
	Acknowledged     int      `json:"acknowledged"`
	Found            int      `json:"found"` // of the acknowledged
	Lost             int      `json:"lost"`
	LostAmount       int64    `json:"lost_amount"`
	LostAfterT0      int      `json:"lost_after_t0"`      // acknowledged after the inject call had returned, and gone: split brain
	ObservedThenLost int      `json:"observed_then_lost"` // a read returned it, and it is gone; acknowledged or not
	Duplicated       int      `json:"duplicated"`
	Indeterminate    int      `json:"indeterminate"`
	Recovered        int      `json:"recovered"`  // indeterminate and present
	Unexpected       int      `json:"unexpected"` // refused or never attempted, and present
	LostIDs          []string `json:"lost_ids,omitempty"`
	DuplicatedIDs    []string `json:"duplicated_ids,omitempty"`
}

// A Window is the statistics of one operation in one phase, over all drills.
// Latencies count from the scheduled time, in ms, of operations that were
// answered as their contract says.
type Window struct {
	Phase  string           `json:"phase"`
	Op     string           `json:"op"` // "" is all of them
	Score  bool             `json:"score"`
	Count  int64            `json:"count"` // offered
	OK     int64            `json:"ok"`
	Errors int64            `json:"errors"`
	Shed   int64            `json:"shed"`
	P50    float64          `json:"p50_ms"`
	P90    float64          `json:"p90_ms"`
	P95    float64          `json:"p95_ms"`
	P99    float64          `json:"p99_ms"`
	P999   float64          `json:"p99_9_ms"`
	Max    float64          `json:"max_ms"`
	ByErr  map[string]int64 `json:"by_error,omitempty"`
	Parts  []Part           `json:"parts,omitempty"`

	// Compressed V2 HdrHistograms of microseconds as base64, one an outcome.
	HDR     string `json:"hdr,omitempty"`      // of the operations that were answered as their contract says
	HDRFail string `json:"hdr_fail,omitempty"` // of those that did not happen and were sent
	HDRInfo string `json:"hdr_info,omitempty"` // of those that may have happened
}

// Generator says whether the load that was asked for was really offered.
type Generator struct {
	Offered   int64   `json:"offered"`
	Sent      int64   `json:"sent"`
	Completed int64   `json:"completed"`
	Shed      int64   `json:"shed"`
	LagP50    float64 `json:"lag_p50_ms"`
	LagP99    float64 `json:"lag_p99_ms"` // outside fault windows
	LagMax    float64 `json:"lag_max_ms"`
	Processor float64 `json:"processor_share,omitempty"` // of the generator's machine, what it took in the busiest drill; 0 to 1
	GCPause   float64 `json:"gc_pause_ms,omitempty"`     // its longest pause for garbage collection
	Fell      bool    `json:"fell_behind"`
	Reason    string  `json:"reason,omitempty"`
}

// A FaultWindow is the time that a fault was in effect, in ms since the run
// began.
type FaultWindow struct {
	Name    string  `json:"name"`
	Verb    string  `json:"verb"`
	Target  string  `json:"target"`
	Drill   int     `json:"drill"`
	From    float64 `json:"from_ms"`
	Settled float64 `json:"settled_ms"` // negative: never seen in effect
	To      float64 `json:"to_ms"`      // negative: never seen to be gone
	Proof   string  `json:"proof"`
	Open    bool    `json:"open"` // may still be in place
}

// Breaks reports whether it is a fault rather than an operation, such as a start
// or a restore, which is listed in the same way.
func (f *FaultWindow) Breaks() bool { return breaks(f.Verb) }

// A Second is one second of the run, for charts.
type Second struct {
	At      float64 `json:"at_s"` // since the run began
	Drill   int     `json:"drill"`
	Phase   string  `json:"phase"`
	Offered int     `json:"offered"`
	OK      int     `json:"ok"`
	Errors  int     `json:"errors"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`

	// Covered is the share of the second that the load of its drill went on, where
	// that is not all of it: what was counted is a rate only when divided by it.
	Covered float64 `json:"covered,omitempty"`
}
