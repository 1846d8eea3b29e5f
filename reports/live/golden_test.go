package live

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/reports/reportstest"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGoldenPanel draws the panel before the load, while the primary is gone and
// at a gate, on narrow, usual and wide terminals.
func TestGoldenPanel(t *testing.T) {
	s := NewState(header())
	s.Hint("a abort  l logs")
	var out strings.Builder
	draw := func(moment string, now time.Duration) {
		for _, width := range []int{40, 80, 200} {
			fmt.Fprintf(&out, "# %s, %d columns\n%s\n\n", moment, width, strings.Join(s.panel(now, width), "\n"))
		}
	}
	draw("before the first drill", 500*time.Millisecond)
	play(s)
	draw("two seconds after the primary went", 5*time.Second)
	for _, e := range append(glances(t), silent(history.ProbeDatabase, "pg-1"), silent(history.ProbeRoute, "pgbouncer"), silent(history.ProbeCounter, "api-2")) {
		s.Observe(&e)
	}
	draw("all nodes of a ledger are watched", 5*time.Second)
	s.Observe(&history.Event{At: 6 * time.Second, By: history.ByRun, Op: history.RunHold, ID: "gate-1", Drill: 1})
	draw("a minute at a gate", 66*time.Second)
	reportstest.Golden(t, *update, "panel.txt", out.String())
}
