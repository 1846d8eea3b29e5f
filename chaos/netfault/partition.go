package netfault

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// A partition is the fault of nodes that are cut off, each by itself.
type partition struct {
	env     sut.Environment
	net     sut.NetAdmin
	targets *chaos.Targets
	target  sut.Selection
	ttl     time.Duration
	kind    filterKind
	params  chaos.Params
	cut     cut                 // as resolved by Prepare
	others  map[string][]string // with it, the addresses of its peers by their own names; nil: all are
}

func makePartition(env sut.Environment, targets *chaos.Targets, kind filterKind, p chaos.Params) (*partition, error) {
	net, ok := env.(sut.NetAdmin)
	if !ok {
		return nil, fmt.Errorf("packet filters: %w", sut.ErrUnsupported)
	}
	if ref := kind.Value(p, "peer"); ref != "" && ref != everybody {
		if _, err := env.Topology().Select(ref); err != nil {
			return nil, fmt.Errorf("the parameter peer=%s: %w", ref, err)
		}
	}
	return &partition{env: env, net: net, targets: targets, target: p.Target, ttl: ttlOf(p), kind: kind, params: p}, nil
}

// String implements [chaos.Fault].
func (p *partition) String() string { return p.kind.Name + " " + p.target.Ref }

// Prepare implements [chaos.Fault].
func (p *partition) Prepare(ctx context.Context) (chaos.Undo, error) {
	return p.prepare(ctx, p.kind.Name)
}

// prepare makes all candidates ready for rules before it asks which of them
// are meant, because the answer should not be old when they are cut off.
func (p *partition) prepare(ctx context.Context, kind string) (chaos.Undo, error) {
	unready := make([]error, len(p.target.Nodes))
	_ = chaos.Each(chaos.Indices(unready), func(i int) error { // judged below, by node
		unready[i] = p.net.PrepareNet(ctx, p.target.Nodes[i].Name)
		return nil
	})
	nodes, err := p.targets.Names(ctx, p.target)
	if err != nil {
		return chaos.Undo{}, err
	}
	for i, candidate := range p.target.Nodes {
		for _, node := range nodes {
			if node == candidate.Name && unready[i] != nil {
				return chaos.Undo{}, fmt.Errorf("prepare the network of %s: %w", node, unready[i])
			}
		}
	}
	p.cut = p.kind.rules(p.kind.Kind, p.params)
	p.cut.ID, p.cut.Nodes = newID(), nodes
	if p.cut.Peers, err = p.peers(ctx, nodes); err != nil {
		return chaos.Undo{}, err
	}
	return p.cut.undo(kind, p.ttl)
}

