package netfault

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

const testLink = "replication:pg-1"

// linkFaults are the faults of links with parameters under which [linkEnv.slow]
// finds the link broken.
func linkFaults() []struct {
	kind   string
	values map[string]string
} {
	return []struct {
		kind   string
		values map[string]string
	}{
		{kindLatency, map[string]string{"delay": "250ms", "jitter": "20ms", "distribution": "normal"}},
		{kindBandwidth, map[string]string{"rate": "8KiB"}},
		{kindSlice, map[string]string{"bytes": "64", "pause": "10ms"}},
		{kindLimit, map[string]string{"bytes": "5000"}},
		{kindHalfOpen, nil},
		{kindLinkReset, nil},
		{kindLinkDown, nil},
		{kindStall, map[string]string{"direction": "up"}},
		{kindLatency, map[string]string{"delay": "500ms", "direction": "down"}},
	}
}

// slow is a probe that sends 8 KiB to the server and back on a new connection
// and finds the link broken if that fails or takes long.
func (e *linkEnv) slow(link string) chaostest.Probe {
	return func(ctx context.Context) (bool, error) {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", e.ports[link])
		if err != nil {
			return true, nil
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(400 * time.Millisecond))
		buf := make([]byte, 8<<10)
		if _, err := c.Write(buf); err != nil {
			return true, nil
		}
		for n := 0; n < len(buf); {
			got, err := c.Read(buf)
			if err != nil {
				return true, nil
			}
			n += got
		}
		return false, nil
	}
}

// traffic sends something through the link on new connections all the time, as a
// service does that connects again.
func (e *linkEnv) traffic(tb testing.TB) {
	tb.Helper()
	probe := e.slow(testLink)
	ctx, cancel := context.WithCancel(tb.Context())
	done := make(chan struct{})
	tb.Cleanup(func() {
		cancel()
		<-done
	})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, _ = probe(ctx)
			<-time.After(5 * time.Millisecond)
		}
	}()
}

func TestLinkFaults(t *testing.T) {
	for _, tt := range linkFaults() {
		for _, traffic := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %s traffic %t", tt.kind, tt.values["direction"], traffic), func(t *testing.T) {
				t.Parallel()
				env := newLinkEnv(t, testLink, "api-1->pgbouncer")
				if traffic {
					env.traffic(t)
				}
				p := chaos.Params{Target: env.selection(testLink), Values: tt.values}
				chaostest.TestFault(t, env, kind(t, tt.kind), p, env.slow(testLink))
				chaostest.Whole(t, env.slow("api-1->pgbouncer"))
			})
		}
	}
}

