package check

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports/history"
)

// fired lists what is not a pass, as "outcome name".
func fired(j *Judgement) []string {
	list := []string{}
	for _, o := range j.Objectives {
		if o.Outcome != Pass {
			list = append(list, string(o.Outcome)+" "+o.Subject+" "+o.Metric)
		}
	}
	for _, v := range j.Checks {
		if v.Outcome != Pass {
			list = append(list, string(v.Outcome)+" "+v.Check)
		}
	}
	return list
}

// TestLawful says that nothing fires where nothing is wrong, whatever the
// arrivals.
func TestLawful(t *testing.T) {
	for seed := range uint64(5) {
		w := lawful()
		w.seed, w.drills = seed, 1+int(seed%2)
		j := judge(t, w.spec(), w.history())
		if j.Outcome != Pass || len(fired(j)) > 0 {
			t.Errorf("seed %d: %s %q, fired %q", seed, j.Outcome, j.Reasons, fired(j))
		}
	}
}

func TestLawfulJudgement(t *testing.T) {
	w := lawful()
	j := judge(t, w.spec(), w.history())
	if want := "Clients were served again 8.03 s after the primary was lost (limit 20 s); 1,801 acknowledged writes, none lost."; j.Sentence != want {
		t.Errorf("sentence %q, want %q", j.Sentence, want)
	}
	wantWrites := Writes{Attempted: 2072, Acknowledged: 1801, Found: 1801, Indeterminate: 135, Recovered: 68}
	if diff := cmp.Diff(wantWrites, j.Writes); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	r := j.Recoveries[0]
	if r.Steady < 7990 || r.Steady > 8200 || r.Censored || r.Stalled != 2000 || r.Propagated != 120 || r.CallTook != 40 {
		t.Errorf("recovery %+v", r)
	}
	if r.Noticed != 2000 || r.Promoted != 4000 || r.Rerouted != 4000 || r.FirstOK < r.Rerouted || r.Impact > 200 || r.BadSeconds != 8 || r.Flaps != 0 {
		t.Errorf("anatomy %+v", r)
	}
	var all int
	for _, s := range j.Series {
		all += s.Offered
	}
	if all != int(j.Generator.Offered) || all != 3110 {
		t.Errorf("series offers %d, generator %d, want 3110", all, j.Generator.Offered)
	}
	var phases []string
	for _, win := range j.Windows {
		phases = append(phases, win.Phase+"/"+win.Op)
	}
	want := []string{
		"warmup/", "warmup/create-transfer", "warmup/get-account", "steady/", "steady/create-transfer", "steady/get-account",
		"failover/", "failover/create-transfer", "failover/get-account", "after/", "after/create-transfer", "after/get-account",
	}
	if diff := cmp.Diff(want, phases); diff != "" {
		t.Errorf("windows (-want +got):\n%s", diff)
	}
}

func TestTorn(t *testing.T) {
	w := lawful()
	events := w.history()
	half := events[:len(events)/2]
	j, err := Judge(w.spec(), stream(half, errors.New("history ends in the middle")))
	if err != nil {
		t.Fatal(err)
	}
	const said = `^The record of the run breaks off [0-9.]+ s into failover of drill 1, where the run died or the file was damaged: ` +
		`what it shows of warmup and steady holds; what became of the writes was never looked up\.$`
	if j.Outcome != Inconclusive || !regexp.MustCompile(said).MatchString(j.Sentence) || j.Reasons[1] != "the history is not whole: history ends in the middle" {
		t.Errorf("outcome %s, %q, reasons %q", j.Outcome, j.Sentence, j.Reasons)
	}
	if j.Objectives[0].Outcome != Pass {
		t.Errorf("steady p99 is %s; want pass, because that phase is whole", j.Objectives[0].Outcome)
	}
}

// TestWhereAHistoryBreaksOff says where in the run that is, and what holds.
func TestWhereAHistoryBreaksOff(t *testing.T) {
	w := lawful()
	w.drills = 2
	events := w.history()
	for name, tt := range map[string]struct {
		until time.Duration
		want  string
	}{
		"before any drill": {-1, "The record of the run ends before any load: the run died, or the file was damaged, and nothing can be said of the system."},
		"first phase":      {2 * time.Second, "into warmup of drill 1, where the run died or the file was damaged: no phase in it is whole; what became of the writes was never looked up."},
		"after the load":   {69 * time.Second, "breaks off after the load of drill 1, where the run died or the file was damaged: what it shows of warmup, steady, failover and after holds; what became"},
		"final reads":      {71 * time.Second, "what it shows of warmup, steady, failover and after holds."},
		"second drill":     {drillIn + 10*time.Second, "into steady of drill 2, where the run died or the file was damaged: what it shows of drill 1 and warmup holds; what became"},
	} {
		i := slices.IndexFunc(events, func(e history.Event) bool { return e.At > tt.until })
		j, err := Judge(w.spec(), stream(events[:i], history.ErrTorn))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(j.Sentence, tt.want) {
			t.Errorf("%s: %q, want %q", name, j.Sentence, tt.want)
		}
	}
}

