package netfault

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// The faults that the kernel's netem carries out, where there is one.
const (
	kindPacketDelay       = "packet-delay"
	kindPacketCorruption  = "packet-corruption"
	kindPacketDuplication = "packet-duplication"
	kindPacketReordering  = "packet-reordering"
)

// A netem is a queueing discipline at the root of each interface of nodes. It
// acts on what leaves the node. The kernel knows no end for it, so a process in
// the auxiliary container removes it when its time is over.
type netem struct {
	Handle string   `json:"handle"` // marks the discipline as ours, for example 3f2a:
	Nodes  []string `json:"nodes"`
}

// newNetem makes a mark: four hexadecimal digits that the kernel would not
// choose itself, which counts down from 8000.
func newNetem(id string, nodes []string) netem {
	return netem{Handle: "7" + id[:3] + ":", Nodes: nodes}
}

// interfaces is the shell loop over all interfaces but loopback.
const interfaces = "for dev in $(ls /sys/class/net); do [ $dev = lo ] && continue; "

// tryScript finds out whether the kernel has netem, on a discipline that the
// loopback interface has for a moment and that does nothing, and whether the
// interfaces have no discipline of somebody else.
func (n netem) tryScript() string {
	return "if tc qdisc show dev lo root | grep -qv noqueue; then echo lo has a discipline already; exit 1; fi; " +
		"tc qdisc add dev lo root handle " + n.Handle + " netem delay 0ms && tc qdisc del dev lo root handle " + n.Handle + " && " +
		interfaces + "if tc qdisc show dev $dev root | grep -qv noqueue; then echo $dev has a discipline already; exit 1; fi; done"
}

// addScript adds the discipline to all interfaces, has it removed after a time
// whatever happens to us, and lists the result.
func (n netem) addScript(what string, ttl time.Duration) string {
	seconds := strconv.Itoa(int(ttl/time.Second) + 1)
	return "(trap '' HUP; sleep " + seconds + "; " + n.removeScript() + ") >/dev/null 2>&1 & " +
		interfaces + "tc qdisc add dev $dev root handle " + n.Handle + " netem " + what + " || exit 1; done; tc -s qdisc show"
}

// removeScript removes the discipline from all interfaces where it is, and
// lists what is left. The kernel refuses to remove one of another handle.
func (n netem) removeScript() string {
	return interfaces + "tc qdisc del dev $dev root handle " + n.Handle + " 2>/dev/null; done; tc qdisc show"
}

// packets returns how many packets the disciplines have passed, by a listing of
// tc -s, whether there are any disciplines, and an interface that has none.
func (n netem) packets(listing string) (packets int64, listed bool, without string) {
	ours := false
	for line := range strings.Lines(listing) {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 4 && fields[0] == "qdisc":
			ours = fields[1] == "netem" && fields[2] == n.Handle
			listed = listed || ours
			if !ours && fields[4] != "lo" && !strings.Contains(line, " parent ") {
				without = fields[4]
			}
		case ours && len(fields) > 3 && fields[0] == "Sent":
			count, _ := strconv.ParseInt(fields[3], 10, 64) // of an unknown form counts as none seen
			packets += count
		}
	}
	return packets, listed, without
}

// A netemFault is the fault of nodes whose packets go through netem.
type netemFault struct {
	partition // target resolution

	what string // for tc
	data netem
}

// Prepare implements [chaos.Fault]. It tries out whether the kernel has netem.
func (f *netemFault) Prepare(ctx context.Context) (chaos.Undo, error) {
	if _, err := f.prepare(ctx, f.kind.Name); err != nil {
		return chaos.Undo{}, err
	}
	f.data = newNetem(f.cut.ID, f.cut.Nodes)
	err := chaos.Each(f.data.Nodes, func(node string) error {
		out, err := f.net.NetExec(ctx, node, "sh", "-c", f.data.tryScript())
		if err != nil {
			return fmt.Errorf("%w: netem on %s: %w: %s", sut.ErrUnsupported, node, err, strings.TrimSpace(out))
		}
		return nil
	})
	if err != nil {
		return chaos.Undo{}, err
	}
	return f.data.undo(f.kind.Name, f.ttl)
}

func (n netem) undo(kind string, ttl time.Duration) (chaos.Undo, error) {
	data, err := json.Marshal(n)
	if err != nil {
		return chaos.Undo{}, fmt.Errorf("write undo data: %w", err)
	}
	manual := make([]string, len(n.Nodes))
	for i, node := range n.Nodes {
		manual[i] = fmt.Sprintf("nsenter --net --target PID_OF_%s sh -c '%s'   # or wait %s", node, n.removeScript(), ttl)
	}
	return chaos.Undo{Kind: kind, Target: chaos.JoinTargets(n.Nodes), Data: data, Manual: manual}, nil
}

