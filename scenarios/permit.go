package scenarios

import (
	"slices"
	"strings"
	"time"
)

// A Permit says what the owner of a system allows to be done to it, and how
// the system is known.
type Permit struct {
	File   string
	Source []byte

	Name   string
	Class  string // sandbox, staging or production
	System Placed // the target that it speaks of, for example stack/ledger
	Allow  Allow
	Probe  *Identity
	Stop   []Placed // kill switches: file:/PATH or a URL
}

// Allow limits what may be broken. What it leaves out is not limited.
type Allow struct {
	Faults  []Placed
	On      []Placed // components
	Active  int      // faults at the same time
	TTL     time.Duration
	Quorum  []Placed // roles of which a majority stays untouched
	Windows []Placed // times
}

// Identity is how a system proves that it is the one meant.
type Identity struct {
	Get    string // a URL, or a path of the system's entry point
	Expect string // its answer, without space around it
}

// Placed is a text with its place in the file.
type Placed struct {
	Text string
	Pos  Pos
}

// The classes of systems.
func classes() []string { return []string{"sandbox", "staging", "production"} }

// ParsePermit reads a permit. The error is *[Problems] with every mistake;
// what only others understand, such as the names of components, is not looked
// at. Lookup resolves variables.
func ParsePermit(file string, src []byte, lookup func(name string) (string, bool)) (*Permit, error) {
	r, root, err := Open("permit", file, src, lookup)
	if err != nil {
		return nil, err
	}
	t := &Permit{File: file, Source: src}
	r.Mapping(root, "a permit", r.permitFields(t))
	if err := r.Err(); err != nil {
		return nil, err
	}
	return t, nil
}

// A Key is a key that a file may have, by its path.
type Key struct {
	Path  string
	Need  bool
	About string
}

// PermitKeys lists the keys of a permit.
func PermitKeys() []Key {
	r := &Reader{}
	var keys []Key
	add := func(below string, fields []Field) {
		for _, f := range fields {
			keys = append(keys, Key{below + f.Key, f.Need, f.About})
		}
	}
	add("", r.permitFields(&Permit{}))
	add("allow.", r.allowFields(&Allow{}))
	add("probe.", r.probeFields(&Identity{}))
	slices.SortFunc(keys, func(a, b Key) int { return strings.Compare(a.Path, b.Path) })
	return keys
}

func (p *Reader) permitFields(t *Permit) []Field {
	return []Field{
		{Key: "proofload", Need: true, Set: func(_, _ *Node) {}, About: "Kind and version of the file: permit/v1."},
		{
			Key: "name", Need: true, Set: func(_, v *Node) { t.Name, _ = p.Name(v, "name") },
			About: "Short name of the system, used in messages.",
		},
		{
			Key: "class", Need: true, Set: func(_, v *Node) { t.Class, _ = p.OneOf(v, "class", classes()...) },
			About: "What the system is: " + strings.Join(classes(), ", ") + ". In production nothing is broken, whatever else is said.",
		},
		{
			Key: "system", Need: true, Set: p.placed(&t.System),
			About: "The target that the permit is for, as a scenario names it: stack/ledger. With another one it is refused.",
		},
		{
			Key: "allow", Set: func(_, v *Node) { p.Mapping(v, "allow", p.allowFields(&t.Allow)) },
			About: "What may be broken. What it leaves out is not limited.",
		},
		{
			Key: "probe", Set: func(_, v *Node) {
				t.Probe = &Identity{}
				p.Mapping(v, "probe", p.probeFields(t.Probe))
			},
			About: "How the system proves, before anything is broken, that it is the one that is meant.",
		},
		{
			Key: "kill_switch", Set: p.placedList("kill switches", &t.Stop),
			About: "Files (file:/PATH) and URLs that are looked at all the time while something is broken: a file that is there, a URL that no longer answers with 2xx, and all is undone.",
		},
	}
}

func (p *Reader) probeFields(i *Identity) []Field {
	return []Field{
		{Key: "get", Need: true, Set: p.text(&i.Get), About: "A URL, or a path of the system's entry point."},
		{Key: "expect", Need: true, Set: p.text(&i.Expect), About: "What it answers, without space around it."},
	}
}

func (p *Reader) allowFields(a *Allow) []Field {
	return []Field{
		{Key: "faults", Set: p.placedList("faults", &a.Faults), About: "Kinds of fault. Default: all. An empty list allows none."},
		{Key: "on", Set: p.placedList("components", &a.On), About: "Components, as scenarios name them: nodes, roles, links and zones. Default: all."},
		{
			Key: "active", Set: func(_, v *Node) { a.Active, _ = p.Count(v, "active") },
			About: "How many faults may be in effect at the same time. Default: any number.",
		},
		{
			Key: "for", Set: func(_, v *Node) { a.TTL, _ = p.Duration(v, "for") },
			About: "How long one fault may last. Default: an hour, as everywhere.",
		},
		{
			Key: "quorum", Set: p.placedList("roles", &a.Quorum),
			About: "Roles of which more than half of the nodes, and the links to them, stay untouched.",
		},
		{
			Key: "windows", Set: p.placedList("windows", &a.Windows),
			About: "Times throughout which something may be broken, for example Mon-Fri 09:00-16:00 Europe/London. Default: any.",
		},
	}
}

// placed makes a setter that keeps the place.
func (p *Reader) placed(dst *Placed) func(key, value *Node) {
	return func(key, value *Node) {
		if text, ok := p.Words(value, key.text); ok {
			*dst = Placed{Text: text, Pos: value.pos}
		}
	}
}

// placedList makes a setter of a list. An empty list is one, and not nothing.
func (p *Reader) placedList(what string, dst *[]Placed) func(key, value *Node) {
	return func(_, value *Node) {
		*dst = []Placed{}
		p.List(value, what, func(item *Node) {
			if text, ok := p.Words(item, "one of the "+what); ok {
				*dst = append(*dst, Placed{Text: text, Pos: item.pos})
			}
		})
	}
}
