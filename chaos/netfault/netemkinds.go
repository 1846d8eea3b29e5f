package netfault

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// A netemKind is a kind of fault that netem carries out.
type netemKind struct {
	chaos.Kind

	// what returns what tc is told.
	what func(k chaos.Kind, p chaos.Params) string
}

// kind completes the entry of the catalogue.
func (n netemKind) kind() chaos.Kind {
	n.Needs = "an environment that lets queueing disciplines be set on nodes, and a kernel that has netem, which is tried out"
	n.Undone = "The discipline is removed. A process beside the node removes it a few seconds after the fault should have ended."
	n.Touches = []string{chaos.TouchesPackets}
	n.Kernel = "NET_SCH_NETEM"
	entry := n.Kind
	n.Check = func(p chaos.Params) error {
		if err := checkNodes(n.Name, p); err != nil {
			return err
		}
		if entry.Value(p, "jitter") != "" {
			if _, err := jitterOf(entry, p); err != nil {
				return err
			}
			return oneOf(entry, p, "distribution", "uniform", "normal", "pareto")
		}
		return nil
	}
	n.New = func(env sut.Environment, targets *chaos.Targets, p chaos.Params) (chaos.Fault, error) {
		base, err := makePartition(env, targets, filterKind{Kind: entry, rules: all}, p)
		if err != nil {
			return nil, err
		}
		return &netemFault{partition: *base, what: n.what(entry, p)}, nil
	}
	n.Heal, n.Gone = healNetem, goneNetem
	return n.Kind
}

// milliseconds and percent write a parameter as tc reads it.
func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', -1, 64) + "ms"
}

func percent(k chaos.Kind, p chaos.Params, name string) string {
	return strconv.FormatFloat(k.Percent(p, name), 'f', -1, 64) + "%"
}

func netemKinds() []chaos.Kind {
	share := func(name, about string) chaos.Param {
		return chaos.Param{Name: name, Measure: chaos.Percent, About: about}
	}
	delay := chaos.Param{Name: "delay", Measure: chaos.Duration, About: "how long a packet waits"}
	list := []netemKind{
		{
			Kind: chaos.Kind{
				Name: kindPacketDelay, About: "Delays the packets that leave each node, those of the handshake too.",
				Params: []chaos.Param{
					delay,
					{Name: "jitter", Measure: chaos.Text, Default: "0s", About: "how much the delay varies; packets may overtake each other then", Limits: "a duration, or 0s"},
					{Name: "distribution", Measure: chaos.Text, Default: "uniform", About: "of the jitter", Limits: "uniform, normal or pareto"},
				},
			},
			what: delayArgs,
		},
		{
			Kind: chaos.Kind{
				Name: kindPacketCorruption, About: "Flips a bit in a share of the packets that leave each node; most are dropped by their checksum.",
				Params: []chaos.Param{share("corrupt", "the share of the packets")},
			},
			what: func(k chaos.Kind, p chaos.Params) string { return "corrupt " + percent(k, p, "corrupt") },
		},
		{
			Kind: chaos.Kind{
				Name: kindPacketDuplication, About: "Sends a share of the packets that leave each node twice.",
				Params: []chaos.Param{share("duplicate", "the share of the packets")},
			},
			what: func(k chaos.Kind, p chaos.Params) string { return "duplicate " + percent(k, p, "duplicate") },
		},
		{
			Kind: chaos.Kind{
				Name: kindPacketReordering, About: "Sends a share of the packets that leave each node at once and delays the others, so that they are overtaken.",
				Params: []chaos.Param{share("reorder", "the share of the packets that are not delayed"), delay},
			},
			what: func(k chaos.Kind, p chaos.Params) string {
				return fmt.Sprintf("delay %s reorder %s", milliseconds(k.Duration(p, "delay")), percent(k, p, "reorder"))
			},
		},
	}
	kinds := make([]chaos.Kind, len(list))
	for i, n := range list {
		kinds[i] = n.kind()
	}
	return kinds
}

// delayArgs returns what tc is told of a delay.
func delayArgs(k chaos.Kind, p chaos.Params) string {
	args := []string{"delay", milliseconds(k.Duration(p, "delay"))}
	if jitter, err := jitterOf(k, p); err == nil && jitter > 0 {
		args = append(args, milliseconds(jitter))
		if shape := k.Value(p, "distribution"); shape != "uniform" {
			args = append(args, "distribution", shape)
		}
	}
	return strings.Join(args, " ")
}
