package chaos

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proofload/proofload/sut"
)

// TestHold looks at a fault until something else undoes it.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		j := openJournal(t, filepath.Join(t.TempDir(), "journal"))
		f := &fakeFault{name: "x", log: &log, journal: j, fail: map[string]error{}}
		active, err := Arm(t.Context(), j, fakeCatalog(&log, nil), nil, f, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := active.Hold(ctx); err != nil || !slices.Contains(log, "settle x") {
			t.Errorf("held for a minute: %v, %q", err, log)
		}
		woken := errors.New("x is running, not paused")
		if _, err := active.Last(t.Context()); err != nil {
			t.Errorf("the last look at a fault in effect: %v", err)
		}
		f.fail["settle"] = woken
		if err := active.Hold(t.Context()); !errors.Is(err, ErrEnded) || !errors.Is(err, woken) {
			t.Errorf("something else undid it: %v", err)
		}
	})
}

// waiting is a fault as real ones are: its observation waits until it is in effect,
// which it is for a while.
type waiting struct {
	fakeFault

	ends time.Time
}

func (w *waiting) Inject(context.Context) (Injection, error) { return w, nil }

func (w *waiting) Settle(ctx context.Context) (Evidence, error) {
	return Evidence{}, Watch(ctx, func(context.Context) error {
		if !time.Now().Before(w.ends) {
			return errors.New("x is running, not paused")
		}
		return nil
	})
}

// TestHoldShort wants faults that something else ends to be noticed however little
// time they had left.
func TestHoldShort(t *testing.T) {
	for _, tt := range []struct{ lasts, ends time.Duration }{
		{time.Minute, 30 * time.Second},
		{time.Minute, 55 * time.Second},
		{11 * time.Second, 0},
		{11 * time.Second, 10*time.Second + 900*time.Millisecond},
		{time.Second, time.Second / 2},
		{time.Minute, 0}, // 0: it does not end
		{time.Second, 0},
	} {
		early := tt.ends > 0 || tt.lasts == 11*time.Second
		t.Run(tt.lasts.String()+" "+tt.ends.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log []string
				j := openJournal(t, filepath.Join(t.TempDir(), "journal"))
				began := time.Now()
				f := &waiting{fakeFault: fakeFault{name: "x", log: &log, journal: j}, ends: began.Add(tt.ends)}
				if !early {
					f.ends = began.Add(time.Hour)
				}
				active, err := Arm(t.Context(), j, fakeCatalog(&log, nil), nil, f, nil)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), tt.lasts)
				defer cancel()
				if err = active.Hold(ctx); err == nil {
					_, err = active.Last(t.Context())
				}
				if early != errors.Is(err, ErrEnded) {
					t.Errorf("ended after %s of %s: %v", tt.ends, tt.lasts, err)
				}
				if took := time.Since(began); took > tt.lasts+holdPatience {
					t.Errorf("held a fault of %s for %s", tt.lasts, took)
				}
			})
		})
	}
}

func TestConflict(t *testing.T) {
	var log []string
	c := NewCatalog([]Kind{
		{Name: "kill", Touches: []string{TouchesProcess}},
		{Name: "pause", Touches: []string{TouchesProcess}},
		{Name: "partition", Touches: []string{TouchesPackets}},
		{Name: "freeze", Freezes: true},
		{Name: "fill", Touches: []string{TouchesDisk}, Inside: true},
		{Name: "hog", Touches: []string{TouchesCPU}, Inside: true},
		{Name: "lose", Ends: Always, Down: true},
		{Name: "restart", Ends: Always},
		{Name: "failover", Leads: true},
		{Name: "latency", Touches: []string{"delay"}},
	})
	on := func(member string, nodes ...string) Params {
		sel := sut.Selection{Member: member, Ref: "pg." + member}
		for _, n := range nodes {
			sel.Nodes = append(sel.Nodes, sut.Node{Name: n})
		}
		return Params{Target: sel}
	}
	link := func(to string) Params {
		return Params{Target: sut.Selection{Links: []sut.Link{{Name: "api-1->" + to, From: "api-1", To: to}}}}
	}
	for _, tt := range []struct {
		one, other string
		a, b       Params
		want       string
	}{
		{"kill", "pause", on("", "api-1"), on("", "api-1", "api-2"), "kill and pause both change the process of api-1"},
		{"kill", "kill", on("", "api-1"), on("", "api-1"), "process of api-1"},
		{"kill", "pause", on("", "api-1"), on("", "api-2"), ""},
		{"kill", "partition", on("", "api-1"), on("", "api-1"), ""},
		{"fill", "freeze", on("", "api-1"), on("", "api-1"), "fill and freeze want frozen and running processes of api-1"},
		{"freeze", "fill", on("", "api-1"), on("", "api-1"), "want frozen and running processes"},
		{"freeze", "fill", on("", "api-1"), on("", "api-2"), ""},
		{"fill", "hog", on("", "api-1"), on("", "api-1"), ""},
		{"freeze", "partition", on("", "api-1"), on("", "api-1"), ""},
		{"kill", "kill", on(sut.MemberPrimary, "pg-1", "pg-2"), on(sut.MemberPrimary, "pg-1", "pg-2"), ""}, // another one by then
		{"kill", "pause", on(sut.MemberPrimary, "pg-1", "pg-2"), on("", "pg-1", "pg-2", "api-1"), "process of pg.primary"},
		{"pause", "kill", on("", "pg-1", "pg-2"), on(sut.MemberOldPrimary, "pg-1", "pg-2"), "process of pg.old-primary"},
		{"kill", "pause", on(sut.MemberPrimary, "pg-1", "pg-2"), on("", "pg-1", "api-1"), ""}, // perhaps another
		{"kill", "pause", on(sut.MemberReplica, "pg-1", "pg-2", "pg-3"), on("", "pg-1", "pg-2"), "process of pg.replica"},
		{"kill", "pause", on(sut.MemberReplica, "pg-1", "pg-2", "pg-3"), on("", "pg-1"), ""},
		{"kill", "pause", on(sut.MemberReplica, "pg-1", "pg-2", "pg-3"), on(sut.MemberPrimary, "pg-1", "pg-2", "pg-3"), ""},
		{"lose", "hog", on("", "api-1", "redis"), on("", "redis"), "lose and hog want ended and running processes of redis"},
		{"hog", "lose", on("", "redis"), on("", "redis"), "want ended and running processes"},
		{"lose", "partition", on("", "redis"), on("", "redis"), "want ended and running processes"}, // its network goes too
		{"lose", "hog", on("", "api-1"), on("", "redis"), ""},
		{"hog", "restart", on("", "redis"), on("", "redis"), "want ended and running processes"},
		{"restart", "hog", on("", "redis"), on("", "redis"), ""}, // others run by then
		{"latency", "failover", link("redis"), on("", "redis"), "latency and failover lead and break the path of api-1->redis"},
		{"failover", "latency", on("", "redis"), link("redis"), "lead and break the path of api-1->redis"},
		{"failover", "latency", on("", "redis"), link("rabbitmq"), ""},
	} {
		err := c.Conflict(tt.one, tt.a, tt.other, tt.b)
		if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s and %s: %v, want %q", tt.one, tt.other, err, tt.want)
		}
	}

	j := openJournal(t, filepath.Join(t.TempDir(), "journal"))
	arm(t, j, "x,y")
	_, err := Arm(t.Context(), j, fakeCatalog(&log, nil), nil, &fakeFault{name: "y", log: &log, journal: j}, nil)
	if !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "fake x,y is pending") || len(j.Pending()) != 1 {
		t.Errorf("the same fault on the same target twice: %v", err)
	}
}

