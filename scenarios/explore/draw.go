package explore

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/proofload/proofload/sut"
)

// The steps in which moments and lengths are drawn, and the shortest fault.
const (
	grain    = 100 * time.Millisecond
	shortest = 500 * time.Millisecond
)

// draws bounds how often a fault is drawn again that does not go with the others.
const draws = 50

// Draw makes the n-th timeline of a seed, from 1. There are hundreds of faults to
// draw from, and a budget is good for a few dozen timelines: each therefore has
// one of the few that most outages consist of, dealt so that all of these had
// their turn before one has another. The others are drawn from all there are.
func (d *Deck) Draw(seed, n uint64) Timeline {
	rng := rand.New(rand.NewPCG(seed, n))
	t := Timeline{Seed: rng.Uint64N(1<<32) + 1}
	var drawn []sut.Selection // the targets of t.Faults
	add := func(cards func() []card) {
		for range draws {
			f, target := d.fault(rng, cards())
			if d.goes(f, target, t.Faults, drawn) {
				t.Faults, drawn = append(t.Faults, f), append(drawn, target)
				return
			}
		}
	}
	others := rng.IntN(max(1, d.cfg.Most))
	if lead := d.lead(seed, n); lead != nil {
		add(func() []card { return lead })
	} else {
		others++
	}
	for range others {
		add(func() []card { return d.ofAKind(rng) })
	}
	slices.SortStableFunc(t.Faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return t
}

// lead returns the cards from which the n-th timeline has its first fault, nil if
// there are none.
func (d *Deck) lead(seed, n uint64) []card {
	hands := d.hands()
	if len(hands) == 0 {
		return nil
	}
	round, turn := (n-1)/uint64(len(hands)), (n-1)%uint64(len(hands))
	rng := rand.New(rand.NewPCG(seed, ^round)) // no timeline has such a number
	rng.Shuffle(len(hands), func(i, j int) { hands[i], hands[j] = hands[j], hands[i] })
	return hands[turn]
}

// hands are the ways in which most outages begin: a node that keeps what was
// promised, or is at work on it, is gone; or it is silent and then goes on with
// what it knew; or what it says to one of those that it needs is lost. Of databases
// that follow each other it is the one that leads.
func (d *Deck) hands() [][]card {
	var hands [][]card
	for _, role := range []sut.Role{sut.RoleDatabase, sut.RoleService, sut.RoleWorker} {
		for _, kinds := range [][]string{{"kill", "lose", "stop", "partition"}, {"pause"}, {"half-open", "link-down"}} {
			var hand []card
			for _, kind := range kinds {
				for _, c := range d.cards[kind] {
					if d.leads(c.target, role) {
						hand = append(hand, c)
					}
				}
			}
			if hand != nil {
				hands = append(hands, hand)
			}
		}
	}
	return hands
}

// leads reports whether a target is one node of a role, and, of several databases,
// the primary; or a link from such a node.
func (d *Deck) leads(target sut.Selection, role sut.Role) bool {
	if len(target.Links) == 1 {
		from, known := d.cfg.Topology.Node(target.Links[0].From)
		return known && from.Role == role && role != sut.RoleDatabase
	}
	if role == sut.RoleDatabase && len(d.cfg.Topology.ByRole(role)) > 1 {
		return target.Member == sut.MemberPrimary
	}
	return target.Member == "" && len(target.Nodes) == 1 && target.Nodes[0].Role == role
}

// ofAKind draws a kind, so that one with many targets is not drawn more often
// than others.
func (d *Deck) ofAKind(rng *rand.Rand) []card {
	kinds := d.Kinds()
	return d.cards[kinds[rng.IntN(len(kinds))]]
}

// fault draws one of the cards, and when it is played.
func (d *Deck) fault(rng *rand.Rand, cards []card) (Fault, sut.Selection) {
	c := cards[rng.IntN(len(cards))]
	with, _ := values(d.cfg.Catalog[c.verb])
	f := Fault{Verb: c.verb, Target: c.target.Ref, With: with, For: d.length(rng)}
	f.At = between(rng, 0, max(0, d.cfg.Within-f.For))
	return f, c.target
}

// length draws how long a fault lasts. Every second one is long: leases and
// deadlines have run out when it ends.
func (d *Deck) length(rng *rand.Rand) time.Duration {
	longest := d.longest()
	if long := (longest * 2 / 3).Truncate(grain); rng.IntN(2) == 0 && long > shortest {
		return between(rng, long, longest)
	}
	return between(rng, shortest, longest)
}

// between draws a time in steps of the grain.
func between(rng *rand.Rand, from, to time.Duration) time.Duration {
	if to <= from {
		return from
	}
	return from + time.Duration(rng.Int64N(int64((to-from)/grain)+1))*grain
}