// Inject implements [chaos.Fault].
func (f *netemFault) Inject(ctx context.Context) (chaos.Injection, error) {
	in := &netemInjection{env: f.env, net: f.net, data: f.data, before: make([]int64, len(f.data.Nodes)), called: time.Now()}
	err := chaos.Each(in.data.Nodes, func(node string) error {
		out, err := f.net.NetExec(ctx, node, "sh", "-c", in.data.addScript(f.what, f.ttl))
		if err != nil {
			return fmt.Errorf("add netem to %s: %w: %s", node, err, strings.TrimSpace(out))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return in, nil
}

// A netemInjection is a netem fault in effect.
type netemInjection struct {
	env    sut.Environment
	net    sut.NetAdmin
	data   netem
	before []int64   // by node, the packets that had gone through at the last look
	called time.Time // the last inject or recover call
}

// Settle implements [chaos.Injection]. It goes by the packets that went through
// since it was called last.
func (in *netemInjection) Settle(ctx context.Context) (chaos.Evidence, error) {
	said := make([]string, len(in.data.Nodes))
	now := make([]int64, len(in.data.Nodes))
	var idle atomic.Int64 // nodes
	err := chaos.Watch(ctx, func(ctx context.Context) error {
		idle.Store(0)
		return chaos.Each(chaos.Indices(said), func(i int) error {
			node := in.data.Nodes[i]
			listing, err := in.net.NetExec(ctx, node, "tc", "-s", "qdisc", "show")
			if err != nil {
				return fmt.Errorf("list disciplines of %s: %w: %s", node, err, strings.TrimSpace(listing))
			}
			total, listed, without := in.data.packets(listing)
			packets := total - in.before[i]
			now[i] = total
			switch {
			case !listed:
				return fmt.Errorf("netem %s is not listed on %s", in.data.Handle, node)
			case without != "":
				return fmt.Errorf("netem %s is not listed on %s of %s", in.data.Handle, without, node)
			case packets == 0 && time.Since(in.called) < idleTime:
				return fmt.Errorf("no packet of %s went through netem yet", node)
			}
			said[i] = fmt.Sprintf("%s: %d packets through netem", node, packets)
			if packets == 0 {
				said[i] = node + ": no traffic, netem listed"
				idle.Add(1)
			}
			return nil
		})
	})
	if err != nil {
		return chaos.Evidence{}, err
	}
	in.before = now
	return chaos.Evidence{
		By: "queueing discipline counters", Saw: strings.Join(said, "; "), Took: time.Since(in.called), Idle: int(idle.Load()) == len(said),
	}, nil
}

// Recover implements [chaos.Injection].
func (in *netemInjection) Recover(ctx context.Context) error {
	in.called = time.Now()
	return in.data.removeAll(ctx, in.env)
}

// Recovered implements [chaos.Injection].
func (in *netemInjection) Recovered(ctx context.Context) (chaos.Evidence, error) {
	err := chaos.Watch(ctx, func(ctx context.Context) error {
		return chaos.Each(in.data.Nodes, func(node string) error { return in.data.gone(ctx, in.env, in.net, node) })
	})
	if err != nil {
		return chaos.Evidence{}, err
	}
	return chaos.Evidence{
		By: "queueing discipline listing", Saw: chaos.JoinTargets(in.data.Nodes) + ": no netem left", Took: time.Since(in.called),
	}, nil
}

// gone reports that no discipline is left on a node. One that is down has none.
func (n netem) gone(ctx context.Context, env sut.Environment, net sut.NetAdmin, node string) error {
	if _, ok := env.Topology().Node(node); !ok || chaos.IsDown(ctx, env, node) {
		return nil
	}
	listing, err := net.NetExec(ctx, node, "tc", "qdisc", "show")
	if err != nil {
		return fmt.Errorf("list disciplines of %s: %w: %s", node, err, strings.TrimSpace(listing))
	}
	if _, listed, _ := n.packets(listing); listed {
		return fmt.Errorf("netem %s is still listed on %s", n.Handle, node)
	}
	return nil
}

// removeAll removes the disciplines. A node that is down or gone has none.
func (n netem) removeAll(ctx context.Context, env sut.Environment) error {
	net, ok := env.(sut.NetAdmin)
	if !ok {
		return fmt.Errorf("queueing disciplines: %w", sut.ErrUnsupported)
	}
	return chaos.Each(n.Nodes, func(node string) error {
		if _, ok := env.Topology().Node(node); !ok || chaos.IsDown(ctx, env, node) {
			return nil
		}
		listing, err := net.NetExec(ctx, node, "sh", "-c", n.removeScript())
		if err != nil && chaos.IsDown(ctx, env, node) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("remove netem of %s: %w: %s", node, err, strings.TrimSpace(listing))
		}
		if _, listed, _ := n.packets(listing); listed {
			return fmt.Errorf("netem %s is left on %s", n.Handle, node)
		}
		return nil
	})
}

// healNetem removes the disciplines that undo data names.
func healNetem(ctx context.Context, env sut.Environment, u chaos.Undo) error {
	var n netem
	if err := json.Unmarshal(u.Data, &n); err != nil {
		return fmt.Errorf("read undo data: %w", err)
	}
	return n.removeAll(ctx, env)
}

// goneNetem is the observation of [chaos.Kind.Gone] that no discipline is left.
func goneNetem(ctx context.Context, env sut.Environment, u chaos.Undo) error {
	var n netem
	if err := json.Unmarshal(u.Data, &n); err != nil {
		return fmt.Errorf("read undo data: %w", err)
	}
	net, ok := env.(sut.NetAdmin)
	if !ok {
		return fmt.Errorf("queueing disciplines: %w", sut.ErrUnsupported)
	}
	return chaos.Each(n.Nodes, func(node string) error {
		return chaos.Watch(ctx, func(ctx context.Context) error { return n.gone(ctx, env, net, node) })
	})
}
