package html_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/reportstest"
)

// described returns what is said of a chart to those who cannot see it.
func described(t *testing.T, page, id string) string {
	t.Helper()
	for _, e := range parse(t, page) {
		if e.name == "desc" && e.attr["id"] == id+"-desc" {
			return e.text
		}
	}
	t.Fatalf("no chart %q", id)
	return ""
}

func TestSystemBeforeAtAndAfterTheFailure(t *testing.T) {
	said := described(t, write(t, reportstest.Pass()), "topology-wide")
	for _, want := range []string{
		"Before: lb load balancer, api-1 service,", "pg-1 primary, pg-2 replica, pg-3 replica,",
		"Failure noticed, T0 +9.10 s:", "pg-1 lost, pg-2 replica, pg-3 replica,",
		"Clients served again, T0 +12.4 s:", "pg-1 lost, pg-2 primary, pg-3 replica,",
	} {
		at := strings.Index(said, want)
		if at < 0 {
			t.Fatalf("%q does not go on with %q", said, want)
		}
		said = said[at:]
	}
}

// TestPictureSaysItsMoment has the heading name the moment that is drawn.
func TestPictureSaysItsMoment(t *testing.T) {
	heading := func(r *reports.Result) string {
		for _, e := range parse(t, write(t, r)) {
			if e.name == "h2" && e.attr["id"] == "topology" {
				return e.text
			}
		}
		return ""
	}
	r := reportstest.Pass()
	if got, want := heading(r), "The system before the failure, at T0 +9.10 s, and afterwards"; got != want {
		t.Errorf("noticed: %q, want %q", got, want)
	}
	r.Recoveries[0].Noticed = -1
	if got, want := heading(r), "The system before the failure, at T0 +620 ms, and afterwards"; got != want {
		t.Errorf("not noticed: %q, want %q", got, want)
	}
	r.Recoveries = nil
	if got, want := heading(r), "The system before the failure, at 1:28, and afterwards"; got != want {
		t.Errorf("without an objective: %q, want %q", got, want)
	}
	r.Faults = nil
	if got, want := heading(r), "The system"; got != want {
		t.Errorf("without a fault: %q, want %q", got, want)
	}
}

func TestSystemThatDidNotRecover(t *testing.T) {
	r := reportstest.Pass()
	r.Recoveries[0].Censored = true
	if said := described(t, write(t, r), "topology-wide"); !strings.Contains(said, "not recovered: ") {
		t.Errorf("got %q", said)
	}
	r.Recoveries[0].Censored, r.Recoveries[0].Steady = false, 0
	if said := described(t, write(t, r), "topology-narrow"); !strings.Contains(said, "At the end of the drill: ") || strings.Contains(said, "served again") {
		t.Errorf("nobody was disturbed, and it says %q", said)
	}
	r.Faults, r.Recoveries = nil, nil
	if said := described(t, write(t, r), "topology-wide"); !strings.HasPrefix(said, "At the end: ") {
		t.Errorf("got %q", said)
	}
}

// TestLabelsDoNotMeet puts the words of a recovery that was not seen on the
// side of T0 where the name of the moment would be.
func TestLabelsDoNotMeet(t *testing.T) {
	r := reportstest.Pass()
	r.Recoveries[0].Censored, r.Recoveries[0].Steady = true, 140_000
	missed := false
	for _, e := range parse(t, write(t, r)) {
		if e.name == "text" && strings.HasPrefix(e.text, "not recovered after") {
			missed = true
		}
		if e.name == "text" && strings.Contains(e.text, "lost, T0 1:30") {
			t.Errorf("%q stands where the recovery is worded", e.text)
		}
	}
	if !missed {
		t.Error("it does not say that clients did not recover")
	}
}

// A result may come from another hand.
func TestHeatThatIsNotSoundIsLeftOut(t *testing.T) {
	for name, h := range map[string]check.Heat{
		"no width":    {Drill: 1, Bounds: []float64{10}, Counts: [][]int{{1}}},
		"short row":   {Drill: 1, Step: 1, Bounds: []float64{10, 20}, Counts: [][]int{{1}}},
		"no columns":  {Drill: 1, Step: 1, Bounds: []float64{10}},
		"other drill": {Drill: 7, Step: 1, Bounds: []float64{10}, Counts: [][]int{{1}}},
	} {
		r := reportstest.ThreeSeconds()
		r.Heat = []check.Heat{h}
		if strings.Contains(write(t, r), `class="heat-`) {
			t.Errorf("%s: it is drawn", name)
		}
	}
}

func TestFindingsBeginWithWhatWasMissed(t *testing.T) {
	rows := rowCells(t, write(t, reportstest.LostWrites()))
	for _, want := range []string{"1 primary-lost rpo is 2.12 s, and the limit is 0 s high", "4"} {
		if !slices.Contains(rows, want) {
			t.Errorf("no row %q", want)
		}
	}
}

// TestWhatWasNotLookedUpIsNotZero: of a run that died nobody knows what is lost.
func TestWhatWasNotLookedUpIsNotZero(t *testing.T) {
	r := reportstest.Pass()
	r.Writes.Found, r.Writes.Lost = 0, 0
	rows := rowCells(t, write(t, r))
	if want := "1 4.00 ms 9.10 s 11.0 s 12.1 s 12.2 s 12.4 s 11.7 s 12.4 s 13 – – 2.00 s"; !slices.Contains(rows, want) {
		t.Errorf("no row %q", want)
	}
}
