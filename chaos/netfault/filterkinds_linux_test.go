package netfault

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

// TestFilterFaults takes the faults through their life that somebody who uses
// the node sees.
func TestFilterFaults(t *testing.T) {
	for _, tt := range []struct {
		kind   string
		values map[string]string
	}{
		{kindPartition, map[string]string{"direction": "in"}},
		{kindPartition, map[string]string{"direction": "out"}},
		{kindPacketLoss, map[string]string{"loss": "100%"}},
		{kindPacketReset, nil},
	} {
		t.Run(tt.kind+tt.values["direction"], func(t *testing.T) {
			env := chaostest.NewIsolated(t, "pg-1", "pg-2")
			p := chaos.Params{Target: env.Node("pg-1"), For: time.Minute, Values: tt.values}
			chaostest.TestFault(t, env, kind(t, tt.kind), p, env.Broken("pg-1"))
			chaostest.Whole(t, env.Broken("pg-2"))
		})
	}
}

// TestNames takes the faults of name resolution through their life, and sees
// that they differ, and that the rest of the node's traffic goes on.
func TestNames(t *testing.T) {
	for name, want := range map[string]string{kindDNSFail: "refused", kindDNSTimeout: "timeout"} {
		t.Run(name, func(t *testing.T) {
			env := chaostest.NewIsolated(t, "api-1")
			serveNames(t, env, "api-1")
			p := chaos.Params{Target: env.Node("api-1")}
			chaostest.TestFault(t, env, kind(t, name), p, asking(t, env, "api-1", "udp", resolver+":53"))

			in, _ := inject(t, env, kind(t, name), p)
			if got := asks(t, env, "api-1", "udp", resolver+":53"); got != want {
				t.Errorf("asking for a name: %s, want %s", got, want)
			}
			chaostest.Whole(t, env.Broken("api-1"))
			seen, err := in.Settle(deadline(t, 10*time.Second))
			if err != nil || strings.Contains(seen.Saw, "no traffic") {
				t.Errorf("seen %+v, %v, want packets", seen, err)
			}
		})
	}
}

// TestNamesLate loses some of the answers of name servers: who asks again is
// answered, later.
func TestNamesLate(t *testing.T) {
	env := chaostest.NewIsolated(t, "api-1")
	serveNames(t, env, "api-1")
	p := chaos.Params{Target: env.Node("api-1"), For: time.Minute, Values: map[string]string{"share": "60%"}}
	inject(t, env, kind(t, kindDNSTimeout), p)
	said := map[string]int{}
	for range 60 {
		said[asks(t, env, "api-1", "udp", resolver+":53")]++
		if said["ok"] > 1 && said["timeout"] > 1 {
			return
		}
	}
	t.Errorf("asking again and again: %v, want answers and none", said)
}

// TestPartitionOfPeers cuts a node off from one other, and from nobody else.
func TestPartitionOfPeers(t *testing.T) {
	for _, peer := range []string{"pg-2", "zone:b"} {
		t.Run(peer, func(t *testing.T) {
			env := zoned{chaostest.NewIsolated(t, "pg-1", "pg-2")}
			addr := joinNodes(t, env.Isolated, "pg-1", "pg-2") + ":7000"
			p := chaos.Params{Target: env.Node("pg-1"), For: time.Minute, Values: map[string]string{"peer": peer}}
			chaostest.TestFault(t, env, kind(t, kindPartition), p, asking(t, env.Isolated, "pg-1", "tcp", addr))
			inject(t, env, kind(t, kindPartition), p)
			if got := asks(t, env.Isolated, "pg-1", "tcp", addr); got != "timeout" {
				t.Errorf("asking the peer: %s", got)
			}
			chaostest.Whole(t, env.Broken("pg-1"))
		})
	}
}