// peers returns the addresses of the other side, by node: nil if everybody is.
func (p *partition) peers(ctx context.Context, nodes []string) (map[string][]string, error) {
	ref := p.kind.Value(p.params, "peer")
	if ref == "" || ref == everybody {
		return nil, nil //nolint:nilnil // no choice of peers
	}
	sel, err := p.env.Topology().Select(ref)
	if err != nil {
		return nil, fmt.Errorf("resolve peer %s: %w", ref, err)
	}
	names, err := p.targets.Names(ctx, sel)
	if err != nil {
		return nil, err
	}
	found := make([][]string, len(names))
	err = chaos.Each(chaos.Indices(names), func(i int) (err error) {
		found[i], err = addresses(ctx, p.net, names[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	peers := map[string][]string{}
	p.others = map[string][]string{}
	for _, node := range nodes {
		for i, name := range names {
			if name != node {
				p.others[name] = found[i]
				peers[node] = append(peers[node], found[i]...)
			}
		}
		if len(peers[node]) == 0 {
			return nil, fmt.Errorf("peer %s of %s is nobody else", ref, node)
		}
	}
	return peers, nil
}

// addresses returns the IPv4 addresses of a node, as its own network namespace
// lists them.
func addresses(ctx context.Context, net sut.NetAdmin, node string) ([]string, error) {
	listing, err := net.NetExec(ctx, node, "ip", "-4", "-o", "addr", "show", "scope", "global")
	if err != nil {
		return nil, fmt.Errorf("list addresses of %s: %w: %s", node, err, strings.TrimSpace(listing))
	}
	var list []string
	for line := range strings.Lines(listing) {
		if fields := strings.Fields(line); len(fields) > 3 && fields[2] == "inet" {
			address, _, _ := strings.Cut(fields[3], "/")
			list = append(list, address)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("list addresses of %s: it has none", node)
	}
	return list, nil
}

// Inject implements [chaos.Fault].
func (p *partition) Inject(ctx context.Context) (chaos.Injection, error) {
	in := &partitioned{
		env: p.env, net: p.net, cut: p.cut, others: p.others, before: make([]int64, len(p.cut.Nodes)), called: time.Now(),
	}
	err := chaos.Each(in.cut.Nodes, func(node string) error { return in.cut.add(ctx, p.net, node, p.ttl) })
	if err != nil {
		return nil, err
	}
	return in, nil
}

// A partitioned is a partition in effect.
type partitioned struct {
	env    sut.Environment
	net    sut.NetAdmin
	cut    cut
	others map[string][]string // what the rules are aimed at, by peer
	before []int64             // by node, the packets that had met the rules at the last look
	called time.Time           // the last inject or recover call
}

// Settle implements [chaos.Injection]. It goes by the packets that the kernel has
// dropped since it was called last; a node that tries to send or receive none for a
// while is taken for cut off by the rules that are listed and not over.
func (p *partitioned) Settle(ctx context.Context) (chaos.Evidence, error) {
	said := make([]string, len(p.cut.Nodes))
	now := make([]int64, len(p.cut.Nodes))
	var idle atomic.Int64 // nodes
	err := chaos.Watch(ctx, func(ctx context.Context) error {
		idle.Store(0)
		if err := p.aimed(ctx); err != nil {
			return err
		}
		return chaos.Each(chaos.Indices(said), func(i int) error {
			node := p.cut.Nodes[i]
			total, err := p.cut.look(ctx, p.net, node)
			packets := total - p.before[i]
			now[i] = total
			switch {
			case err != nil:
				return err
			case packets == 0 && time.Since(p.called) < idleTime:
				return fmt.Errorf("no packet of %s met the rules yet", node)
			case packets == 0:
				said[i] = node + ": no traffic, rules listed"
				idle.Add(1)
			default:
				said[i] = fmt.Sprintf("%s: %d packets %s", node, packets, p.cut.did())
			}
			return nil
		})
	})
	if err != nil {
		return chaos.Evidence{}, err
	}
	p.before = now
	return chaos.Evidence{
		By: "packet filter counters", Saw: strings.Join(said, "; "), Took: time.Since(p.called), Idle: int(idle.Load()) == len(said),
	}, nil
}

// aimed reports a peer that has another address than the rules are aimed at: it was
// restarted, nothing cuts it off any more, and its old address may be somebody
// else's by now. One that is down has none.
func (p *partitioned) aimed(ctx context.Context) error {
	return chaos.Each(slices.Sorted(maps.Keys(p.others)), func(peer string) error {
		if chaos.IsDown(ctx, p.env, peer) {
			return nil
		}
		now, err := addresses(ctx, p.net, peer)
		if err == nil && !slices.Equal(now, p.others[peer]) {
			err = fmt.Errorf("%s is at %s now, the rules are aimed at %s", peer, strings.Join(now, ", "), strings.Join(p.others[peer], ", "))
		}
		return err
	})
}

// Recover implements [chaos.Injection].
func (p *partitioned) Recover(ctx context.Context) error {
	p.called = time.Now()
	return p.cut.removeAll(ctx, p.env)
}

// Recovered implements [chaos.Injection].
func (p *partitioned) Recovered(ctx context.Context) (chaos.Evidence, error) {
	var down atomic.Int64
	err := chaos.Each(p.cut.Nodes, func(node string) error {
		err := chaos.Watch(ctx, func(ctx context.Context) error { return p.cut.gone(ctx, p.env, p.net, node) })
		if err != nil {
			return err
		}
		if chaos.IsDown(ctx, p.env, node) { // by another fault
			down.Add(1)
			return nil
		}
		_, err = chaos.AwaitWhole(ctx, p.env, []string{node})
		return err
	})
	if err != nil {
		return chaos.Evidence{}, err
	}
	saw := chaos.JoinTargets(p.cut.Nodes) + ": no rule left"
	if n := down.Load(); n > 0 {
		saw += fmt.Sprintf(", %d down", n)
	}
	return chaos.Evidence{By: "packet filter listing and readiness", Saw: saw, Took: time.Since(p.called)}, nil
}

// healPartition removes the rules that undo data names.
func healPartition(ctx context.Context, env sut.Environment, u chaos.Undo) error {
	c, err := readCut(u)
	if err != nil {
		return err
	}
	return c.removeAll(ctx, env)
}

// did says what happened to packets.
func (c cut) did() string {
	if c.target() == "DROP" {
		return "dropped"
	}
	return "rejected"
}

func (c cut) removeAll(ctx context.Context, env sut.Environment) error {
	return chaos.Each(c.Nodes, func(node string) error { return c.remove(ctx, env, node) })
}
