// Package chaos breaks parts of a system under test and mends them again.
//
// The life of a fault:
//
//	Check     is there such a fault, and can it act on such a target (pure)
//	Prepare   resolve the target, say as data how it will be undone
//	(journal) the undo data reaches the disk before anything is broken
//	Inject    break it
//	Settle    wait for an independent observation that it is in effect
//	Hold      look again and again whether it still is
//	Recover   undo it, from the undo data alone, any number of times
//	Recovered wait for an independent observation that it is gone
//
// A fault has a time to live, after which it is undone whatever the scenario
// says. A [Guard] undoes all that the journal has pending when the process
// that injected it goes silent, and a [Lease] is how that process is heard.
package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/proofload/proofload/sut"
)

// An Undo says how to mend a fault, as data that another process can use.
type Undo struct {
	Kind   string          `json:"kind"`             // the catalogue entry whose Heal understands Data
	Target string          `json:"target"`           // what is broken: nodes or links, for people
	Data   json.RawMessage `json:"data"`             // for Heal
	Manual []string        `json:"manual,omitempty"` // commands that mend it by hand, printed when healing fails

	// TTL is how long the fault may last, from the moment it is journalled.
	// [Catalog.New] sees to it that there is one.
	TTL time.Duration `json:"ttl_ns,omitempty"`
}

// Evidence is an observation that a fault is in effect, or that it is gone.
type Evidence struct {
	By   string        // the means, for example "replication byte counter" or "dial from the probe"
	Saw  string        // what was seen, with numbers
	Took time.Duration // from the inject or recover call to the observation

	// Idle says of a fault in effect that nothing has met it yet: it is seen to be
	// set, and there was no traffic on which it could be seen to do anything.
	Idle bool
}

// A Fault is something that can be broken.
type Fault interface {
	// String identifies the fault and its target as the scenario gives it, for
	// example "stall link:replication".
	String() string

	// Prepare resolves the target, makes what Inject needs and returns how to
	// undo it. It breaks nothing.
	Prepare(ctx context.Context) (Undo, error)

	// Inject breaks what the last Prepare resolved. If it fails, what it did
	// so far is undone by healing the undo data.
	Inject(ctx context.Context) (Injection, error)
}

// An Injection is a fault in effect. There is no way to hold one without
// having injected it, and so none to recover what is not broken.
type Injection interface {
	// Settle blocks until the fault was seen to be in effect. It only watches.
	Settle(ctx context.Context) (Evidence, error)

	// Recover undoes the fault. It is safe to call more than once.
	Recover(ctx context.Context) error

	// Recovered blocks until the fault was seen to be gone. It only watches.
	Recovered(ctx context.Context) (Evidence, error)
}

// Params are the parameters of one fault in a scenario.
type Params struct {
	Target sut.Selection
	For    time.Duration     // zero: until healed, started or the run ends, and [DefaultTTL] at most
	Values map[string]string // what the kind has parameters for, as text; see [Kind.Params]
}

// How long a fault may last: without a word about it, and at most.
const (
	DefaultTTL = 10 * time.Minute
	MaxTTL     = time.Hour
)

// TTL is how long the fault may last.
func (p Params) TTL() time.Duration {
	if p.For > 0 {
		return p.For
	}
	return DefaultTTL
}

