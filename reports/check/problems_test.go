package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// TestRunProblems plants what makes the run as a whole inconclusive, though
// every objective and check holds.
func TestRunProblems(t *testing.T) {
	type events = []history.Event
	isLoad := func(phase string) func(history.Event) bool {
		return func(e history.Event) bool { return e.By == history.ByLoad && e.Phase == phase && !e.Write }
	}
	tests := []struct {
		name   string
		spec   func(s *Spec)
		mutate func(es events) events
		says   string
	}{
		{name: "send lag", mutate: func(es events) events {
			for i, e := range es {
				if isLoad("steady")(e) && e.Sched.Milliseconds()%10 == 0 {
					es[i].Promise = "" // what it saw was made up for when it was to be sent
					es[i].Sent += 80 * time.Millisecond
					es[i].At += 80 * time.Millisecond
				}
			}
			return es
		}, says: "the load generator fell behind: the send lag outside fault windows was 80"},
		{name: "shed", mutate: func(es events) events {
			i := slices.IndexFunc(es, isLoad("steady"))
			es[i].Kind, es[i].Class, es[i].Sent = history.Fail, "shed", 0
			return es
		}, says: "1 operation was shed outside fault windows"},
		{name: "aborted", mutate: func(es events) events {
			return append(es, history.Event{At: 79 * time.Second, By: history.ByRun, Kind: history.Info, Op: history.RunAbort, Text: "too many errors"})
		}, says: "the run was stopped: too many errors"},
		{name: "drills missing", spec: func(s *Spec) { s.Drills = 3 }, mutate: func(es events) events { return es }, says: "1 of 3 drills ended"},
		{name: "fault never injected", spec: func(s *Spec) {
			s.Events = append(s.Events, Entry{Name: "kill-9", Verb: "kill", Target: "redis", Phase: "after"})
		}, mutate: func(es events) events { return es }, says: "kill-9 was never injected"},
		{name: "write without an end", mutate: func(es events) events {
			return append(es, history.Event{At: 60 * time.Second, By: history.ByLoad, Kind: history.Invoke, Op: "create-transfer", ID: "open", Write: true, Drill: 1, Amount: 1, Key: accountNo(1), Peer: accountNo(2)})
		}, says: "how 1 write ended is not in the history"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := lawful()
			spec := w.spec()
			spec.Verify = slices.DeleteFunc(spec.Verify, func(name string) bool { return name == nameProven })           // it says the same
			spec.Objectives = slices.DeleteFunc(spec.Objectives, func(o Objective) bool { return o.Metric == "errors" }) // shedding is an error too
			if tt.spec != nil {
				tt.spec(&spec)
			}
			j := judge(t, spec, tt.mutate(w.history()))
			if len(fired(j)) > 0 || j.Outcome != Inconclusive {
				t.Errorf("outcome %s, fired %q; want inconclusive by nothing of them", j.Outcome, fired(j))
			}
			if len(j.Reasons) != 1 || !strings.Contains(j.Reasons[0], tt.says) {
				t.Errorf("reasons %q, want one that says %q", j.Reasons, tt.says)
			}
		})
	}
}
