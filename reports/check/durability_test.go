package check

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/history"
)

// stalled says that replication was stalled from 5 s on, until the fault
// "gone" at 10 s and beyond; on the links named, or else everywhere.
func stalled(links ...string) []history.Event {
	e := history.Event{
		By: history.ByFault, Kind: history.Info, ID: "stall-1", Verb: "stall", Carries: "replication",
		Target: strings.Join(links, ","),
	}
	var list []history.Event
	for _, step := range []struct {
		s  float64
		op string
	}{{4.8, history.FaultInject}, {5, history.FaultSettled}, {25, history.FaultRecover}} {
		e.At, e.Op = at(step.s), step.op
		list = append(list, e)
	}
	return list
}

func TestRecoveryPoint(t *testing.T) {
	kill := join(faulted(10, history.FaultInject), faulted(10.1, history.FaultSettled))
	end := join(run(30, history.RunLoadEnd), read(history.AuditDone), run(31, history.RunDrillEnd))
	tests := []struct {
		name    string
		limit   float64 // ms
		events  []history.Event
		outcome Outcome
		value   float64
		says    string
	}{
		{"none lost", 0, join(stalled(), wrote(6, "a"), wrote(8, "b"), kill, stored("a", 1, 1), stored("b", 1, 1)), Pass, 0, "0 lost of 2 acknowledged in the stalled 5 s: a loss of 2.5 s or more would have been seen"},
		{"lost", 0, join(stalled(), wrote(6, "a"), wrote(7.99, "b"), kill, stored("a", 1, 1)), Fail, 2000, "1 of 2 acknowledged writes were lost, recovery point 2 s (limit 0 s)"},
		{"lost within the limit", 3000, join(stalled(), wrote(6, "a"), wrote(7.99, "b"), kill, stored("a", 1, 1)), Pass, 2000, "1 lost of 2 acknowledged in the stalled 5 s"},
		{"lost within the limit, not stalled", 3000, join(wrote(6, "a"), wrote(7.99, "b"), kill, stored("a", 1, 1)), Inconclusive, 2000, "not exercised: replication from what the fault hit was not stalled"},
		{"stalled there", 0, join(stalled("replication:redis", "replication:pg-2"), wrote(6, "a"), kill, stored("a", 1, 1)), Pass, 0, "0 lost of 1 acknowledged in the stalled 5 s"},
		{"stalled elsewhere", 0, join(stalled("replication:pg-2", "replication:pg-3"), wrote(6, "a"), kill, stored("a", 1, 1)), Inconclusive, 0, "not exercised: replication from what the fault hit was not stalled"},
		{"lost, not stalled", 0, join(wrote(6, "a"), wrote(7.99, "b"), kill, stored("a", 1, 1)), Fail, 2000, "recovery point 2 s"},
		{"held back", 0, join(stalled(), wrote(2, "a"), invoke(7, "b"), kill, done(12, history.Info, "b"), stored("a", 1, 1)), Pass, 0, "none of 1 write attempted in the stalled 5 s was acknowledged: the system held them back"},
		{"nothing tried", 0, join(stalled(), wrote(2, "a"), kill, stored("a", 1, 1)), Inconclusive, 0, "no write was attempted in the 5 s in which replication was stalled"},
		{"nothing acknowledged", 0, join(stalled(), invoke(6, "a"), done(7, history.Info, "a"), kill), Inconclusive, 0, "no write was acknowledged"},
		{"all lost", 0, join(stalled(), wrote(4.99, "a"), wrote(8, "b"), kill), Fail, 5000, "2 of 2 acknowledged writes were lost, recovery point 5 s"},
		{"lost after T0", 0, join(stalled(), wrote(6, "a"), kill, wrote(11, "b"), stored("a", 1, 1)), Pass, 0, "0 lost of 1 acknowledged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := Spec{
				Events:     []Entry{{Name: "gone", Verb: "kill", Target: "redis"}},
				Objectives: []Objective{{Subject: "gone", Metric: "rpo", Op: "<=", Limit: tt.limit}},
			}
			o := judge(t, spec, join(drillNo(0, 1), tt.events, end)).Objectives[0]
			if said := o.Reason + o.Note; o.Outcome != tt.outcome || o.Value != tt.value || !strings.Contains(said, tt.says) {
				t.Errorf("%s %v ms, says %q; want %s %v ms, %q", o.Outcome, o.Value, said, tt.outcome, tt.value, tt.says)
			}
		})
	}
}

