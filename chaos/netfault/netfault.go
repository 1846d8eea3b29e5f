// Package netfault breaks the network: stall stops links, partition cuts nodes
// off, lose makes hosts disappear.
//
// Stall works through the link proxies, so that the nodes at both ends see
// nothing but silence. Partition and lose work in the network namespaces of
// the nodes, with packet filter rules of IPv4 that the kernel itself stops
// applying after a while, should nobody be left to remove them.
package netfault

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/proofload/proofload/chaos"
)

// Kinds returns the faults of this package.
func Kinds() []chaos.Kind {
	return []chaos.Kind{
		{
			Name:    kindStall,
			About:   "Lets nothing pass on a link, in both directions, while its connections stay open; what was held back follows afterwards.",
			Needs:   "an environment with link proxies",
			Undone:  "The toxics are taken off, or the link is closed and opened again; by the guard if the run died.",
			Touches: []string{chaos.TouchesLink},
			New:     newStall,
			Check:   checkStall,
			Heal:    healStall,
		},
		{
			Name:    kindPartition,
			About:   "Cuts each node off from all others by dropping its packets in both directions; the node itself goes on.",
			Needs:   "an environment that lets packet filters be set on nodes",
			Undone:  "The rules are removed; the kernel itself stops applying them when the time is over.",
			Touches: []string{chaos.TouchesPackets},
			New:     newPartition,
			Check:   checkPartition,
			Heal:    healPartition,
		},
		{
			Name:    kindLose,
			About:   "Makes a node disappear as a lost host does: cut off from all others, then killed, so that nobody hears of its end.",
			Needs:   "an environment that lets packet filters be set on nodes and can kill and start them",
			Undone:  "The node is started, with a network of its own; by the guard if the run died.",
			Touches: []string{chaos.TouchesPackets, chaos.TouchesProcess},
			New:     newLose,
			Check:   checkLose,
			Heal:    healLose,
		},
	}
}

const (
	kindStall     = "stall"
	kindPartition = "partition"
	kindLose      = "lose"
)

// newID returns a mark for what one fault puts into the environment, so that
// it is told from what others put there. Chain names have at most 28 letters.
func newID() string { return uuid.NewString()[:8] }

func checkStall(p chaos.Params) error {
	if len(p.Target.Links) == 0 {
		return fmt.Errorf("stall acts on links, and %q is none: write for example stall: link:replication or stall: link:app->pgbouncer", p.Target.Ref)
	}
	return nil
}

func checkPartition(p chaos.Params) error {
	if err := checkNodes(kindPartition, p); err != nil {
		return err
	}
	if p.For <= 0 {
		return errors.New("partition needs an end, which the kernel keeps even if proofload dies: add for example for: 30s")
	}
	return nil
}

func checkLose(p chaos.Params) error { return checkNodes(kindLose, p) }

func checkNodes(kind string, p chaos.Params) error {
	if len(p.Target.Nodes) == 0 {
		return fmt.Errorf("%s acts on nodes, and %q has none: write for example %[1]s: postgres.primary or %[1]s: zone:b; to stop a link write stall", kind, p.Target.Ref)
	}
	return nil
}