// A crasher panics where it is told to.
type crasher struct{ observe, verdict bool }

func (crasher) Name() string { return "crasher" }

func (c crasher) Observe(*history.Event) {
	if c.observe {
		panic("out of cheese")
	}
}

func (c crasher) Verdict() Verdict {
	if c.verdict {
		panic("redo from start")
	}
	return Verdict{Check: "crasher", Outcome: Pass}
}

func TestCrash(t *testing.T) {
	w := lawful()
	events := w.history()
	for _, tt := range []struct {
		crasher crasher
		want    Verdict
	}{
		{crasher{observe: true}, Verdict{Check: "crasher", Outcome: Inconclusive, Reason: "checker crashed: out of cheese"}},
		{crasher{verdict: true}, Verdict{Check: "crasher", Outcome: Inconclusive, Reason: "checker crashed: redo from start"}},
		{crasher{}, Verdict{Check: "crasher", Outcome: Pass}},
	} {
		c := newCourt(w.spec(), tt.crasher)
		c.hear(stream(events, nil))
		j := c.decide()
		if diff := cmp.Diff(tt.want, j.Checks[len(j.Checks)-1]); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.crasher, diff)
		}
		if j.Outcome != tt.want.Outcome {
			t.Errorf("%+v: outcome %s, want %s", tt.crasher, j.Outcome, tt.want.Outcome)
		}
	}
}

// TestCrashOfAMeasure says that a crash of what objectives are measured with
// makes these inconclusive, and no others.
func TestCrashOfAMeasure(t *testing.T) {
	w := lawful()
	c := newCourt(w.spec())
	c.durability.writes = nil // the first write will crash it
	c.hear(stream(w.history(), nil))
	j := c.decide()
	want := []string{
		"inconclusive primary-lost rpo", "inconclusive primary-lost lost_writes", "inconclusive primary-lost duplicates",
		"inconclusive acknowledged-writes", "inconclusive observed-writes", "inconclusive no-duplicates", "inconclusive counter-bounds",
		"inconclusive read-your-writes", "inconclusive linearizable", "inconclusive jobs-done", "inconclusive subscribers",
		"inconclusive restored-writes",
	}
	if diff := cmp.Diff(want, fired(j)); diff != "" {
		t.Errorf("fired (-want +got):\n%s", diff)
	}
	if !strings.Contains(j.Reasons[0], "writes: checker crashed: assignment to entry in nil map") {
		t.Errorf("reasons %q", j.Reasons)
	}
}

