package check

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
)

func FuzzWorst(f *testing.F) {
	f.Add("")
	f.Add("pif")
	f.Add("ppp")
	f.Add("pi")
	f.Fuzz(func(t *testing.T, letters string) {
		var outcomes, reversed []Outcome
		for _, l := range letters {
			o := map[rune]Outcome{'p': Pass, 'f': Fail}[l]
			if o == "" {
				o = Inconclusive
			}
			outcomes = append(outcomes, o)
			reversed = append([]Outcome{o}, reversed...)
		}
		want := Inconclusive
		switch {
		case strings.Contains(letters, "f"):
			want = Fail
		case letters != "" && strings.Trim(letters, "p") == "":
			want = Pass
		}
		if got := Worst(outcomes...); got != want {
			t.Errorf("Worst(%v) = %s, want %s", outcomes, got, want)
		}
		if got := Worst(reversed...); got != want {
			t.Errorf("Worst(%v) = %s, want %s", reversed, got, want)
		}
	})
}

// FuzzJudge feeds histories that make no sense. They must get a judgement that
// keeps the lattice, can be written down, and is the same every time.
func FuzzJudge(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"))
	f.Add([]byte("\x40\x00\x00\x00\x41\x10\x01\x02\x81\x20\x13\x02\xc1\x40\x21\x05"))
	f.Fuzz(func(t *testing.T, data []byte) {
		events := senseless(data)
		spec := lawful().spec()
		j := judge(t, spec, events)
		worst := Pass
		for _, o := range j.Objectives {
			worst = Worst(worst, o.Outcome)
			if o.Outcome != Pass && o.Reason == "" {
				t.Errorf("%s %s is %s for no reason", o.Subject, o.Metric, o.Outcome)
			}
		}
		for _, v := range j.Checks {
			worst = Worst(worst, v.Outcome)
			if v.Reason == "" {
				t.Errorf("%s is %s for no reason", v.Check, v.Outcome)
			}
		}
		if j.Outcome != Worst(j.Outcome, worst) || j.Outcome == Fail && worst != Fail {
			t.Errorf("outcome %s of objectives and checks that are %s", j.Outcome, worst)
		}
		if (j.Outcome == Pass) != (len(j.Reasons) == 0) {
			t.Errorf("outcome %s for %q", j.Outcome, j.Reasons)
		}
		first, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(first), "crashed") {
			t.Errorf("a part crashed: %q", j.Reasons)
		}
		if second, _ := json.Marshal(judge(t, spec, events)); !bytes.Equal(second, first) {
			t.Errorf("judged twice:\n%s\n%s", first, second)
		}
	})
}

func signed(b byte) int64 { return int64(b) - 128 }

// senseless makes an event of every four bytes: of any kind, by anyone, with
// fields that may not go together.
func senseless(data []byte) []history.Event {
	pick := func(b byte, from ...string) string { return from[int(b)%len(from)] }
	var events []history.Event
	for ; len(data) >= 4; data = data[4:] {
		a, b, c, d := data[0], data[1], data[2], data[3]
		second := func(b byte) time.Duration { return time.Duration(signed(b)) * time.Second }
		e := history.Event{
			Kind:  history.Kind(pick(a>>2, "invoke", "ok", "fail", "info", "?")),
			By:    pick(a, history.ByLoad, history.ByFault, history.ByProbe, history.ByAudit, history.ByRun),
			At:    second(b),
			Sched: second(c),
			Drill: int(signed(d)) % 3,
			ID:    pick(c, "", "stall-1", "primary-lost", "start-3", "a", "b"),
			Phase: pick(d, "warmup", "steady", "failover", "after", ""),
			Write: d&1 == 0, Sent: second(c),
			Node: pick(b, "pg-1", "pg-2"), Role: pick(c, "primary", "replica"), Timeline: int(d) % 4,
			Target: pick(c, "accounts", "outbox"), Carries: pick(d, "", "replication"),
			Verb: pick(c, "stall", "lose", "note"), Class: pick(b, "", "shed", "dial"),
			Value: signed(c), Count: signed(d), Jobs: signed(b) % 3, Text: pick(a, "", "unlocked"),
		}
		e.Op = pick(b, map[string][]string{
			history.ByLoad:  {"create-transfer", "get-account"},
			history.ByFault: {history.FaultInject, history.FaultInjected, history.FaultSettled, history.FaultRecover, history.FaultRecovered, history.FaultFailed},
			history.ByProbe: {history.ProbeDatabase, history.ProbeRoute, history.ProbeAgent},
			history.ByAudit: {history.AuditWrite, history.AuditBooks, history.AuditSum, history.AuditRole, history.AuditJobs, history.AuditDone},
			history.ByRun:   {history.RunDrill, history.RunPhase, history.RunLoadEnd, history.RunDrillEnd, history.RunAbort, history.RunNote},
		}[e.By]...)
		events = append(events, e)
	}
	return events
}

