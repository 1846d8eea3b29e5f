package netfault

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
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

// A cut is a set of packet filter rules on nodes: a chain of its own, with a
// comment on every rule. The zero verdict and no more drops all packets but the
// node's to itself.
type cut struct {
	ID       string              `json:"id"`
	Nodes    []string            `json:"nodes"`
	From     []string            `json:"from,omitempty"`     // the chains that lead here, INPUT and OUTPUT; empty: both
	Loopback bool                `json:"loopback,omitempty"` // what the node sends itself is meant too
	Peers    map[string][]string `json:"peers,omitempty"`    // by node, the addresses that are meant; nil: all
	Match    []string            `json:"match,omitempty"`    // what is meant; empty: everything
	Verdict  string              `json:"verdict,omitempty"`  // empty: DROP
}

func (c cut) chain() string { return "PL-" + c.ID }

// dateForm is how the kernel's rules have a date, in UTC. Texts of it are in the order
// of time.
const dateForm = "%Y-%m-%dT%H:%M:%S"

// iptables waits for the lock that other programs may hold.
const iptables = "iptables -w 5"

// from returns the chains that lead into ours.
func (c cut) from() []string {
	if len(c.From) == 0 {
		return []string{"OUTPUT", "INPUT"}
	}
	return c.From
}

func (c cut) verdict() string { return cmp.Or(c.Verdict, "DROP") }

// target returns what a listing shows of the verdict.
func (c cut) target() string { return strings.Fields(c.verdict())[0] }

// jump returns the rule that leads packets into the chain.
func (c cut) jump(from string) string {
	side := map[string]string{"INPUT": "-i", "OUTPUT": "-o"}[from]
	outside := fmt.Sprintf("! %s lo ", side)
	if c.Loopback {
		outside = ""
	}
	return fmt.Sprintf("%s %s-m comment --comment proofload:%s -j %s", from, outside, c.ID, c.chain())
}

// matches returns what each rule of the chain matches on a node.
func (c cut) matches(node string) []string {
	matches := c.Match
	if len(matches) == 0 {
		matches = []string{""}
	}
	if c.Peers == nil {
		return matches
	}
	var each []string
	for _, peer := range c.Peers[node] {
		for _, m := range matches {
			// The first is true of packets that come in only, the second of
			// packets that go out.
			each = append(each, "-s "+peer+" "+m, "-d "+peer+" "+m)
		}
	}
	return each
}

// addScript puts the rules on a node for a while and lists the result. When that
// is over it asks the node's own kernel, whose clock ends the rules: the host may
// be another one than ours, and have another time. The rules come into effect
// last.
func (c cut) addScript(node string, ttl time.Duration) string {
	seconds := int64((ttl+time.Second-1)/time.Second) + 1 // whose first may have begun long ago
	script := []string{
		fmt.Sprintf(`until=$(date -u -d "@$(($(date +%%s)+%d))" +%s)`, seconds, dateForm),
		iptables + " -N " + c.chain(),
	}
	for _, m := range c.matches(node) {
		script = append(script, fmt.Sprintf(`%s -A %s %s -m time --datestop "$until" -m comment --comment proofload:%s -j %s`,
			iptables, c.chain(), strings.TrimSpace(m), c.ID, c.verdict()))
	}
	for _, from := range c.from() {
		script = append(script, iptables+" -I "+c.jump(from))
	}
	return strings.Join(append(script, iptables+" -S"), " && ")
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
	listing, err := net.NetExec(ctx, node, "sh", "-c", c.addScript(node, ttl))
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
	wanted := []string{"-A " + c.chain() + " "}
	for _, from := range c.from() {
		wanted = append(wanted, "-A "+from+" ")
	}
	for _, rule := range wanted {
		found := false
		for line := range strings.Lines(listing) {
			line = strings.TrimSpace(line)
			found = found || strings.HasPrefix(line, rule) && strings.Contains(line, "proofload:"+c.ID) &&
				(strings.HasSuffix(line, "-j "+c.chain()) || strings.Contains(line, "-j "+c.target()))
		}
		if !found {
			return fmt.Errorf("rule %q of chain %s is not listed", strings.TrimSpace(rule), c.chain())
		}
	}
	return nil
}

// look finds out whether the kernel applies the rules on a node, and returns how
// many packets have met the verdict. Rules whose time is over by the node's clock,
// which may have been set, are listed as before.
func (c cut) look(ctx context.Context, net sut.NetAdmin, node string) (packets int64, err error) {
	out, err := net.NetExec(ctx, node, "sh", "-c", "date -u +"+dateForm+" && "+iptables+" -S && "+iptables+" -nvxL "+c.chain())
	if err != nil {
		return 0, fmt.Errorf("list rules of %s: %w: %s", node, err, strings.TrimSpace(out))
	}
	if err := c.listed(out); err != nil {
		return 0, fmt.Errorf("%s is cut off no more: %w", node, err)
	}
	now, listing, _ := strings.Cut(out, "\n")
	for line := range strings.Lines(listing) {
		fields := strings.Fields(line)
		if i := slices.Index(fields, "--datestop"); i > 0 && strings.HasPrefix(line, "-A "+c.chain()+" ") && fields[i+1] < now {
			return 0, fmt.Errorf("the kernel applies the rules of %s no more: they ended at %s, and its clock says %s", node, fields[i+1], now)
		}
		if len(fields) > 2 && fields[2] == c.target() {
			n, err := strconv.ParseInt(fields[0], 10, 64)
			if err != nil {
				continue // no line of counters
			}
			packets += n
		}
	}
	return packets, nil
}

// remove lets a node's packets through again. A node that is down or gone has
// lost its namespace, and the rules with it.
func (c cut) remove(ctx context.Context, env sut.Environment, node string) error {
	net, ok := env.(sut.NetAdmin)
	if !ok {
		return fmt.Errorf("packet filters: %w", sut.ErrUnsupported)
	}
	if _, ok := env.Topology().Node(node); !ok || chaos.IsDown(ctx, env, node) {
		return nil
	}
	listing, err := net.NetExec(ctx, node, "sh", "-c", c.removeScript())
	switch {
	case err != nil && chaos.IsDown(ctx, env, node):
		return nil
	case err != nil:
		return fmt.Errorf("let %s through: %w: %s", node, err, strings.TrimSpace(listing))
	case strings.Contains(listing, c.chain()):
		return fmt.Errorf("let %s through: rules of chain %s are left", node, c.chain())
	}
	return nil
}

// gone reports that no rule is left on a node.
func (c cut) gone(ctx context.Context, env sut.Environment, net sut.NetAdmin, node string) error {
	if _, ok := env.Topology().Node(node); !ok || chaos.IsDown(ctx, env, node) {
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

// goneCut is the observation of [chaos.Kind.Gone] that none of the rules is left.
func goneCut(ctx context.Context, env sut.Environment, u chaos.Undo) error {
	c, err := readCut(u)
	if err != nil {
		return err
	}
	net, ok := env.(sut.NetAdmin)
	if !ok {
		return fmt.Errorf("packet filters: %w", sut.ErrUnsupported)
	}
	return chaos.Each(c.Nodes, func(node string) error {
		return chaos.Watch(ctx, func(ctx context.Context) error { return c.gone(ctx, env, net, node) })
	})
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
