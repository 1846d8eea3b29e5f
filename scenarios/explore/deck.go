package explore

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// A Config says what may be drawn.
type Config struct {
	Topology sut.Topology
	Catalog  chaos.Catalog
	Policy   chaos.Policy // what the owner of the system allows

	// Kinds are the faults to draw from; nil: all of the catalogue.
	Kinds []string
	// Able reports that the system cannot do something, if that is known. Nil: it
	// can do everything.
	Able func(verb string, p chaos.Params) error

	Within time.Duration // the stretch in which things are broken
	Most   int           // faults in one timeline, at least 1
	Active int           // faults at the same time; 0: 2
}

// A Deck holds the faults that fit a system. Whatever it draws depends on the
// seed, and on what was set aside, alone.
type Deck struct {
	cfg   Config
	cards map[string][]card // by kind
}

// A card is a kind of fault with a target that it can act on.
type card struct {
	verb   string
	target sut.Selection
}

// NewDeck makes the deck of a system: each kind with each target that it can act
// on and that the policy allows. It is an error if there is none.
func NewDeck(cfg Config) (*Deck, error) {
	cfg.Active = cmp.Or(cfg.Active, 2)
	if cfg.Policy.Active > 0 {
		cfg.Active = min(cfg.Active, cfg.Policy.Active)
	}
	d := &Deck{cfg: cfg, cards: map[string][]card{}}
	targets := targets(cfg.Topology)
	for _, verb := range cfg.Catalog.Names() {
		if cfg.Kinds != nil && !slices.Contains(cfg.Kinds, verb) {
			continue
		}
		for _, target := range targets {
			if d.fits(verb, target) {
				d.cards[verb] = append(d.cards[verb], card{verb, target})
			}
		}
	}
	if len(d.cards) == 0 {
		return nil, errors.New("nothing of " + cfg.Topology.Name + " can be broken")
	}
	return d, nil
}

// fits reports whether a fault can act on a target, and may.
func (d *Deck) fits(verb string, target sut.Selection) bool {
	kind := d.cfg.Catalog[verb]
	with, ok := values(kind)
	p := chaos.Params{Target: target, For: d.longest(), Values: with}
	return ok && kind.CheckAll(p) == nil && d.cfg.Policy.Allows(verb, p) == nil &&
		d.cfg.Policy.AllowsBeside(d.cfg.Topology, nil, verb, target) == nil && (d.cfg.Able == nil || d.cfg.Able(verb, p) == nil) && d.spares([]sut.Selection{target})
}

// values are parameters with which a kind can be drawn: its own defaults, and
// moderate ones for what has none. A text without a default cannot be made up.
func values(kind chaos.Kind) (with map[string]string, ok bool) {
	for _, p := range kind.Params {
		moderate := map[chaos.Measure]string{
			chaos.Duration: "200ms", chaos.Percent: "20%", chaos.Count: "10", chaos.Size: "64MiB",
		}[p.Measure]
		switch {
		case p.Default != "":
			continue
		case moderate == "":
			return nil, false
		case with == nil:
			with = map[string]string{}
		}
		with[p.Name] = moderate
	}
	return with, true
}

// longest is how long one fault lasts at most.
func (d *Deck) longest() time.Duration {
	longest := max((d.cfg.Within * 2 / 3).Truncate(grain), shortest)
	if d.cfg.Policy.TTL > 0 {
		longest = min(longest, d.cfg.Policy.TTL)
	}
	return longest
}