// TestUnproven says that a fault that was not seen in effect leaves the run
// open, even if no objective is about it.
func TestUnproven(t *testing.T) {
	spec := onlyPhase(1000, Objective{Subject: "only", Metric: "p99", Op: "<=", Limit: 2000})
	spec.Events = []Entry{{Name: "gone", Verb: "kill", Target: "redis"}, {Name: "n", Verb: "note"}}
	inject, settled := faulted(1, history.FaultInject), faulted(2, history.FaultSettled)
	for _, tt := range []struct {
		name  string
		fault []history.Event
		want  string
	}{
		{"seen", join(inject, settled), "1 objective held."},
		{"not seen", join(inject), "The event gone was not seen to take effect."},
		{"failed", join(inject, failed(faulted(2, history.FaultFailed), "settle: no such container")), "The event gone failed: settle: no such container."},
		{"not injected", nil, "The event gone was never injected."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := judge(t, spec, join(tt.fault, load(1000, 0))).Sentence; got != tt.want {
				t.Errorf("sentence %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSentence(t *testing.T) {
	ok := load(1000, 0)
	p99 := Objective{Subject: "only", Metric: "p99", Op: "<=", Limit: 2000}
	tests := []struct {
		name   string
		spec   Spec
		events []history.Event
		want   string
	}{
		{"pass", onlyPhase(1000, p99), ok, "1 objective held."},
		{"fail", onlyPhase(1000, Objective{Subject: "only", Metric: "p99", Op: "<=", Limit: 250}), ok, "p99 of only was 990 ms (limit 250 ms)."},
		{"inconclusive", onlyPhase(2000, p99), ok, "The load generator fell behind: 50 % of the 2,000 operations planned in only of drill 1 arrived, 99 % is needed."},
		{"nothing asked", onlyPhase(1000), ok, "Nothing was asked: there are no objectives and no checks."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := judge(t, tt.spec, tt.events).Sentence; got != tt.want {
				t.Errorf("sentence %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPhrases(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{count(0), "0"},
		{count(-1234567), "-1,234,567"},
		{count(999), "999"},
		{many(1, "write"), "1 write"},
		{value("ms", 0), "0 s"},
		{value("ms", 0.0421), "0.042 ms"},
		{value("ms", 118.4), "118 ms"},
		{value("ms", 12_400), "12.4 s"},
		{value("ms", 2_120), "2.12 s"},
		{value("ms", 120_000), "120 s"},
		{value("percent", 0.1), "0.1 %"},
		{value("percent", 99.95), "100 %"},
		{value("count", 14_210), "14,210"},
		{Objective{Metric: "p99", Limit: 250}.beside(250.1), "250.1 ms"},
		{Objective{Metric: "p99", Limit: 250}.beside(250), "250 ms"},
		{Objective{Metric: "rate", Limit: 99.99}.beside(99.95), "99.95 %"},
		{happened(Entry{Name: "x", Verb: "lose", Target: "postgres.primary"}), "the primary was lost"},
		{happened(Entry{Name: "x", Verb: "start", Target: "postgres.old-primary"}), "the old primary was started"},
		{happened(Entry{Name: "x", Verb: "pause", Target: "app[1]"}), "app[1] was paused"},
		{happened(Entry{Name: "zone-b-lost", Verb: "latency", Target: "zone:b"}), "zone-b-lost"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
