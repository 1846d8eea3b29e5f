// Package netfault breaks the network: stall stops links, partition cuts nodes
// off, lose makes hosts disappear.
//
// Stall works through the link proxies, so that the nodes at both ends see
// nothing but silence. Partition and lose work in the network namespaces of
// the nodes, with packet filter rules of IPv4 that the kernel itself stops
// applying after a while, should nobody be left to remove them.
package netfault

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/proofload/proofload/chaos"
)

// Kinds returns the faults of this package.
func Kinds() []chaos.Kind {
	return slices.Concat(linkKinds(), filterKinds(), netemKinds(), []chaos.Kind{
		{
			Name:    kindStall,
			About:   "Lets nothing pass on a link while its connections stay open; what was held back follows afterwards.",
			Needs:   "an environment with link proxies",
			Undone:  "The toxic is removed, and what was held back passes. No toxic outlives its proxy.",
			Params:  linkParams(),
			Touches: wholeLink(),
			New:     newStall,
			Check:   checkStall,
			Heal:    healStall,
			Gone:    goneLinks,
			Marks:   linkMarks,
		},
		{
			Name:    kindLose,
			About:   "Makes a node disappear as a lost host does: cut off from all others, then killed, so that nobody hears of its end.",
			Needs:   "an environment that lets packet filters be set on nodes and can kill and start them",
			Undone:  "The rules are removed and the node is started. The kernel stops applying the rules by itself; a node that was killed stays down until it is started.",
			Touches: []string{chaos.TouchesPackets, chaos.TouchesProcess},
			Ends:    chaos.Always,
			Down:    true,
			New:     newLoss(kindLose),
			Check:   checkLose,
			Heal:    healLose,
			Gone:    goneLoss,
		},
		{
			Name:    kindZoneOutage,
			About:   "Makes all nodes of a zone disappear together, each as a lost host does: cut off from all others, then killed.",
			Needs:   "an environment whose nodes are in zones, that lets packet filters be set on them and can kill and start them",
			Undone:  "The rules are removed and the nodes are started, all at the same time. The kernel stops applying the rules by itself; a node that was killed stays down until it is started.",
			Touches: []string{chaos.TouchesPackets, chaos.TouchesProcess},
			Ends:    chaos.Always,
			Down:    true,
			New:     newLoss(kindZoneOutage),
			Check:   checkZone,
			Heal:    healLose,
			Gone:    goneLoss,
		},
	})
}

const (
	kindStall      = "stall"
	kindLose       = "lose"
	kindZoneOutage = "zone-outage"
)

// newID returns a mark for what one fault puts into the environment, so that
// it is told from what others put there. Chain names have at most 28 letters.
func newID() string { return uuid.NewString()[:8] }

func checkStall(p chaos.Params) error {
	if len(p.Target.Links) == 0 {
		return fmt.Errorf("stall acts on links, and %q is none: write for example stall: link:replication or stall: link:app->pgbouncer", p.Target.Ref)
	}
	return oneOf(partialStall().Kind, p, "direction", "up", "down", "both")
}

func checkLose(p chaos.Params) error { return checkNodes(kindLose, p) }

// checkZone wants a whole zone: what takes a part of it is a loss.
func checkZone(p chaos.Params) error {
	if !strings.HasPrefix(p.Target.Ref, "zone:") {
		return fmt.Errorf("%s acts on a zone, and %q is none: write for example %[1]s: zone:b; to lose some nodes write lose", kindZoneOutage, p.Target.Ref)
	}
	return checkNodes(kindZoneOutage, p)
}

func checkNodes(kind string, p chaos.Params) error {
	if len(p.Target.Nodes) == 0 {
		return fmt.Errorf("%s acts on nodes, and %q has none: write for example %[1]s: postgres.primary or %[1]s: zone:b; to stop a link write stall", kind, p.Target.Ref)
	}
	return nil
}