// targets lists what may be referred to: nodes, the members of a replicated role,
// zones, links and the kinds of traffic. The link proxies themselves are how
// things are broken.
func targets(t sut.Topology) []sut.Selection {
	var refs []string
	zones, traffic := map[string]bool{}, map[sut.Traffic]int{}
	for _, n := range t.Nodes {
		if n.Role == sut.RoleLinks {
			continue
		}
		refs = append(refs, n.Name)
		if n.Zone != "" {
			zones[n.Zone] = true
		}
	}
	if len(t.ByRole(sut.RoleDatabase)) > 1 {
		refs = append(refs, string(sut.RoleDatabase)+"."+sut.MemberPrimary, string(sut.RoleDatabase)+"."+sut.MemberReplica+"[1]")
	}
	if len(zones) > 1 {
		for _, z := range slices.Sorted(maps.Keys(zones)) {
			refs = append(refs, "zone:"+z)
		}
	}
	for _, l := range t.Links {
		refs = append(refs, "link:"+l.Name)
		traffic[l.Carries]++
	}
	for _, kind := range slices.Sorted(maps.Keys(traffic)) {
		if traffic[kind] > 1 {
			refs = append(refs, "link:"+string(kind))
		}
	}
	var list []sut.Selection
	for _, ref := range refs {
		if sel, err := t.Select(ref); err == nil {
			list = append(list, sel)
		}
	}
	return list
}

// Kinds lists the kinds of fault that are left.
func (d *Deck) Kinds() []string { return slices.Sorted(maps.Keys(d.cards)) }

// SetAside takes a fault out, with all targets of that sort: the system cannot
// have it. It reports whether it was in.
func (d *Deck) SetAside(verb, target string) bool {
	sel, err := d.cfg.Topology.Select(target)
	before := len(d.cards[verb])
	if err != nil || before == 0 {
		return false
	}
	of := sorts(sel)
	left := slices.DeleteFunc(d.cards[verb], func(c card) bool {
		return slices.ContainsFunc(sorts(c.target), func(s string) bool { return slices.Contains(of, s) })
	})
	d.cards[verb] = left
	if len(left) == 0 {
		delete(d.cards, verb)
	}
	return len(left) < before
}

// sorts names the roles and the traffic of a target.
func sorts(sel sut.Selection) []string {
	var list []string
	for _, n := range sel.Nodes {
		list = append(list, "role "+string(n.Role))
	}
	for _, l := range sel.Links {
		list = append(list, "traffic "+string(l.Carries))
	}
	return list
}

// goes reports whether a fault may be in effect together with those that overlap
// it.
func (d *Deck) goes(f Fault, target sut.Selection, others []Fault, theirs []sut.Selection) bool {
	together := []sut.Selection{target}
	for i, o := range others {
		if o.At >= f.At+f.For || f.At >= o.At+o.For {
			continue
		}
		together = append(together, theirs[i])
		if d.excludes(o, theirs[i], f, target) || o.Verb == f.Verb && o.Target == f.Target {
			return false
		}
	}
	return len(together) <= d.cfg.Active && d.spares(together) &&
		d.cfg.Policy.AllowsBeside(d.cfg.Topology, together[1:], f.Verb, target) == nil
}

// excludes reports whether two faults that overlap cannot be combined.
func (d *Deck) excludes(one Fault, a sut.Selection, other Fault, b sut.Selection) bool {
	if other.At < one.At {
		one, a, other, b = other, b, one, a
	}
	return d.cfg.Catalog.Conflict(one.Verb, chaos.Params{Target: a}, other.Verb, chaos.Params{Target: b}) != nil
}

// spares reports whether a majority of each role with several nodes stays whole,
// or, of two, one: a system that is broken beyond that is not asked to survive.
// A member that is only known at its time may be another node than all others.
func (d *Deck) spares(together []sut.Selection) bool {
	hit := map[sut.Role]int{}
	for _, sel := range together {
		if len(sel.Nodes) > 0 && (sel.Member == sut.MemberPrimary || sel.Index > 0) {
			hit[sel.Nodes[0].Role]++
			continue
		}
		for _, n := range sel.Nodes {
			hit[n.Role]++
		}
	}
	for role, n := range hit {
		if all := len(d.cfg.Topology.ByRole(role)); all > 1 && n > max(1, (all-1)/2) {
			return false
		}
	}
	return true
}
