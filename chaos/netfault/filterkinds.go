package netfault

import (
	"fmt"
	"strconv"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// The faults that packet filters carry out.
const (
	kindPartition   = "partition"
	kindPacketLoss  = "packet-loss"
	kindPacketReset = "packet-reset"
	kindDNSFail     = "dns-fail"
	kindDNSTimeout  = "dns-timeout"
)

// everybody is the peer that stands for all others.
const everybody = "all"

// resolver is where Docker answers the names of containers, in the namespace of
// each.
const resolver = "127.0.0.11"

// A filterKind is a kind of fault that is nothing but rules.
type filterKind struct {
	chaos.Kind

	needsEnd bool // for: must be given

	// rules returns the rules without what identifies them.
	rules func(k chaos.Kind, p chaos.Params) cut
}

// all drops everything.
func all(chaos.Kind, chaos.Params) cut { return cut{} }

// kind completes the entry of the catalogue.
func (f filterKind) kind() chaos.Kind {
	f.Needs = "an environment that lets packet filters be set on nodes; they are of IPv4"
	f.Undone = "The rules are removed. The kernel stops applying them by itself a few seconds after the fault should have ended."
	f.Touches = []string{chaos.TouchesPackets}
	entry := f.Kind
	f.Check = func(p chaos.Params) error {
		if err := checkNodes(f.Name, p); err != nil {
			return err
		}
		if f.needsEnd && p.For <= 0 {
			return fmt.Errorf("%s needs an end, which the kernel keeps even if proofload dies: add for example for: 30s", f.Name)
		}
		if entry.Value(p, "direction") == "" {
			return nil
		}
		return oneOf(entry, p, "direction", "in", "out", "both")
	}
	f.New = func(env sut.Environment, targets *chaos.Targets, p chaos.Params) (chaos.Fault, error) {
		fault, err := makePartition(env, targets, f, p)
		if err != nil {
			return nil, err
		}
		return fault, nil
	}
	f.Heal, f.Gone = healPartition, goneCut
	return f.Kind
}

// filterParams are the parameters of faults that choose packets.
func filterParams(own ...chaos.Param) []chaos.Param {
	return append(own,
		chaos.Param{Name: "direction", Measure: chaos.Text, Default: "both", About: "in, to the node; out, from the node; or both", Limits: "in, out or both"},
		chaos.Param{
			Name: "peer", Measure: chaos.Component, Default: everybody,
			About: "the other side: a node, a role or zone:NAME. What goes through a link proxy has the proxy for a peer, so break the link instead",
		},
	)
}

// atRandom matches a share of the packets, in percent.
func atRandom(share float64) string {
	return "-m statistic --mode random --probability " + strconv.FormatFloat(share/100, 'f', -1, 64)
}

// chains returns the chains of a direction.
func chains(k chaos.Kind, p chaos.Params) []string {
	switch k.Value(p, "direction") {
	case "in":
		return []string{"INPUT"}
	case "out":
		return []string{"OUTPUT"}
	}
	return nil
}

func filterKinds() []chaos.Kind {
	list := []filterKind{
		{
			Kind: chaos.Kind{
				Name:   kindPartition,
				About:  "Cuts each node off from its peers, all others if none are named, by dropping its packets; the node itself goes on.",
				Params: filterParams(),
			},
			needsEnd: true,
			rules:    func(k chaos.Kind, p chaos.Params) cut { return cut{From: chains(k, p)} },
		},
		{
			Kind: chaos.Kind{
				Name:   kindPacketLoss,
				About:  "Drops a share of the packets of each node at random.",
				Params: filterParams(chaos.Param{Name: "loss", Measure: chaos.Percent, About: "the share of the packets, for example 5%"}),
			},
			rules: func(k chaos.Kind, p chaos.Params) cut {
				return cut{From: chains(k, p), Match: []string{atRandom(k.Percent(p, "loss"))}}
			},
		},
		{
			Kind: chaos.Kind{
				Name:   kindPacketReset,
				About:  "Answers the TCP packets of each node with an RST: connections there are end with the next packet, new ones are refused.",
				Params: filterParams(),
			},
			rules: func(k chaos.Kind, p chaos.Params) cut {
				return cut{From: chains(k, p), Match: []string{"-p tcp"}, Verdict: "REJECT --reject-with tcp-reset"}
			},
		},
		{
			Kind: chaos.Kind{Name: kindDNSFail, About: "Rejects what each node asks a name server, so that names fail to resolve at once."},
			rules: func(chaos.Kind, chaos.Params) cut {
				return cut{
					From: []string{"OUTPUT"}, Loopback: true, Verdict: "REJECT",
					Match: []string{"-d " + resolver, "-p udp --dport 53", "-p tcp --dport 53"},
				}
			},
		},
		dnsTimeout(),
	}
	kinds := make([]chaos.Kind, len(list))
	for i, f := range list {
		kinds[i] = f.kind()
	}
	return kinds
}

// dnsTimeout loses what name servers answer.
func dnsTimeout() filterKind {
	return filterKind{
		Kind: chaos.Kind{
			Name: kindDNSTimeout,
			About: "Drops what name servers answer each node, so that resolving a name takes until it times out; or a share of that, so that it is " +
				"delayed until the node has asked again, as most do after 5 s.",
			Params: []chaos.Param{{Name: "share", Measure: chaos.Percent, Default: "100%", About: "of the answers, at random"}},
		},
		rules: func(k chaos.Kind, p chaos.Params) cut {
			// Docker's answers come from another port, and no answer meets two rules.
			const others = "! -s " + resolver
			c := cut{From: []string{"INPUT"}, Loopback: true, Match: []string{"-s " + resolver, others + " -p udp --sport 53", others + " -p tcp --sport 53"}}
			if share := k.Percent(p, "share"); share < 100 {
				for i := range c.Match {
					c.Match[i] += " " + atRandom(share)
				}
			}
			return c
		},
	}
}
