package live

import (
	"bytes"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// BenchmarkPanel draws the panel as a terminal would be sent it, and says what
// share of a core that takes at the rate at which it is redrawn: 1 % is the aim.
// What the drawing needs of every operation is timed apart.
func BenchmarkPanel(b *testing.B) {
	s := NewState(header())
	play(s)
	for _, e := range glances(b) {
		s.Observe(&e)
	}
	at := 3 * time.Second
	b.Run("draw", func(b *testing.B) {
		var screen bytes.Buffer
		for i := 0; b.Loop(); i++ {
			if i%10 == 0 { // every second the phase is counted anew
				at += time.Second
				s.Observe(&history.Event{At: at, By: history.ByLoad, Kind: history.OK, Op: "read", Drill: 1, Phase: "steady", Sched: at, Sent: at})
			}
			screen.Reset()
			for _, line := range s.Lines(at) {
				screen.WriteString(cut(line, 120) + "\n")
			}
		}
		b.ReportMetric(100*b.Elapsed().Seconds()/float64(b.N)/redraw.Seconds(), "%core")
	})
	b.Run("observe", func(b *testing.B) {
		const rate = 1000.0 // operations per second
		for i := 0; b.Loop(); i++ {
			at += time.Millisecond
			s.Observe(&history.Event{At: at, By: history.ByLoad, Kind: history.OK, Op: "read", Drill: 1, Phase: "steady", Sched: at, Sent: at})
		}
		b.ReportMetric(100*b.Elapsed().Seconds()/float64(b.N)*rate, "%core/1000ops")
	})
}