// TestTwoEvents says which of two events a lost write belongs to.
func TestTwoEvents(t *testing.T) {
	second := func(e history.Event) history.Event { e.ID = "again"; return e }
	events := join(drillNo(0, 1),
		wrote(8.99, "a"), faulted(10, history.FaultInject), faulted(10.1, history.FaultSettled),
		wrote(18.99, "b"), wrote(18.99, "kept"), second(faulted(20, history.FaultInject)), second(faulted(20.1, history.FaultSettled)),
		wrote(28.99, "c"), stored("kept", 1, 1), read(history.AuditDone), run(40, history.RunDrillEnd))
	spec := Spec{
		Events: []Entry{{Name: "gone", Verb: "kill", Target: "redis"}, {Name: "again", Verb: "kill", Target: "redis"}},
		Objectives: []Objective{
			{Subject: "gone", Metric: "rpo", Op: "<="},
			{Subject: "gone", Metric: "lost_writes", Op: "<="},
			{Subject: "again", Metric: "rpo", Op: "<="},
			{Subject: "again", Metric: "lost_writes", Op: "<="},
		},
	}
	j := judge(t, spec, events)
	var got []float64
	for _, o := range j.Objectives {
		got = append(got, o.Value)
	}
	if want := []float64{1000, 2, 1000, 2}; !cmp.Equal(got, want) {
		t.Errorf("values %v, want %v", got, want)
	}
	if j.Writes.Lost != 3 || j.Writes.LostAfterT0 != 2 || j.Writes.LostAmount != 15 {
		t.Errorf("writes %+v", j.Writes)
	}
	if note := j.Objectives[1].Note; note != "4 acknowledged, 1 found, 1 lost that were acknowledged after the fault was in place (split brain)" {
		t.Errorf("note %q", note)
	}
}

// FuzzDurability compares the sets with their definitions.
func FuzzDurability(f *testing.F) {
	f.Add([]byte{0x00, 0x10, 0x50, 0x01, 0x11, 0x02, 0x32, 0x52, 0x63})
	f.Add([]byte{0x00, 0x20, 0x50, 0x01, 0x21, 0x01, 0x11, 0x50, 0x60})
	f.Fuzz(func(t *testing.T, data []byte) {
		var load, audit []history.Event
		for i, b := range data { // what happens, and to which of 16 ids
			id, s := fmt.Sprintf("w%d", b&0xf), float64(i)/1000
			switch b >> 4 {
			case 0:
				load = append(load, invoke(s, id))
			case 1:
				load = append(load, done(s, history.OK, id))
			case 2:
				load = append(load, done(s, history.Fail, id))
			case 3:
				load = append(load, done(s, history.Info, id))
			case 4:
				audit = append(audit, stored(id, 0, 0))
			case 5:
				audit = append(audit, stored(id, 1, 1))
			case 6:
				audit = append(audit, stored(id, 2, 1))
			}
		}
		j := judge(t, Spec{Verify: []string{"acknowledged-writes"}}, join(drillNo(0, 1), load, audit, read(history.AuditDone)))
		got := j.Writes
		got.LostIDs, got.DuplicatedIDs = nil, nil
		if diff := cmp.Diff(naiveWrites(load, audit), got); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
	})
}

// naiveWrites counts the sets by their definitions.
func naiveWrites(load, audit []history.Event) Writes {
	var want Writes
	for i := range 16 {
		id := fmt.Sprintf("w%d", i)
		count := map[history.Kind]int{}
		open, effects, rows := 0, int64(0), 0
		for _, e := range load {
			if e.ID != id {
				continue
			}
			count[e.Kind]++
			if e.Kind == history.Invoke {
				open++
			} else {
				open = max(0, open-1)
			}
		}
		for _, e := range audit {
			if e.ID == id {
				effects += e.Count
				rows++
			}
		}
		acked := count[history.OK] > 0
		unknown := !acked && (count[history.Info] > 0 || open > 0)
		found := effects > 0
		want.Attempted += one(count[history.Invoke]+count[history.OK]+count[history.Info] > 0)
		want.Acknowledged += one(acked)
		want.Found += one(acked && found)
		want.Lost += one(acked && !found)
		want.LostAmount += 5 * int64(one(acked && !found))
		want.Duplicated += one(found && (effects > 1 || rows > 1))
		want.Indeterminate += one(unknown)
		want.Recovered += one(unknown && found)
		want.Unexpected += one(!acked && !unknown && found)
	}
	return want
}

func TestFirstAcknowledgementCounts(t *testing.T) {
	events := join(drillNo(0, 1), wrote(1, "a"), wrote(2, "a"))
	c := newCourt(Spec{})
	c.hear(stream(events, nil))
	if got, want := c.durability.writes["a"].acked, 1010*time.Millisecond; got != want {
		t.Errorf("acknowledged at %s, want %s", got, want)
	}
}
