package check

import (
	"slices"
	"testing"

	"github.com/proofload/proofload/reports/history"
)

// TestFirstErrorOfEachClassIsSaid has two classes of errors, of which every
// second one has a text.
func TestFirstErrorOfEachClassIsSaid(t *testing.T) {
	events := load(100, 0)
	for i := range events {
		if e := &events[i]; e.By == history.ByLoad && i < 12 {
			e.Kind, e.Class = history.Fail, []string{"tls", "eof"}[i%2]
			if i > 3 {
				e.Text = "what was said of " + e.Class
			}
		}
	}
	var said []string
	for _, e := range judge(t, onlyPhase(100), events).Journal {
		if e.What == JournalError {
			said = append(said, e.Text)
		}
	}
	if want := []string{"get: tls: what was said of tls", "get: eof: what was said of eof"}; !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}