// TestLinkEvidence checks that a link with traffic is judged by what it did
// with it.
func TestLinkEvidence(t *testing.T) {
	says := map[string]string{
		kindLatency: "waited 2", kindBandwidth: "under the limit", kindSlice: "in pieces", kindLimit: "against the limit",
		kindHalfOpen: "bytes dropped", kindLinkReset: "connections reset", kindLinkDown: "none left",
	}
	for _, tt := range linkFaults()[:len(says)] {
		t.Run(tt.kind, func(t *testing.T) {
			t.Parallel()
			env := newLinkEnv(t, testLink)
			env.traffic(t)
			in, _ := inject(t, env, kind(t, tt.kind), chaos.Params{Target: env.selection(testLink), Values: tt.values})
			seen, err := in.Settle(deadline(t, 30*time.Second))
			if err != nil || !strings.Contains(seen.Saw, says[tt.kind]) {
				t.Errorf("seen %+v, %v, want %q", seen, err, says[tt.kind])
			}
			err = in.Recover(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			seen, err = in.Recovered(deadline(t, 30*time.Second))
			if err != nil || !strings.Contains(seen.Saw, "delivered since") {
				t.Errorf("recovered: %+v, %v", seen, err)
			}
		})
	}
}

// TestLinkFaultEndedEarly takes the toxic away behind the fault's back: looking
// again finds that.
func TestLinkFaultEndedEarly(t *testing.T) {
	env := newLinkEnv(t, testLink)
	k := kind(t, kindLatency)
	in, undo := inject(t, env, k, chaos.Params{Target: env.selection(testLink), Values: map[string]string{"delay": "200ms"}})
	if _, err := in.Settle(deadline(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := k.Heal(t.Context(), env, undo); err != nil {
		t.Fatal(err)
	}
	chaostest.NotInEffect(t, in, "0 of 2 toxics are listed")
}

// TestLinkFaultsInAnyOrder recovers the first of two faults of one link first.
func TestLinkFaultsInAnyOrder(t *testing.T) {
	env := newLinkEnv(t, testLink)
	first, _ := inject(t, env, kind(t, kindLatency), chaos.Params{Target: env.selection(testLink), Values: map[string]string{"delay": "10ms"}})
	second, _ := inject(t, env, kind(t, kindHalfOpen), chaos.Params{Target: env.selection(testLink)})
	if err := first.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if broken, err := env.slow(testLink)(t.Context()); !broken || err != nil {
		t.Errorf("broken %t, %v while the second fault is in effect", broken, err)
	}
	if err := second.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	chaostest.Whole(t, env.slow(testLink))
}

// TestLinkFaultsCombine has two faults of one link in effect at the same time,
// each seen by what it does itself. What cannot be combined with them is refused,
// by a plan and by the journal; all are undone in the reverse order.
func TestLinkFaultsCombine(t *testing.T) {
	t.Parallel()
	env := newLinkEnv(t, testLink)
	env.traffic(t)
	var healed []string
	kinds := Kinds()
	for i, k := range kinds {
		kinds[i].Heal = func(ctx context.Context, env sut.Environment, u chaos.Undo) error {
			healed = append(healed, u.Kind)
			return k.Heal(ctx, env, u)
		}
	}
	catalog := chaos.NewCatalog(kinds)
	journal, err := chaos.OpenJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close()
	params := func(values map[string]string) chaos.Params {
		return chaos.Params{Target: env.selection(testLink), Values: values}
	}
	arm := func(kind string, values map[string]string) (*chaos.Active, error) {
		f, err := catalog.New(kind, env, nil, params(values))
		if err != nil {
			t.Fatal(err)
		}
		return chaos.Arm(t.Context(), journal, catalog, env, f, nil)
	}
	for _, one := range []struct {
		kind, says string
		values     map[string]string
	}{
		{kindBandwidth, "under the limit", map[string]string{"rate": "256KiB"}},
		{kindLatency, "waited ", map[string]string{"delay": "20ms"}},
		{kindSlice, "in pieces", map[string]string{"bytes": "2048", "pause": "1ms"}},
	} {
		active, err := arm(one.kind, one.values)
		if err != nil {
			t.Fatal(err)
		}
		seen, err := active.Settle(deadline(t, 30*time.Second))
		if err != nil || !strings.Contains(seen.Saw, one.says) {
			t.Errorf("%s: seen %+v, %v, want %q", one.kind, seen, err, one.says)
		}
	}
	for kind, values := range map[string]map[string]string{
		kindLatency: {"delay": "5ms"}, kindLimit: {"bytes": "5"}, kindStall: nil, kindHalfOpen: nil, kindLinkReset: nil, kindLinkDown: nil,
	} {
		if err := catalog.Conflict(kindLatency, params(map[string]string{"delay": "20ms"}), kind, params(values)); !errors.Is(err, chaos.ErrConflict) {
			t.Errorf("a plan with latency and %s: %v", kind, err)
		}
		if _, err := arm(kind, values); !errors.Is(err, chaos.ErrConflict) {
			t.Errorf("%s is injected beside the others: %v", kind, err)
		}
	}
	if err := chaos.HealAll(t.Context(), catalog, env, journal); err != nil {
		t.Fatal(err)
	}
	if want := []string{kindSlice, kindLatency, kindBandwidth}; !slices.Equal(healed, want) {
		t.Errorf("undone %q, want %q", healed, want)
	}
	chaostest.Whole(t, env.slow(testLink))
}

// TestLatencySeesItselfAlone has a link so slow that everything waits, by a limit
// of the rate: that is not taken for a delay.
func TestLatencySeesItselfAlone(t *testing.T) {
	t.Parallel()
	env := newLinkEnv(t, testLink)
	env.traffic(t)
	slow := chaos.Params{Target: env.selection(testLink), Values: map[string]string{"rate": "2KiB"}}
	inject(t, env, kind(t, kindBandwidth), slow)
	k := kind(t, kindLatency)
	in, undo := inject(t, env, k, chaos.Params{Target: env.selection(testLink), Values: map[string]string{"delay": "100ms", "connections": "0.001%"}})
	defer func() { _ = k.Heal(t.Context(), env, undo) }() // the link goes with the test
	if seen, err := in.Settle(deadline(t, 1500*time.Millisecond)); err == nil {
		t.Errorf("a delay that meets nobody is seen: %+v", seen)
	}
}

func TestLinkParameters(t *testing.T) {
	links := sut.Selection{Ref: "link:x", Links: make([]sut.Link, 1)}
	tests := []struct {
		kind, name, value string
		want              string // in the error; empty: none
	}{
		{kindLatency, "delay", "200ms", ""},
		{kindLatency, "", "", "the parameter delay is missing"},
		{kindLatency, "delay", "200", "want a duration"},
		{kindLatency, "delay", "10us", "want 1ms or more"},
		{kindLatency, "jitter", "-3ms", "jitter=-3ms: want a duration"},
		{kindLatency, "distribution", "flat", `distribution=flat: want one of ["uniform" "normal" "pareto"]`},
		{kindLatency, "direction", "left", `direction=left: want one of ["up" "down" "both"]`},
		{kindLatency, "connections", "120%", "up to 100%"},
		{kindBandwidth, "rate", "64", "want a size with its unit"},
		{kindBandwidth, "delay", "3ms", `has no parameter "delay": it has rate, direction, connections`},
		{kindSlice, "bytes", "0", "want a whole number above zero"},
		{kindStall, "direction", "left", "want one of"},
		{kindLinkDown, "direction", "up", `has no parameter "direction"`},
	}
	for _, tt := range tests {
		values := map[string]string{}
		if tt.kind == kindLatency && tt.name != "" {
			values["delay"] = "5ms"
		}
		if tt.name != "" {
			values[tt.name] = tt.value
		}
		err := kind(t, tt.kind).CheckAll(chaos.Params{Target: links, Values: values})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s=%s: %v, want %q", tt.kind, tt.name, tt.value, err, tt.want)
		}
	}
}

// stockEnv is an environment whose link goes through a stock Toxiproxy server
// that serves other proxies too.
type stockEnv struct {
	linkEnv

	url string
}

// LinkControl implements [sut.LinkController].
func (e *stockEnv) LinkControl(link string) (string, bool) {
	_, ok := e.ports[link]
	return e.url + "#pg", ok
}

func newStockEnv(t *testing.T) *stockEnv {
	t.Helper()
	return newStockEnvTo(t, startEcho(t))
}

// newStockEnvTo is newStockEnv to another server.
func newStockEnvTo(t *testing.T, upstream string) *stockEnv {
	t.Helper()
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	e := &stockEnv{linkEnv: linkEnv{ports: map[string]string{}}}
	for _, name := range []string{"other", "pg"} {
		proxy := toxiproxy.NewProxy(api, name, "127.0.0.1:0", upstream)
		if err := api.Collection.Add(proxy, true); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(proxy.Stop)
		e.ports[map[string]string{"pg": testLink, "other": "other"}[name]] = proxy.Listen
	}
	server := httptest.NewServer(api.Routes())
	t.Cleanup(server.Close)
	e.url = server.URL
	e.topology.Links = []sut.Link{{Name: testLink}}
	return e
}

// TestStockToxiproxy takes every fault that Toxiproxy itself can carry out
// through a server of its own.
func TestStockToxiproxy(t *testing.T) {
	env := newStockEnv(t)
	for _, tt := range linkFaults() {
		if tt.kind == kindHalfOpen || tt.values["distribution"] == "normal" {
			continue
		}
		t.Run(tt.kind+tt.values["direction"], func(t *testing.T) {
			p := chaos.Params{Target: env.selection(testLink), Values: tt.values}
			chaostest.TestFault(t, env, kind(t, tt.kind), p, env.slow(testLink))
			chaostest.Whole(t, env.slow("other"))
		})
	}
}

// TestStockRefuses checks that preparation refuses what only linkd can do, and
// changes nothing.
func TestStockRefuses(t *testing.T) {
	env := newStockEnv(t)
	for _, tt := range linkFaults() {
		if tt.kind != kindHalfOpen && tt.values["distribution"] != "normal" {
			continue
		}
		f, err := kind(t, tt.kind).New(env, nil, chaos.Params{Target: env.selection(testLink), Values: tt.values})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Prepare(t.Context()); !errors.Is(err, sut.ErrUnsupported) || !strings.Contains(err.Error(), "linkd can") {
			t.Errorf("%s: %v", tt.kind, err)
		}
	}
	chaostest.Whole(t, env.slow(testLink))
}

// TestKindsAreComplete checks what the catalogue prints.
func TestKindsAreComplete(t *testing.T) {
	var names []string
	for _, k := range Kinds() {
		if k.About == "" || k.Needs == "" || k.Undone == "" || len(k.Touches) == 0 {
			t.Errorf("%s does not say everything: %+v", k.Name, k)
		}
		for _, p := range k.Params {
			if p.About == "" {
				t.Errorf("%s: parameter %s does not say what it is", k.Name, p.Name)
			}
		}
		if slices.Contains(names, k.Name) {
			t.Errorf("two kinds %s", k.Name)
		}
		names = append(names, k.Name)
	}
}
