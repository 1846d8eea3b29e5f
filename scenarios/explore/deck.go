package explore

import (
	"cmp"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// The steps in which moments and lengths are drawn, and the shortest fault.
const (
	grain    = 100 * time.Millisecond
	shortest = 500 * time.Millisecond
)

// draws bounds how often a fault is drawn again that does not go with the others.
const draws = 50

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
		(d.cfg.Able == nil || d.cfg.Able(verb, p) == nil) && d.spares([]sut.Selection{target})
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
	longest := max(d.cfg.Within/2, shortest)
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

// Draw makes the n-th timeline of a seed.
func (d *Deck) Draw(seed, n uint64) Timeline {
	rng := rand.New(rand.NewPCG(seed, n))
	t := Timeline{Seed: rng.Uint64N(1<<32) + 1}
	var drawn []sut.Selection // the targets of t.Faults
	for range 1 + rng.IntN(max(1, d.cfg.Most)) {
		for range draws {
			f, target := d.fault(rng)
			if d.goes(f, target, t.Faults, drawn) {
				t.Faults, drawn = append(t.Faults, f), append(drawn, target)
				break
			}
		}
	}
	slices.SortStableFunc(t.Faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return t
}

// fault draws a kind, then one of its targets, so that a kind with many targets
// is not drawn more often than others.
func (d *Deck) fault(rng *rand.Rand) (Fault, sut.Selection) {
	kinds := d.Kinds()
	cards := d.cards[kinds[rng.IntN(len(kinds))]]
	c := cards[rng.IntN(len(cards))]
	with, _ := values(d.cfg.Catalog[c.verb])
	f := Fault{Verb: c.verb, Target: c.target.Ref, With: with}
	f.For = between(rng, shortest, d.longest())
	f.At = between(rng, 0, max(0, d.cfg.Within-f.For))
	return f, c.target
}

// between draws a time in steps of the grain.
func between(rng *rand.Rand, from, to time.Duration) time.Duration {
	if to <= from {
		return from
	}
	return from + time.Duration(rng.Int64N(int64((to-from)/grain)+1))*grain
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
		err := d.cfg.Catalog.Conflict(o.Verb, chaos.Params{Target: theirs[i]}, f.Verb, chaos.Params{Target: target})
		if err != nil || o.Verb == f.Verb && o.Target == f.Target {
			return false
		}
	}
	return len(together) <= d.cfg.Active && d.spares(together)
}

// spares reports whether a majority of each role with several nodes stays whole,
// or, of two, one: a system that is broken beyond that is not asked to survive.
// A member that is only known at its time may be another node than all others.
func (d *Deck) spares(together []sut.Selection) bool {
	hit := map[sut.Role]int{}
	for _, sel := range together {
		if sel.Member == sut.MemberPrimary || sel.Index > 0 {
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