// TestDeterminism says that the same history gets the same judgement, byte by
// byte.
func TestDeterminism(t *testing.T) {
	w := lawful()
	w.drills = 2
	events := drop(w.history(), func(e *history.Event) bool { return e.By == history.ByAudit && strings.HasPrefix(e.ID, "1-steady-00") })
	encode := func() string {
		b, err := json.Marshal(judge(t, w.spec(), events))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	first := encode()
	for range 3 {
		if next := encode(); next != first {
			t.Fatalf("judged twice (-first +next):\n%s", cmp.Diff(first, next))
		}
	}
}

// TestKnownTruth judges the history of a drill with asynchronous replication
// that was stalled from 2.12 s before the primary was lost: what it had
// acknowledged since then is gone.
func TestKnownTruth(t *testing.T) {
	w := lawful()
	w.rate = 280
	w.stall = 2 * time.Second
	events := w.history()
	t0 := lossAt
	gone, oldest := map[string]bool{}, time.Duration(0)
	for i := range events {
		e := &events[i]
		if e.Kind != history.OK || !e.Write || e.At >= t0 || e.At < t0-2120*time.Millisecond {
			continue
		}
		gone[e.ID] = true
		if len(gone) == 1 {
			e.At = t0 - 2120*time.Millisecond
		}
		oldest = max(oldest, t0-e.At)
	}
	events = drop(events, func(e *history.Event) bool { return e.By == history.ByAudit && gone[e.ID] })
	if len(gone) < 350 || len(gone) > 440 {
		t.Fatalf("%d writes are gone; the history is not what it should be", len(gone))
	}
	j := judge(t, w.spec(), events)
	if diff := cmp.Diff([]string{"fail primary-lost rpo", "fail primary-lost lost_writes", "fail acknowledged-writes", "inconclusive linearizable"}, fired(j)); diff != "" {
		t.Errorf("fired (-want +got):\n%s", diff)
	}
	wantSentence := count(len(gone)) + " of " + count(j.Writes.Acknowledged) + " acknowledged writes were lost, recovery point 2.12 s (limit 0 s)."
	if j.Sentence != wantSentence {
		t.Errorf("sentence %q, want %q", j.Sentence, wantSentence)
	}
	r := j.Recoveries[0]
	if r.Lost != len(gone) || r.Point != 2120 || r.Stalled != 2000 || r.LossWindow < 2000 || r.LossWindow > 2120 {
		t.Errorf("recovery %+v", r)
	}
	if j.Writes.Lost != len(gone) || j.Writes.LostAfterT0 != 0 || len(j.Writes.LostIDs) != maxIDs {
		t.Errorf("writes %+v", j.Writes)
	}
}

// TestDrills says that the worst of several drills decides, and that all of
// them are shown.
func TestDrills(t *testing.T) {
	w := lawful()
	w.drills = 3
	events := drop(w.history(), row("2-after-0001"))
	j := judge(t, w.spec(), events)
	byMetric := map[string]ObjectiveResult{}
	for _, o := range j.Objectives {
		byMetric[o.Metric] = o
	}
	if o := byMetric["lost_writes"]; !cmp.Equal(o.Samples, []float64{0, 1, 0}) || o.Value != 1 || o.Margin != -1 || !strings.HasPrefix(o.Reason, "in drill 2 of 3: 1 of ") {
		t.Errorf("lost_writes %+v", o)
	}
	o := byMetric["rto"]
	if len(o.Samples) != 3 || o.Value != slices.Max(o.Samples) || o.Outcome != Pass || !o.OK || o.At != (Place{28, 24}) || o.Resolution == 0 {
		t.Errorf("rto %+v", o)
	}
	if want := "the worst of 3: 9 of 10 are no longer with 27.1 % confidence"; !strings.HasSuffix(o.Note, want) {
		t.Errorf("note %q, want it to end with %q", o.Note, want)
	}
	if len(j.Recoveries) != 3 || len(j.Faults) != 12 {
		t.Errorf("%d recoveries and %d faults, want 3 and 12", len(j.Recoveries), len(j.Faults))
	}
}

func TestSpecErrors(t *testing.T) {
	_, err := Judge(Spec{
		Verify: []string{"no-such"},
		Objectives: []Objective{
			{Subject: "nowhere", Metric: "p99", Op: "<="},
			{Subject: "nobody", Metric: "rto", Op: "<="},
			{Subject: "nowhere", Metric: "p98", Op: "<="},
			{Subject: "nowhere", Metric: "p99", Op: "<"},
		},
	}, stream(nil, nil))
	if err == nil {
		t.Fatal("Judge accepts a spec that makes no sense")
	}
	for _, want := range []string{`no check "no-such"`, "no phase of that name", "no event of that name", "no such metric", `no comparison "<"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

func TestEmpty(t *testing.T) {
	j := judge(t, lawful().spec(), nil)
	if j.Outcome != Inconclusive || slices.ContainsFunc(j.Objectives, func(o ObjectiveResult) bool { return o.Outcome != Inconclusive }) ||
		slices.ContainsFunc(j.Checks, func(v Verdict) bool { return v.Outcome != Inconclusive }) {
		t.Errorf("an empty history is %s, fired %q", j.Outcome, fired(j))
	}
	if b, err := json.Marshal(j); err != nil || strings.Contains(string(b), "null") {
		t.Errorf("JSON %s, error %v", b, err)
	}
	if j, _ := Judge(Spec{}, stream(nil, nil)); j.Outcome != Inconclusive {
		t.Errorf("nothing asked is %s", j.Outcome)
	}
}

// TestBoundOfWorst has as many samples as it takes to be 90 % and 95 % sure.
func TestBoundOfWorst(t *testing.T) {
	for n, want := range map[int]string{1: "", 5: "41 %", 22: "90.2 %", 29: "95.3 %"} {
		if got := boundOfWorst(n); want == "" != (got == "") || !strings.Contains(got, want) {
			t.Errorf("worst of %d: %q, want %q", n, got, want)
		}
	}
}
