package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// TestCauses plants what is known to have a cause, and looks for it among those
// that are told.
func TestCauses(t *testing.T) {
	type events = []history.Event
	inStall := func(e *history.Event) bool {
		return e.Kind == history.OK && e.Write && e.At > lossAt-2*time.Second && e.At < lossAt
	}
	loseIf := func(es events, fit func(*history.Event) bool) events {
		gone := map[string]bool{}
		for i := range es {
			if fit(&es[i]) {
				gone[es[i].ID] = true
			}
		}
		return drop(es, func(e *history.Event) bool { return e.By == history.ByAudit && gone[e.ID] })
	}
	tests := []struct {
		name   string
		mutate func(es events) events
		check  string
		says   string
	}{
		{
			"asynchronous", func(es events) events { return loseIf(es, inStall) }, nameAcknowledged,
			"in which replication was stalled: their commit did not wait for a standby",
		},
		{"asynchronous for one operation", func(es events) events {
			for i, e := range es {
				if e.Write && strings.HasSuffix(e.ID, "1") {
					es[i].Op = "create-refund"
				}
			}
			return loseIf(es, func(e *history.Event) bool { return inStall(e) && e.Op == "create-refund" })
		}, nameAcknowledged, "create-transfer of the same time are all there, so it is create-refund alone"},
		{"old primary went on", func(es events) events {
			return loseIf(es, func(e *history.Event) bool {
				return e.Kind == history.OK && e.Write && e.At > lossAt+9*time.Second && e.At < lossAt+10*time.Second
			})
		}, nameAcknowledged, "the old primary went on, not fenced"},
		{"yes before commit", func(es events) events {
			for i, e := range es {
				if e.ID == "primary-lost" {
					es[i].Target = "api-1"
				}
			}
			es = drop(es, func(e *history.Event) bool { return e.ID == "stall-1" })
			return loseIf(es, func(e *history.Event) bool {
				return e.Kind == history.OK && e.Write && e.Node == "api-1" && e.At > lossAt-300*time.Millisecond && e.At < lossAt
			})
		}, nameAcknowledged, "were acknowledged by api-1 in the second before it was hit by primary-lost: it said yes before they were committed"},
		{"job done twice", func(es events) events {
			return edit(es, row("1-steady-0001"), func(e *history.Event) { e.Jobs = 2 })
		}, nameDuplicates, "a message that was delivered twice was worked on twice"},
		{"job of no fault", func(es events) events {
			return edit(es, row("1-steady-0001"), func(e *history.Event) { e.Jobs = 0 })
		}, nameJobs, "jobs are lost in calm as well"},
		{"one instance stays behind", func(es events) events {
			for i, e := range es {
				if e.By == history.ByLoad && e.Kind == history.OK && e.Write && e.Node == "api-2" && e.Sched > lossAt+9*time.Second {
					es[i].Kind, es[i].Class, es[i].Status = history.Info, "status_5xx", 503
				}
			}
			return es
		}, nameInstances, "after pg-2 became primary: it did not notice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := lawful()
			j := judge(t, w.spec(), tt.mutate(slices.Clone(w.history())))
			i := slices.IndexFunc(j.Checks, func(v Verdict) bool { return v.Check == tt.check })
			v := j.Checks[i]
			if v.Outcome != Fail || !slices.ContainsFunc(v.Causes, func(c string) bool { return strings.Contains(c, tt.says) }) {
				t.Errorf("%s is %s, its causes are %q, none says %q", v.Check, v.Outcome, v.Causes, tt.says)
			}
			if len(v.Groups) == 0 || len(v.Groups[0].Cases) == 0 || v.Groups[0].Cases[0].Correlation == "" && v.Check != nameInstances {
				t.Errorf("groups %+v, want cases with correlation ids", v.Groups)
			}
		})
	}
}
