package live

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/reports/reportstest"
)

// turns is what happens after [play]: the other node takes over, every second
// operation fails until clients are led to it, and the next drill is stopped.
func turns() []history.Event {
	probe := func(at time.Duration, op, node, role string, timeline int) history.Event {
		e := history.Event{At: at, By: history.ByProbe, Kind: history.Info, Op: op, Node: node, Role: role, Timeline: timeline}
		if role == "" {
			e.Kind = history.Fail
		}
		return e
	}
	course := func(at time.Duration, op, text string, drill int) history.Event {
		return history.Event{At: at, By: history.ByRun, Op: op, Text: text, Drill: drill}
	}
	fault := func(at time.Duration, op, text string) history.Event {
		return history.Event{At: at, By: history.ByFault, Op: op, ID: "primary-lost", Verb: "lose", Target: "pg-1", Drill: 1, Text: text}
	}
	all := []history.Event{
		probe(6*time.Second, history.ProbeDatabase, "pg-2", "replica", 1), // seen for the first time, which is no change
		probe(6*time.Second, history.ProbeRoute, "pgbouncer", "primary", 1),
		probe(7*time.Second, history.ProbeRoute, "pgbouncer", "", 0),
		course(8*time.Second, history.RunMark, "on call is paged", 1),
	}
	for i := range 300 {
		sched := 11*time.Second + time.Duration(i)*10*time.Millisecond
		e := history.Event{
			At: sched + 15*time.Millisecond, By: history.ByLoad, Kind: history.OK, Op: "read-account", Drill: 1,
			Phase: "failover", Sched: sched, Sent: sched + 2*time.Millisecond, Status: 200,
		}
		if i%2 == 0 {
			e.Kind, e.Status = history.Fail, 503
		}
		all = append(all, e)
	}
	return append(all,
		probe(14200*time.Millisecond, history.ProbeDatabase, "pg-2", "primary", 2),
		probe(14400*time.Millisecond, history.ProbeRoute, "pgbouncer", "primary", 2),
		fault(16*time.Second, history.FaultRecover, ""),
		fault(18*time.Second, history.FaultRecovered, "pg-1 runs"),
		probe(19*time.Second, history.ProbeDatabase, "pg-1", "replica", 2),
		course(21*time.Second, history.RunLoadEnd, "", 1),
		course(24*time.Second, history.RunNote, "the archive lags by 3 s", 1),
		history.Event{At: 31 * time.Second, By: history.ByAudit, Op: history.AuditDone, Drill: 1},
		course(33*time.Second, history.RunDrill, "", 2),
		fault(35*time.Second, history.FaultFailed, "no answer within 10 s"),
		course(36*time.Second, history.RunAbort, "a fault was not injected", 2),
	)
}

// TestGoldenPlain follows two drills where nothing can be redrawn.
func TestGoldenPlain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewState(header())
		began := time.Now()
		now := func() time.Duration { return time.Since(began) }
		s.Say(0, "pg-1 and pg-2 come up")
		go func() {
			<-time.After(5250 * time.Millisecond) // never when the state is looked at
			play(s)
			for _, e := range turns() {
				<-time.After(e.At + 250*time.Millisecond - now())
				s.Observe(&e)
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 47*time.Second)
		defer cancel()
		var out strings.Builder
		Plain(ctx, &out, s, now)
		reportstest.Golden(t, *update, "plain.txt", out.String())
	})
}
