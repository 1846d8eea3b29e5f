package live

import (
	"context"
	"encoding/json"
	"io"
	"time"
)

// beat is the time between two lines about the load for a machine that reads
// along.
const beat = time.Second

// A loadLine says how the load goes, once a second.
type loadLine struct {
	Type      string  `json:"type"` // load
	AtMS      int64   `json:"at_ms"`
	Drill     int     `json:"drill"`
	Phase     string  `json:"phase"`
	Completed int     `json:"completed"` // in the last whole second
	OK        int     `json:"ok"`        // of these
	P99MS     float64 `json:"p99_ms"`    // of those that were ok, 0 if none was
	LateMS    int64   `json:"late_ms"`   // the latest send
}

// A changeLine says that something changed.
type changeLine struct {
	Type string `json:"type"` // change
	AtMS int64  `json:"at_ms"`
	Text string `json:"text"`
}

// JSON writes one JSON object a line, for programs that watch a run: every
// change of state, and once a second how the load goes, until ctx is done.
func JSON(ctx context.Context, w io.Writer, s *State, now func() time.Duration) {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	out := json.NewEncoder(w)
	next := now() + beat
	for {
		for _, c := range s.take() {
			_ = out.Encode(changeLine{Type: "change", AtMS: c.at.Milliseconds(), Text: c.text}) //nolint:errchkjson // a reader that is gone must not end the run
		}
		if ctx.Err() != nil {
			return
		}
		if t := now(); t >= next && s.Begun() {
			_ = out.Encode(s.loadLine(t)) //nolint:errchkjson // the same
			next = t + beat
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (s *State) loadLine(now time.Duration) loadLine {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := loadLine{
		Type: "load", AtMS: now.Milliseconds(), Drill: s.drill, Phase: s.phase,
		Completed: s.last.offered, OK: s.last.ok, LateMS: s.last.maxLag.Milliseconds(),
	}
	if s.last.ok > 0 {
		l.P99MS = float64(s.last.latency.ValueAtQuantile(99))
	}
	return l
}
