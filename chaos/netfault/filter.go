package netfault

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// How long the kernel drops packets at most, counted from injection: as long
// as the scenario says and a margin, so that it is the recovery that ends the
// fault, or defaultTTL where it says nothing.
const (
	defaultTTL = 10 * time.Minute
	ttlMargin  = 5 * time.Second
)

// A cut is a set of packet filter rules that cuts a node off: a chain of its
// own, with a comment on every rule, that drops all packets but the node's to
// itself.
type cut struct {
	ID    string   `json:"id"`
	Nodes []string `json:"nodes"`
}

func (c cut) chain() string { return "PL-" + c.ID }

// iptables waits for the lock that other programs may hold.
const iptables = "iptables -w 5"

// jump returns the rule that leads packets into the chain.
func (c cut) jump(from string) string {
	side := map[string]string{"INPUT": "-i", "OUTPUT": "-o"}[from]
	return fmt.Sprintf("%s ! %s lo -m comment --comment proofload:%s -j %s", from, side, c.ID, c.chain())
}

// addScript cuts a node off until a moment by the clock of its host and lists
// the result. The rules come into effect last, and together.
func (c cut) addScript(until time.Time) string {
	return strings.Join([]string{
		iptables + " -N " + c.chain(),
		fmt.Sprintf("%s -A %s -m time --datestop %s -m comment --comment proofload:%s -j DROP",
			iptables, c.chain(), until.UTC().Format("2006-01-02T15:04:05"), c.ID),
		iptables + " -I " + c.jump("OUTPUT"),
		iptables + " -I " + c.jump("INPUT"),
		iptables + " -S",
	}, " && ")
}

// removeScript removes what is there of the rules and lists what is left.
func (c cut) removeScript() string {
	return strings.Join([]string{
		"while " + iptables + " -D " + c.jump("INPUT") + " 2>/dev/null; do :; done",
		"while " + iptables + " -D " + c.jump("OUTPUT") + " 2>/dev/null; do :; done",
		iptables + " -F " + c.chain() + " 2>/dev/null",
		iptables + " -X " + c.chain() + " 2>/dev/null",
		iptables + " -S",
	}, "; ")
}

// add cuts a node off and sees the rules listed.
func (c cut) add(ctx context.Context, net sut.NetAdmin, node string, ttl time.Duration) error {
	until := time.Now().Add(ttl).Truncate(time.Second).Add(time.Second)
	listing, err := net.NetExec(ctx, node, "sh", "-c", c.addScript(until))
	if err != nil {
		return fmt.Errorf("cut off %s: %w: %s", node, err, strings.TrimSpace(listing))
	}
	if err := c.listed(listing); err != nil {
		return fmt.Errorf("cut off %s: %w", node, err)
	}
	return nil
}

// listed reports which rule is missing from a listing.
func (c cut) listed(listing string) error {
	for _, rule := range []string{"-A INPUT ! -i lo ", "-A OUTPUT ! -o lo ", "-A " + c.chain() + " "} {
		found := false
		for line := range strings.Lines(listing) {
			line = strings.TrimSpace(line)
			found = found || strings.HasPrefix(line, rule) && strings.Contains(line, "proofload:"+c.ID) &&
				(strings.HasSuffix(line, "-j "+c.chain()) || strings.HasSuffix(line, "-j DROP"))
		}
		if !found {
			return fmt.Errorf("rule %q of chain %s is not listed", strings.TrimSpace(rule), c.chain())
		}
	}
	return nil
}

// dropped returns how many packets of a node the rules have dropped.
func (c cut) dropped(ctx context.Context, net sut.NetAdmin, node string) (packets int64, err error) {
	listing, err := net.NetExec(ctx, node, "sh", "-c", iptables+" -nvxL "+c.chain())
	if err != nil {
		return 0, fmt.Errorf("list rules of %s: %w: %s", node, err, strings.TrimSpace(listing))
	}
	for line := range strings.Lines(listing) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == "DROP" {
			return strconv.ParseInt(fields[0], 10, 64)
		}
	}
	return 0, fmt.Errorf("list rules of %s: no DROP in chain %s", node, c.chain())
}

// remove lets a node's packets through again. A node that is down or gone has
// lost its namespace, and the rules with it.
func (c cut) remove(ctx context.Context, env sut.Environment, node string) error {
	net, ok := env.(sut.NetAdmin)
	if !ok {
		return fmt.Errorf("packet filters: %w", sut.ErrUnsupported)
	}
	if _, ok := env.Topology().Node(node); !ok || isDown(ctx, env, node) {
		return nil
	}
	listing, err := net.NetExec(ctx, node, "sh", "-c", c.removeScript())
	switch {
	case err != nil && isDown(ctx, env, node):
		return nil
	case err != nil:
		return fmt.Errorf("let %s through: %w: %s", node, err, strings.TrimSpace(listing))
	case strings.Contains(listing, c.chain()):
		return fmt.Errorf("let %s through: rules of chain %s are left", node, c.chain())
	}
	return nil
}

// isDown reports whether the supervisor says that a node is down.
func isDown(ctx context.Context, env sut.Environment, node string) bool {
	killer, ok := env.(sut.Killer)
	if !ok {
		return false
	}
	state, err := killer.State(ctx, node)
	return err == nil && state == sut.Down
}

// gone reports that no rule is left on a node.
func (c cut) gone(ctx context.Context, env sut.Environment, net sut.NetAdmin, node string) error {
	if isDown(ctx, env, node) {
		return nil
	}
	listing, err := net.NetExec(ctx, node, "sh", "-c", iptables+" -S")
	if err != nil {
		return fmt.Errorf("list rules of %s: %w: %s", node, err, strings.TrimSpace(listing))
	}
	if strings.Contains(listing, c.chain()) {
		return fmt.Errorf("chain %s is still listed on %s", c.chain(), node)
	}
	return nil
}

// undo describes how to remove the rules, for the journal and for people.
func (c cut) undo(kind string, ttl time.Duration) (chaos.Undo, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return chaos.Undo{}, fmt.Errorf("write undo data: %w", err)
	}
	manual := make([]string, len(c.Nodes))
	for i, node := range c.Nodes {
		manual[i] = fmt.Sprintf("nsenter --net --target PID_OF_%s sh -c '%s'   # or wait: the kernel stops applying the rules after %s",
			node, c.removeScript(), ttl)
	}
	return chaos.Undo{Kind: kind, Target: chaos.JoinTargets(c.Nodes), Data: data, Manual: manual}, nil
}

// readCut reads undo data.
func readCut(u chaos.Undo) (cut, error) {
	var c cut
	if err := json.Unmarshal(u.Data, &c); err != nil {
		return cut{}, fmt.Errorf("read undo data: %w", err)
	}
	return c, nil
}

// ttlOf returns how long the kernel applies the rules of a fault.
func ttlOf(p chaos.Params) time.Duration {
	if p.For > 0 {
		return p.For + ttlMargin
	}
	return defaultTTL
}