// TestPeerMoves gives a peer another address while it is cut off, as a restart may:
// that is not taken for a partition in effect.
func TestPeerMoves(t *testing.T) {
	env := chaostest.NewIsolated(t, "pg-1", "pg-2")
	joinNodes(t, env, "pg-1", "pg-2")
	p := chaos.Params{Target: env.Node("pg-1"), For: time.Minute, Values: map[string]string{"peer": "pg-2"}}
	in, _ := inject(t, env, kind(t, kindPartition), p)
	if _, err := in.Settle(deadline(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	for _, argv := range []string{"ip addr del 10.98.0.2/24 dev to-a", "ip addr add 10.98.0.3/24 dev to-a"} {
		if out, err := env.NetExec(t.Context(), "pg-2", strings.Fields(argv)...); err != nil {
			t.Fatalf("%s: %v: %s", argv, err, out)
		}
	}
	chaostest.NotInEffect(t, in, "10.98.0.3 now, the rules are aimed at")
}

// zoned is an environment whose second node is in another zone.
type zoned struct{ chaostest.Isolated }

func (z zoned) Topology() sut.Topology {
	topo := z.Isolated.Topology()
	topo.Nodes = slices.Clone(topo.Nodes)
	topo.Nodes[0].Zone, topo.Nodes[1].Zone = "a", "b"
	return topo
}

// TestOneDirection has a node hear nothing and still be heard.
func TestOneDirection(t *testing.T) {
	env := chaostest.NewIsolated(t, "pg-1", "pg-2")
	joinNodes(t, env, "pg-1", "pg-2")
	p := chaos.Params{Target: env.Node("pg-1"), For: time.Minute, Values: map[string]string{"direction": "in", "peer": "pg-2"}}
	in, undo := inject(t, env, kind(t, kindPartition), p)
	listing, err := env.NetExec(t.Context(), "pg-1", "iptables", "-S")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(listing, "-A OUTPUT") || !strings.Contains(listing, "-s 10.98.0.2/32") {
		t.Errorf("rules:\n%s\nwant none on what goes out, and one on what comes from the peer", listing)
	}
	if err := kind(t, kindPartition).Heal(t.Context(), env, undo); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Recovered(deadline(t, 10*time.Second)); err != nil {
		t.Error(err)
	}
}

func TestFilterParameters(t *testing.T) {
	nodes := sut.Selection{Ref: "pg-1", Nodes: []sut.Node{{Name: "pg-1"}}}
	for _, tt := range []struct{ kind, name, value, want string }{
		{kindPacketLoss, "loss", "101%", "up to 100%"},
		{kindPacketLoss, "loss", "0%", "above 0%"},
		{kindPacketLoss, "", "", "the parameter loss is missing"},
		{kindPacketReset, "direction", "up", `want one of ["in" "out" "both"]`},
		{kindDNSFail, "direction", "in", "it has none"},
		{kindDNSTimeout, "share", "101%", "up to 100%"},
	} {
		p := chaos.Params{Target: nodes, For: time.Second}
		if tt.name != "" {
			p.Values = map[string]string{tt.name: tt.value}
		}
		if err := kind(t, tt.kind).CheckAll(p); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s=%s: %v, want %q", tt.kind, tt.name, tt.value, err, tt.want)
		}
	}
}

// TestUnknownPeer is an error before anything is prepared.
func TestUnknownPeer(t *testing.T) {
	env := chaostest.NewIsolated(t, "pg-1")
	p := chaos.Params{Target: env.Node("pg-1"), For: time.Second, Values: map[string]string{"peer": "pg-9"}}
	if _, err := kind(t, kindPartition).New(env, chaos.NewTargets(env), p); err == nil || !strings.Contains(err.Error(), "peer=pg-9") {
		t.Errorf("%v, want an error about the peer", err)
	}
}

// TestTargetGone heals what was injected into a node that is no more.
func TestTargetGone(t *testing.T) {
	env := chaostest.NewIsolated(t, "pg-1")
	for _, name := range []string{kindPartition, kindPacketReset} {
		k := kind(t, name)
		_, undo := inject(t, env, k, chaos.Params{Target: env.Node("pg-1"), For: time.Minute})
		if err := env.Kill(t.Context(), "pg-1"); err != nil {
			t.Fatal(err)
		}
		if err := k.Heal(t.Context(), env, undo); err != nil {
			t.Errorf("%s: heal: %v", name, err)
		}
		if err := env.Start(t.Context(), "pg-1"); err != nil {
			t.Fatal(err)
		}
	}
}
