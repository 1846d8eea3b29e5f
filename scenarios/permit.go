package scenarios

import "time"

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
	r.Mapping(root, "a permit", []Field{
		{Key: "proofload", Need: true, Set: func(_, _ *Node) {}},
		{Key: "name", Need: true, Set: func(_, v *Node) { t.Name, _ = r.Name(v, "name") }},
		{Key: "class", Need: true, Set: func(_, v *Node) { t.Class, _ = r.OneOf(v, "class", classes()...) }},
		{Key: "system", Need: true, Set: r.placed(&t.System)},
		{Key: "allow", Set: func(_, v *Node) { r.Mapping(v, "allow", r.allowFields(&t.Allow)) }},
		{Key: "probe", Set: func(_, v *Node) {
			t.Probe = &Identity{}
			r.Mapping(v, "probe", []Field{
				{Key: "get", Need: true, Set: r.text(&t.Probe.Get)},
				{Key: "expect", Need: true, Set: r.text(&t.Probe.Expect)},
			})
		}},
		{Key: "kill_switch", Set: r.placedList("kill switches", &t.Stop)},
	})
	if err := r.Err(); err != nil {
		return nil, err
	}
	return t, nil
}

func (p *Reader) allowFields(a *Allow) []Field {
	return []Field{
		{Key: "faults", Set: p.placedList("faults", &a.Faults)},
		{Key: "on", Set: p.placedList("components", &a.On)},
		{Key: "active", Set: func(_, v *Node) { a.Active, _ = p.Count(v, "active") }},
		{Key: "for", Set: func(_, v *Node) { a.TTL, _ = p.Duration(v, "for") }},
		{Key: "quorum", Set: p.placedList("roles", &a.Quorum)},
		{Key: "windows", Set: p.placedList("windows", &a.Windows)},
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
