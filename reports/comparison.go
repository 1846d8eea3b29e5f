package reports

import (
	"time"

	"github.com/proofload/proofload/reports/check"
)

// A Comparison says whether a run was slower than another one, or failed more
// often.
type Comparison struct {
	To          string        `json:"to,omitempty"` // baseline/NAME; empty if it was asked for by hand
	Before      Side          `json:"before"`
	After       Side          `json:"after"`
	Outcome     check.Outcome `json:"outcome"`  // fail: it is worse; inconclusive: there was too little to compare
	Sentence    string        `json:"sentence"` // the outcome, with the number that decided
	Differences []Difference  `json:"differences"`
	Skipped     []string      `json:"not_compared,omitempty"` // with the reason
	Notes       []string      `json:"notes,omitempty"`        // in what else the runs differ
	Shapes      []Shape       `json:"shapes,omitempty"`       // one a phase that both have
}

// A Side is one of the runs of a [Comparison].
type Side struct {
	Run      string    `json:"run"`
	Scenario string    `json:"scenario"`
	Target   string    `json:"target"`
	Git      string    `json:"git,omitempty"`
	Began    time.Time `json:"began"`
}

// A Difference is how two runs differ in one respect.
type Difference struct {
	Phase   string  `json:"phase"`
	Op      string  `json:"op"` // "" is all of them
	Metric  string  `json:"metric"`
	Unit    string  `json:"unit"`   // ms or percent
	Before  float64 `json:"before"` // over the windows: the median of latencies, the mean of errors
	After   float64 `json:"after"`
	Change  float64 `json:"change"`  // in percent of Before; of errors, in percentage points
	Allowed float64 `json:"allowed"` // how much Change may be
	P       float64 `json:"chance"`  // of such a difference between equal runs, 0 to 1
	Worse   bool    `json:"worse"`   // it counts, and After is worse
	Better  bool    `json:"better"`  // it counts, and After is better
}

// A Shape is how latencies were spread in a phase, before and after: compressed
// V2 HdrHistograms of microseconds as base64, of the operations that were ok.
type Shape struct {
	Phase  string `json:"phase"`
	Before string `json:"before_hdr"`
	After  string `json:"after_hdr"`
}

// Worse counts the respects in which the second run is worse.
func (c *Comparison) Worse() int {
	n := 0
	for _, d := range c.Differences {
		if d.Worse {
			n++
		}
	}
	return n
}