func TestCheckAll(t *testing.T) {
	k := Kind{
		Name: "slow",
		Params: []Param{
			{Name: "delay", Measure: Duration, Default: "", About: "how much later"},
			{Name: "share", Measure: Percent, Default: "100%", About: "of what"},
			{Name: "size", Measure: Size, Default: "1MiB", About: "of each"},
			{Name: "times", Measure: Count, Default: "3", About: "how often"},
			{Name: "table", Measure: Text, Default: "t", About: "which"},
		},
		Check: func(p Params) error {
			if p.Target.Ref == "" {
				return errors.New("no target")
			}
			return nil
		},
	}
	good := Params{Target: sut.Selection{Ref: "x"}, For: time.Second, Values: map[string]string{"delay": "20ms", "share": "2.5%", "size": "64KiB"}}
	if err := k.CheckAll(good); err != nil {
		t.Error(err)
	}
	if k.Duration(good, "delay") != 20*time.Millisecond || k.Percent(good, "share") != 2.5 || k.Size(good, "size") != 64<<10 ||
		k.Count(good, "times") != 3 || k.Value(good, "table") != "t" {
		t.Error("the values are not those that were written")
	}
	if got := (Params{}).TTL(); got != DefaultTTL {
		t.Errorf("a fault with no end lasts %s", got)
	}
	for _, tt := range []struct {
		name, value string
		last        time.Duration
		want        string
	}{
		{"delay", "", 0, "slow: the parameter delay is missing: how much later"},
		{"delay", "20", 0, "the parameter delay=20: want a duration above zero"},
		{"delay", "-1s", 0, "want a duration above zero"},
		{"share", "101%", 0, "the parameter share=101%: want a share above 0% and up to 100%"},
		{"share", "NaN%", 0, "want a share"},
		{"share", "20", 0, "want a share"},
		{"size", "64MB", 0, "want a size with its unit"},
		{"size", "99999999999GiB", 0, "want a size with its unit"},
		{"times", "0", 0, "want a whole number above zero"},
		{"delai", "20ms", 0, `slow has no parameter "delai": it has delay, share, size, times, table`},
		{"share", "1%", 2 * time.Hour, "a fault lasts 1h0m0s at most"},
	} {
		p := Params{Target: good.Target, For: tt.last, Values: map[string]string{"delay": "1s", tt.name: tt.value}}
		if err := k.CheckAll(p); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s=%s: %v, want %q", tt.name, tt.value, err, tt.want)
		}
	}
	if err := k.CheckAll(Params{Values: good.Values}); err == nil || err.Error() != "no target" {
		t.Errorf("what the kind objects to: %v", err)
	}
}

// TestBoundsAreSaid has a parameter say what it may be, as its bound refuses it.
func TestBoundsAreSaid(t *testing.T) {
	k := Script{Kind: Kind{Name: "slow", Params: []Param{
		{Name: "every", Measure: Duration, Default: "1s"}, {Name: "mode", Measure: Text, Default: "fast"}, {Name: "share", Measure: Percent, Default: "5%"},
	}}}.Bounded(Between("every", time.Second, time.Minute), OneOf("mode", "fast", "slow"))
	for i, want := range []string{"1s to 1m0s", "fast or slow", "above 0% and up to 100%"} {
		if got := k.Params[i].May(); got != want {
			t.Errorf("%s may be %q, want %q", k.Params[i].Name, got, want)
		}
	}
}
