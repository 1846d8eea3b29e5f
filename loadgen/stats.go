package loadgen

import (
	"fmt"
	"maps"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/proofload/proofload/reports/history"
)

// Stats says whether the load that was asked for was really offered. Send lag
// is how long after its scheduled moment an operation was handed to the
// transport, or shed.
type Stats struct {
	Planned   int64            `json:"planned"`           // arrivals of the schedule, those of closed phases apart
	Offered   int64            `json:"offered"`           // operations that came before the load ended or was stopped
	Sent      int64            `json:"sent"`              // of these, handed to the transport
	Completed int64            `json:"completed"`         // of these, answered to the end
	Shed      int64            `json:"shed"`              // offered and never sent
	Late      int64            `json:"late"`              // of these, shed because the generator was late and not because of the cap
	Skipped   map[string]int64 `json:"skipped,omitempty"` // by phase: planned and never due, because the phase ended early
	LagP50    float64          `json:"lag_p50_ms"`
	LagP99    float64          `json:"lag_p99_ms"`
	LagMax    float64          `json:"lag_max_ms"`
	LagHDR    string           `json:"lag_hdr"` // all send lags in µs, an HdrHistogram in its compressed V2 encoding as base64
	Self      Self             `json:"self"`
	Schedule  string           `json:"arrivals_sha256"` // of the whole schedule, also where an engine sends a share of it; empty of a load that was stopped
}

func newLag() *hdrhistogram.Histogram {
	return hdrhistogram.New(history.MinLatency.Microseconds(), history.MaxLatency.Microseconds(), 3)
}

// result returns the statistics once all jobs have ended.
func (e *engine) result() (Stats, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.stats
	s.Planned = int64(e.schedule.Share(e.Share))
	s.Schedule = e.sum
	s.Self = e.meter.read()
	err := s.setLag(e.lag)
	return s, err
}

func (s *Stats) skip(more map[string]int64) {
	all := maps.Clone(s.Skipped)
	for phase, n := range more {
		if all == nil {
			all = map[string]int64{}
		}
		all[phase] += n
	}
	s.Skipped = all
}

func (s *Stats) setLag(lag *hdrhistogram.Histogram) error {
	ms := func(q float64) float64 { return float64(lag.ValueAtQuantile(q)) / 1e3 }
	s.LagP50, s.LagP99, s.LagMax = ms(50), ms(99), ms(100)
	text, err := lag.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return fmt.Errorf("encode send lag: %w", err)
	}
	s.LagHDR = string(text)
	return nil
}

// Merge adds the statistics of another engine that sent a share of the same
// schedule. The result is exact: it is what one engine would have counted that
// had sent both shares, but for Self, which is the most that one of them took.
func (s *Stats) Merge(o *Stats) error {
	if s.Schedule != o.Schedule {
		return fmt.Errorf("merge statistics: of different arrivals, %s and %s", s.Schedule, o.Schedule)
	}
	lag := newLag()
	for _, text := range []string{s.LagHDR, o.LagHDR} {
		part, err := hdrhistogram.Decode([]byte(text))
		if err != nil {
			return fmt.Errorf("merge statistics: decode send lag: %w", err)
		}
		lag.Merge(part)
	}
	s.Planned += o.Planned
	s.Offered += o.Offered
	s.Sent += o.Sent
	s.Completed += o.Completed
	s.Shed += o.Shed
	s.Late += o.Late
	s.skip(o.Skipped)
	s.Self.merge(o.Self)
	return s.setLag(lag)
}
