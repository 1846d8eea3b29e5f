package netfault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

// netemFaults are the faults with parameters, and what tc is told of them.
func netemFaults() []struct {
	kind, tc string
	values   map[string]string
} {
	return []struct {
		kind, tc string
		values   map[string]string
	}{
		{kindPacketDelay, "delay 600ms", map[string]string{"delay": "600ms"}},
		{kindPacketDelay, "delay 600ms 50ms distribution normal", map[string]string{"delay": "600ms", "jitter": "50ms", "distribution": "normal"}},
		{kindPacketDelay, "delay 1.5ms 0.5ms", map[string]string{"delay": "1500us", "jitter": "500us"}},
		{kindPacketCorruption, "corrupt 100%", map[string]string{"corrupt": "100%"}},
		{kindPacketDuplication, "duplicate 2.5%", map[string]string{"duplicate": "2.5%"}},
		{kindPacketReordering, "delay 20ms reorder 25%", map[string]string{"delay": "20ms", "reorder": "25%"}},
	}
}

// hasNetem tries out whether the kernel has netem.
func hasNetem(t *testing.T, env chaostest.Isolated) bool {
	t.Helper()
	_, err := env.NetExec(t.Context(), "pg-1", "sh", "-c", newNetem(newID(), nil).tryScript())
	return err == nil
}

// TestNetem takes a fault through its life where the kernel has netem. Where it
// has not, preparation finds that out in the node's namespace, says so, and
// leaves nothing behind.
func TestNetem(t *testing.T) {
	env := chaostest.NewIsolated(t, "pg-1", "pg-2")
	if hasNetem(t, env) {
		for _, tt := range netemFaults()[:1] {
			p := chaos.Params{Target: env.Node("pg-1"), For: time.Minute, Values: tt.values}
			chaostest.TestFault(t, env, kind(t, tt.kind), p, env.Broken("pg-1"))
		}
		return
	}
	for _, tt := range netemFaults() {
		k := kind(t, tt.kind)
		p := chaos.Params{Target: env.Node("pg-1"), For: time.Minute, Values: tt.values}
		if err := k.CheckAll(p); err != nil {
			t.Error(err)
		}
		f, err := k.New(env, chaos.NewTargets(env), p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Prepare(t.Context()); !errors.Is(err, sut.ErrUnsupported) || !strings.Contains(err.Error(), "netem on pg-1") {
			t.Errorf("%s: %v, want that the kernel has no netem", tt.kind, err)
		}
	}
	listing, err := env.NetExec(t.Context(), "pg-1", "tc", "qdisc", "show")
	if err != nil || strings.Contains(listing, "netem") {
		t.Errorf("left behind: %s, %v", listing, err)
	}
}

// netShell is an environment that answers commands as a kernel with netem would.
type netShell struct {
	plain

	scripts []string
	answer  func(script string) (string, error)
}

func (*netShell) Topology() sut.Topology {
	return sut.Topology{Nodes: []sut.Node{{Name: "pg-1"}}}
}
func (*netShell) PrepareNet(context.Context, string) error { return nil }

func (n *netShell) NetExec(_ context.Context, _ string, argv ...string) (string, error) {
	script := argv[len(argv)-1]
	if argv[0] != "sh" {
		script = strings.Join(argv, " ")
	}
	n.scripts = append(n.scripts, script)
	return n.answer(script)
}

// TestNetemCommands checks what tc is told, and how its answers are read.
func TestNetemCommands(t *testing.T) {
	for _, tt := range netemFaults() {
		var handle string
		env := &netShell{}
		env.answer = func(script string) (string, error) {
			_, rest, _ := strings.Cut(script, "handle ")
			if h, _, ok := strings.Cut(rest, " "); ok {
				handle = h
			}
			if script == "tc -s qdisc show" {
				return fmt.Sprintf("qdisc noqueue 0: dev lo root refcnt 2\n Sent 9 bytes 9 pkt (dropped 0)\n"+
					"qdisc netem %s dev eth0 root refcnt 2 limit 1000 delay 600ms\n Sent 500 bytes 7 pkt (dropped 0)\n", handle), nil
			}
			return "qdisc noqueue 0: dev eth0 root refcnt 2", nil
		}
		p := chaos.Params{Target: sut.Selection{Ref: "pg-1", Nodes: env.Topology().Nodes}, For: 20 * time.Second, Values: tt.values}
		k := kind(t, tt.kind)
		in, undo := inject(t, env, k, p)
		added := env.scripts[len(env.scripts)-1]
		if want := "tc qdisc add dev $dev root handle " + handle + " netem " + tt.tc + " || exit 1"; !strings.Contains(added, want) {
			t.Errorf("%s runs %q, want %q", tt.kind, added, want)
		}
		if want := "sleep 26; "; !strings.Contains(added, want) || !strings.Contains(added, newNetem(handle[1:], nil).removeScript()) {
			t.Errorf("%s runs %q, want that it is removed after a while", tt.kind, added)
		}
		seen, err := in.Settle(t.Context())
		if err != nil || seen.Saw != "pg-1: 7 packets through netem" {
			t.Errorf("seen %+v, %v", seen, err)
		}
		if err := in.Recover(t.Context()); err != nil {
			t.Error(err)
		}
		before := len(env.scripts)
		if _, err := in.Recovered(t.Context()); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"tc qdisc show"}, env.scripts[before:]); diff != "" {
			t.Errorf("seeing it gone is more than watching (-want +got):\n%s", diff)
		}
		if err := k.Heal(t.Context(), env, undo); err != nil {
			t.Error(err)
		}
		want := interfaces + "tc qdisc del dev $dev root handle " + handle + " 2>/dev/null; done; tc qdisc show"
		if diff := cmp.Diff(want, env.scripts[len(env.scripts)-1]); diff != "" {
			t.Errorf("healing (-want +got):\n%s", diff)
		}
	}
}

// TestNetemLeft has a discipline that cannot be removed.
func TestNetemLeft(t *testing.T) {
	n := newNetem("0a1b2c3d", []string{"pg-1"})
	env := &netShell{answer: func(string) (string, error) { return "qdisc netem " + n.Handle + " dev eth0 root", nil }}
	if err := n.removeAll(t.Context(), env); err == nil || !strings.Contains(err.Error(), "is left on pg-1") {
		t.Errorf("%v, want that it is left", err)
	}
	foreign := &netShell{answer: func(string) (string, error) { return "qdisc netem 8001: dev eth0 root", nil }}
	if err := n.removeAll(t.Context(), foreign); err != nil {
		t.Errorf("what somebody else has set is taken for ours: %v", err)
	}
}