// A Kind is an entry of the catalogue.
type Kind struct {
	Name   string
	About  string // one sentence: what is broken, by which mechanism
	Needs  string // what the environment must offer, for people
	Undone string // one sentence: what undoes it, and what does if proofload is gone
	Params []Param

	// Touches names what of its targets the fault changes, for example
	// [TouchesProcess]. Two faults that touch the same of one target would undo
	// each other, and are not in effect at the same time.
	Touches []string

	// Inside says that the fault is made, seen or undone by commands inside its
	// targets, and Freezes that none run there while it is in effect. The two are
	// not combined: what is inside could not be seen, nor undone in time.
	Inside, Freezes bool

	// Tells says of one fault what About and Needs say of the kind, where that
	// differs; nil: it does not.
	Tells func(p Params) (about, needs string)

	// Ends reports whether all processes of its targets end when it is injected,
	// and with them what was made inside; nil: they do not. Down says that none
	// runs from then on until it is undone, so that nothing can be made inside.
	Ends func(p Params) bool
	Down bool

	// Leads says that it leads the links to its targets elsewhere.
	Leads bool

	// Kernel is the option that the kernel under its targets must be built with,
	// for example NET_SCH_NETEM, if it is one that kernels may lack.
	Kernel string

	// New makes a fault, or reports an error that wraps [sut.ErrUnsupported]
	// if the environment lacks what the fault needs. It is nil-safe in env's
	// capabilities only through type assertion.
	New func(env sut.Environment, targets *Targets, p Params) (Fault, error)

	// Check reports whether the fault can act on such a target. It is pure.
	Check func(p Params) error

	// Heal mends from the undo data alone. It is idempotent; a target that is
	// gone counts as mended.
	Heal func(ctx context.Context, env sut.Environment, u Undo) error

	// Gone blocks until what the undo data describes was seen not to be in effect,
	// or ctx is done. It only watches. A target that is down or gone has no fault
	// but that of being down. Whether it serves is not asked: that may be up to
	// others. Nil: nothing is observed.
	Gone func(ctx context.Context, env sut.Environment, u Undo) error

	// Marks lists what faults have left in an environment, as far as that is seen
	// without a journal and at once: what is called as ours, or what only faults do.
	// What cannot be looked at is left out. Optional.
	Marks func(ctx context.Context, env sut.Environment) []Undo
}

// Tell says what a fault does and what it needs.
func (k Kind) Tell(p Params) (about, needs string) {
	if k.Tells != nil {
		return k.Tells(p)
	}
	return k.About, k.Needs
}

// A Catalog holds the known kinds of fault by name.
type Catalog map[string]Kind

// NewCatalog makes a catalogue of kinds. It panics on two of the same name,
// which is a mistake in the program.
func NewCatalog(kinds ...[]Kind) Catalog {
	c := Catalog{}
	for _, k := range slices.Concat(kinds...) {
		if _, ok := c[k.Name]; ok {
			panic("two kinds of fault named " + k.Name)
		}
		c[k.Name] = k
	}
	return c
}

// Marks lists what faults have left in an environment that no journal is known of,
// with the commands that mend it: see [Kind.Marks].
func (c Catalog) Marks(ctx context.Context, env sut.Environment) []Undo {
	var left []Undo
	for _, name := range c.Names() {
		if c[name].Marks == nil {
			continue
		}
		for _, u := range c[name].Marks(ctx, env) {
			u.Manual = byHand(env, u.Manual)
			left = append(left, u)
		}
	}
	return left
}

// Names lists the kinds in alphabetical order.
func (c Catalog) Names() []string { return slices.Sorted(maps.Keys(c)) }

// New makes the fault of the given kind.
func (c Catalog) New(kind string, env sut.Environment, targets *Targets, p Params) (Fault, error) {
	k, ok := c[kind]
	if !ok {
		return nil, fmt.Errorf("no fault %q, want one of %q", kind, c.Names())
	}
	if err := k.CheckAll(p); err != nil {
		return nil, err
	}
	fault, err := k.New(env, targets, p)
	if err != nil {
		return nil, fmt.Errorf("prepare %s %s: %w", kind, p.Target.Ref, err)
	}
	return mortal{Fault: fault, ttl: p.TTL()}, nil
}

// A mortal is a fault with a time to live.
type mortal struct {
	Fault

	ttl time.Duration
}

// Prepare implements [Fault].
func (m mortal) Prepare(ctx context.Context) (Undo, error) {
	undo, err := m.Fault.Prepare(ctx)
	undo.TTL = m.ttl
	return undo, err
}

// Heal mends what an undo describes.
func (c Catalog) Heal(ctx context.Context, env sut.Environment, u Undo) error {
	k, ok := c[u.Kind]
	if !ok {
		return fmt.Errorf("heal %s: no fault of kind %q in this version", u.Target, u.Kind)
	}
	if err := k.Heal(ctx, env, u); err != nil {
		return fmt.Errorf("heal %s %s: %w", u.Kind, u.Target, err)
	}
	return nil
}

// Gone blocks until what an undo describes was seen not to be in effect.
func (c Catalog) Gone(ctx context.Context, env sut.Environment, u Undo) error {
	k, ok := c[u.Kind]
	if !ok || k.Gone == nil {
		return nil
	}
	if err := k.Gone(ctx, env, u); err != nil {
		return fmt.Errorf("heal %s %s: undone, but not seen to be gone: %w", u.Kind, u.Target, err)
	}
	return nil
}
