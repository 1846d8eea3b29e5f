package loadgen

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/history"
)

// TestRunOutcomes checks how each outcome of an operation that is no request is
// recorded.
func TestRunOutcomes(t *testing.T) {
	hang := func(sent bool) func(context.Context) Outcome {
		return func(ctx context.Context) Outcome {
			<-ctx.Done()
			return Outcome{Err: ctx.Err(), Sent: sent}
		}
	}
	say := func(o Outcome) func(context.Context) Outcome { return func(context.Context) Outcome { return o } }
	for _, tc := range []struct {
		name        string
		run         func(context.Context) Outcome
		class       string
		read, write history.Kind
		answered    int64
	}{
		{"done", say(Outcome{Answer: Done}), "", history.OK, history.OK, 1},
		{"refused", say(Outcome{Answer: Refused, Class: ClassNacked}), ClassNacked, history.Fail, history.Fail, 1},
		{"refused without a word", say(Outcome{Answer: Refused}), ClassOther, history.Fail, history.Fail, 1},
		{"broken", say(Outcome{Answer: Broken, Class: PrefixSQL + "57P01"}), "sql_57P01", history.Fail, history.Info, 1},
		{"not what is expected", say(Outcome{Answer: Broken}), ClassBadBody, history.Fail, history.Info, 1},
		{"lost", say(Outcome{Err: io.EOF, Sent: true}), ClassEOF, history.Fail, history.Info, 0},
		{"lost before it was sent", say(Outcome{Err: io.EOF}), ClassNotSent, history.Fail, history.Fail, 0},
		{"not sent, with a reason", say(Outcome{Err: errors.New("full"), Class: PrefixSQL + "53300"}), "sql_53300", history.Fail, history.Fail, 0},
		{"too long", say(Outcome{Err: ErrTooLarge, Sent: true}), ClassTooLarge, history.Fail, history.Info, 0},
		{"no answer", hang(true), ClassTimeout, history.Fail, history.Info, 0},
		{"no connection", hang(false), ClassDialTimeout, history.Fail, history.Fail, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, write := range []bool{false, true} {
					b := newBench(t, nil)
					b.Phases = []Phase{{Name: "p", For: time.Second, From: 1, To: 1}}
					b.Workload = always(Operation{Op: "op", ID: "id", Write: write, Extras: Extras{Run: tc.run}})
					stats := b.drive(t.Context(), t)
					events := b.events(t)
					last := events[len(events)-1]
					want := map[bool]history.Kind{false: tc.read, true: tc.write}[write]
					if last.Kind != want || last.Class != tc.class || stats.Completed != tc.answered || stats.Sent != 1 {
						t.Errorf("write %t: %s %q, %d answered of %d; want %s %q, %d of 1", write, last.Kind, last.Class, stats.Completed, stats.Sent, want, tc.class, tc.answered)
					}
					if kinds := len(events); write && (kinds != 2 || events[0].Kind != history.Invoke) || !write && kinds != 1 {
						t.Errorf("write %t: events = %v", write, events)
					}
				}
			})
		})
	}
}

// TestWhatASystemSaysIsKept: a code alone tells nobody what to mend.
func TestWhatASystemSaysIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.Phases = []Phase{{Name: "p", For: time.Second, From: 1, To: 1}}
		b.Workload = always(Operation{Op: "op", Extras: Extras{Run: func(context.Context) Outcome {
			return Outcome{Answer: Refused, Class: PrefixSQL + "42P01", Said: errors.New("no table orders")}
		}}})
		b.drive(t.Context(), t)
		if e := b.events(t)[0]; e.Text != "no table orders" {
			t.Errorf("the event says %q", e.Text)
		}
		b = newBench(t, nil)
		b.Phases = []Phase{{Name: "p", For: time.Second, From: 1, To: 1}}
		b.Workload = always(Operation{Op: "op", Extras: Extras{Run: func(ctx context.Context) Outcome {
			<-ctx.Done()
			return Outcome{Err: context.Cause(ctx)}
		}}})
		b.drive(t.Context(), t)
		if e := b.events(t)[0]; e.Text != errTotal.Error() {
			t.Errorf("of one that took too long, the event says %q", e.Text)
		}
	})
}

// TestRunCountsFromTheSchedule: an operation that waits for a connection of its
// own was due all the while.
func TestRunCountsFromTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.MaxInFlight, b.Phases = 2, []Phase{{Name: "p", For: time.Second, From: 5, To: 5}}
		b.Workload = always(Operation{Op: "op", Extras: Extras{Run: func(ctx context.Context) Outcome {
			Wait(ctx, 300*time.Millisecond)
			return Outcome{Answer: Done}
		}}})
		stats := b.drive(t.Context(), t)
		var took []time.Duration
		for _, e := range b.events(t) {
			if e.Kind == history.OK {
				took = append(took, e.At-e.Sched)
			}
		}
		const each = 300 * time.Millisecond
		if diff := cmp.Diff([]time.Duration{each, each, each, each, each}, took); diff != "" || stats.Offered != 5 || stats.Shed != 0 {
			t.Errorf("%+v; latencies (-want +got):\n%s", stats, diff)
		}
	})
}

// always makes one operation again and again.
func always(op Operation) *ops { return &ops{next: func(uint64) Operation { return op }} }
