package history

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"
)

func done(kind Kind, phase, op, class string, took time.Duration) *Event {
	return &Event{
		At: time.Minute + took, Sched: time.Minute, Sent: time.Minute + 2*time.Millisecond,
		Kind: kind, By: ByLoad, Phase: phase, Op: op, Class: class,
	}
}

func TestTally(t *testing.T) {
	tally := NewTally()
	for _, e := range []*Event{
		done(OK, "steady", "read", "", 10*time.Millisecond),
		done(OK, "steady", "write", "", 20*time.Millisecond),
		done(Info, "steady", "write", "timeout", 5*time.Second),
		done(Fail, "steady", "write", ClassShed, 0),
		done(OK, "after", "read", "", 10*time.Minute),
		{By: ByLoad, Kind: Invoke, Phase: "steady", Op: "write"},
		{By: ByProbe, Kind: OK, Op: ProbeDatabase},
	} {
		tally.Observe(e)
	}
	steady := tally.Cell("steady", "")
	got := Cell{Offered: steady.Offered, OK: steady.OK, Failed: steady.Failed, Info: steady.Info, Shed: steady.Shed, ByClass: steady.ByClass}
	want := Cell{Offered: 4, OK: 2, Failed: 1, Info: 1, Shed: 1, ByClass: map[string]int64{"timeout": 1, ClassShed: 1}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Cell{})); diff != "" {
		t.Errorf("Cell(steady) (-want +got):\n%s", diff)
	}
	if steady.Errors() != 2 {
		t.Errorf("Errors() = %d, want 2", steady.Errors())
	}
	if diff := cmp.Diff([]string{"steady", "after"}, tally.Phases()); diff != "" {
		t.Errorf("Phases() (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"read", "write"}, tally.Ops()); diff != "" {
		t.Errorf("Ops() (-want +got):\n%s", diff)
	}
	within(t, "max of ok", steady.Latency(OK, 1), 20*time.Millisecond)
	within(t, "max of info", steady.Latency(Info, 1), 5*time.Second)
	within(t, "max of fail", steady.Latency(Fail, 1), 0) // the only one was shed
	within(t, "lag", steady.Lag(0.99), 2*time.Millisecond)
	within(t, "beyond the range", tally.Cell("after", "read").Latency(OK, 1), MaxLatency)
	within(t, "no such cell", tally.Cell("other", "").Latency(OK, 0.5), 0)
	within(t, "no such outcome", steady.Latency(Invoke, 0.5), 0)
}

func TestClassesAreBounded(t *testing.T) {
	tally := NewTally()
	want := map[string]int64{ClassOther: 1 + 1 + 2 + 3 + 4 + 5}
	for i := range 20 {
		class := fmt.Sprintf("sql_%05d", i)
		for range i + 1 {
			tally.Observe(done(Fail, "steady", "read", class, time.Millisecond))
		}
		if i >= 20-(MaxClasses-1) {
			want[class] = int64(i + 1)
		}
	}
	tally.Observe(done(Fail, "steady", "read", ClassOther, time.Millisecond))
	all := tally.Cell("", "")
	if diff := cmp.Diff(want, all.Classes()); diff != "" {
		t.Errorf("Classes() of 21 (-want +got):\n%s", diff)
	}
	few := tally.Cell("", "")
	few.ByClass = map[string]int64{"eof": few.Offered}
	if diff := cmp.Diff(few.ByClass, few.Classes()); diff != "" {
		t.Errorf("Classes() of one (-want +got):\n%s", diff)
	}
}

func within(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if diff := (got - want).Abs(); diff > want/1000+time.Microsecond {
		t.Errorf("%s = %v, want %v within 0.1 %%", what, got, want)
	}
}

func TestTallyMergeIsExact(t *testing.T) {
	all, odd, even := NewTally(), NewTally(), NewTally()
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 5000 {
		kind := []Kind{OK, Fail, Info}[rng.IntN(3)]
		e := done(kind, []string{"a", "b"}[rng.IntN(2)], []string{"x", "y"}[rng.IntN(2)], "timeout", time.Duration(rng.Int64N(int64(4*time.Second))))
		all.Observe(e)
		if i%2 == 0 {
			even.Observe(e)
		} else {
			odd.Observe(e)
		}
	}
	even.Merge(odd)
	for _, phase := range []string{"", "a", "b"} {
		for _, kind := range []Kind{OK, Fail, Info} {
			want, err := all.Cell(phase, "").HDR(kind)
			if err != nil {
				t.Fatal(err)
			}
			got, err := even.Cell(phase, "").HDR(kind)
			if err != nil {
				t.Fatal(err)
			}
			if got != want || got == "" {
				t.Errorf("phase %q, %s: merged histogram differs", phase, kind)
			}
		}
		if diff := cmp.Diff(all.Cell(phase, "x").ByClass, even.Cell(phase, "x").ByClass); diff != "" {
			t.Errorf("ByClass (-want +got):\n%s", diff)
		}
	}
}

// TestOutageQuantile is the shape on which estimating sketches are off several
// times over: 0.9 % of the operations meet an outage of 3 s, just less than
// the p99 looks at.
func TestOutageQuantile(t *testing.T) {
	const n = 200_000
	tally := NewTally()
	rng := rand.New(rand.NewPCG(7, 7))
	exact := make([]time.Duration, n)
	for i := range exact {
		took := 4*time.Millisecond + time.Duration(rng.ExpFloat64()*2*float64(time.Millisecond))
		if i > n*9/10 && i < n*9/10+n*9/1000 {
			took = time.Duration(rng.Float64() * 3 * float64(time.Second))
		}
		exact[i] = took
		tally.Observe(done(OK, "p", "op", "", took))
	}
	slices.Sort(exact)
	cell := tally.Cell("p", "op")
	for _, q := range []float64{0.5, 0.9, 0.99, 0.999} {
		got, want := cell.Latency(OK, q), exact[int(q*n)-1]
		if diff := (got - want).Abs(); diff > want/100 {
			t.Errorf("q%g = %v, exact is %v: more than 1 %% off", q, got, want)
		}
	}
	enc, err := cell.HDR(OK)
	if err != nil {
		t.Fatal(err)
	}
	h, err := hdrhistogram.Decode([]byte(enc))
	if err != nil || h.TotalCount() != n {
		t.Errorf("decoded histogram has %d values, %v; want %d", h.TotalCount(), err, n)
	}
}
