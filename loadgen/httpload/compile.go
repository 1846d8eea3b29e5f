package httpload

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/proofload/proofload/scenarios"
)

// A scope is what expressions may speak of where they stand.
type scope struct {
	journey *journey // nil where there is none: in a login or a lookup
	step    *step
	locals  []string       // names of values, by slot
	rows    bool           // rows of data are at hand
	recents map[string]int // slots of recent writes, by request; nil: they are not at hand
}

// Names in small letters are of the file, those in capitals of the environment.
var (
	dotted      = regexp.MustCompile(`^[a-z][a-zA-Z0-9_-]*(\.[^.()\s]+)*$`)
	environment = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*(:[-?].*)?$`)
	localName   = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)
)

// template compiles the expressions of a value, which stands where nothing has
// to be escaped.
func (p *parser) template(n *scenarios.Node, what string, sc *scope) (template, bool) {
	var t template
	if !n.IsScalar() {
		p.Add(n, fmt.Sprintf("want a single value for %s, got %s", what, n.Kind()), "write one value, and no [ ] or { }")
		return t, false
	}
	ok := p.compile(&t, n, sc, escaping{escape: everywhere(plain)})
	return t, ok
}

// An escaping says how a text is written where it stands.
type escaping struct {
	escape  func(offset int) escape  // of the expression that begins there
	literal func(text string) string // of what is no expression; nil: as it is
}

func everywhere(e escape) func(int) escape { return func(int) escape { return e } }

// compile adds the text of a value to a template.
func (p *parser) compile(t *template, n *scenarios.Node, sc *scope, esc escaping) bool {
	source := n.Text()
	add := func(s string) {
		if esc.literal != nil {
			s = esc.literal(s)
		}
		t.literal(s)
	}
	sound := true
	for at := 0; ; {
		i := strings.Index(source[at:], "${")
		if i < 0 {
			add(source[at:])
			return sound
		}
		i += at
		if before, escaped := strings.CutSuffix(source[at:i], "$"); escaped {
			add(before + "${")
			at = i + 2
			continue
		}
		length := closing(source[i+2:])
		if length < 0 {
			p.AddAt(n.Within(i), utf8.RuneCountInString(source[i:]), "this ${ is not closed", "write ${NAME}, or $${ for a literal ${")
			return false
		}
		add(source[at:i])
		v, x, wrong := p.resolve(source[i+2:i+2+length], sc)
		switch {
		case wrong != nil:
			p.AddAt(n.Within(i), utf8.RuneCountInString(source[i:i+3+length]), wrong.msg, wrong.hint)
			sound = false
		case x != nil:
			t.expression(x, esc.escape(i))
		default:
			t.constant(v, esc.escape(i))
		}
		at = i + 3 + length
	}
}

// closing returns where the } is that ends an expression, or -1. A default value
// may hold braces in pairs.
func closing(source string) int {
	depth := 0
	for i, r := range source {
		switch r {
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return i
			}
			depth--
		}
	}
	return -1
}

// resolve returns what the inside of ${...} stands for: a value that is known
// already, or an expression.
func (p *parser) resolve(inside string, sc *scope) (value, expr, *mistake) {
	if name, ok := strings.CutPrefix(inside, "secret:"); ok {
		v, wrong := p.secret(name)
		return v, nil, wrong
	}
	if environment.MatchString(inside) {
		v, msg, hint := p.Expand(inside)
		if msg != "" {
			return value{}, nil, &mistake{msg, hint}
		}
		return text(v), nil, nil
	}
	name, args, wrong := call(inside)
	switch {
	case wrong != nil:
		return value{}, nil, wrong
	case !dotted.MatchString(name):
		return value{}, nil, &mistake{fmt.Sprintf("${%s} is not an expression", inside), "write a name, a function with its arguments, or a variable of the environment in capitals"}
	}
	if slot := slices.Index(sc.locals, name); slot >= 0 && args == nil {
		return value{}, func(v *visit) value { return v.locals[slot] }, nil
	}
	first, rest, _ := strings.Cut(name, ".")
	switch {
	case first == "vars" && rest != "":
		return p.variable(rest)
	case first == "recent" && rest != "":
		return p.recent(rest, sc)
	case rest != "":
		return p.column(first, rest, sc)
	}
	return p.function(name, args, sc)
}

// secret returns a secret of the environment. It appears in no message.
func (p *parser) secret(name string) (value, *mistake) {
	if v, ok := p.Lookup(name); ok && v != "" {
		return text(v), nil
	}
	return value{}, &mistake{fmt.Sprintf("the secret %s is not set", name), "set it in the environment"}
}

// variable returns one of vars:.
func (p *parser) variable(name string) (value, expr, *mistake) {
	v, ok := p.vars[name]
	if !ok {
		return value{}, nil, &mistake{fmt.Sprintf("there is no variable %q in vars:", name), cmp.Or(scenarios.DidYouMean(name, sortedKeys(p.vars)), "add it to vars:")}
	}
	return v, nil, nil
}

func (p *parser) function(name string, args []string, sc *scope) (value, expr, *mistake) {
	f, ok := functions()[name]
	if !ok {
		known := append(append(slices.Clone(sc.locals), functionNames()...), p.dataNames()...)
		hint := scenarios.DidYouMean(name, known)
		if scenarios.Closest(name, known) == "" {
			hint += "; a variable of the environment is written in capitals"
		}
		return value{}, nil, &mistake{fmt.Sprintf("nothing is called %q", name), hint}
	}
	if len(args) < f.min || len(args) > f.max {
		return value{}, nil, &mistake{fmt.Sprintf("%s takes %s, got %d", name, counted(f.min, f.max), len(args)), fmt.Sprintf("write for example ${%s}", f.usage)}
	}
	x, wrong := f.make(args)
	return value{}, x, wrong
}

// counted says how many arguments a function takes.
func counted(least, most int) string {
	switch {
	case most == 0:
		return "no arguments"
	case least == most:
		return strconv.Itoa(least) + " argument" + map[bool]string{true: "s"}[least > 1]
	}
	return fmt.Sprintf("%d to %d arguments", least, most)
}

// recent is the key of a write of another request that was acknowledged lately.
func (p *parser) recent(op string, sc *scope) (value, expr, *mistake) {
	i := slices.IndexFunc(p.file.steps, func(s *step) bool { return s.op == op })
	switch {
	case sc.recents == nil:
		return value{}, nil, &mistake{"recent writes are not known here", "they are in requests alone"}
	case i < 0:
		return value{}, nil, &mistake{fmt.Sprintf("there is no request %q", op), scenarios.DidYouMean(op, p.file.Ops())}
	case !p.acked[op]:
		return value{}, nil, &mistake{op + " has no ack:, so nothing of it is remembered", "give it ack: with the key of what it made"}
	}
	source := p.file.steps[i]
	slot, known := sc.recents[op] // one write of each request for the whole visit
	if !known {
		slot = len(sc.recents)
		sc.recents[op] = slot
	}
	if !slices.Contains(sc.step.recents, slot) {
		sc.step.recents = append(sc.step.recents, slot)
	}
	own := source.journey == sc.journey && slices.Index(sc.journey.steps, source) < slices.Index(sc.journey.steps, sc.step)
	if !own && !slices.Contains(sc.journey.wants, source) {
		sc.journey.wants = append(sc.journey.wants, source)
	}
	return value{}, func(v *visit) value { return v.recent(slot, source).key }, nil
}

// column is a value of the row of a feed.
func (p *parser) column(name, column string, sc *scope) (value, expr, *mistake) {
	i := slices.IndexFunc(p.file.feeds, func(f *feed) bool { return f.name == name })
	switch {
	case i < 0:
		return value{}, nil, &mistake{fmt.Sprintf("there is no %q in data:", name), scenarios.DidYouMean(name, p.dataNames())}
	case !sc.rows:
		return value{}, nil, &mistake{"data is not at hand here", "it is in requests and logins alone"}
	}
	f := p.file.feeds[i]
	if f.broken {
		return value{}, func(*visit) value { return value{} }, nil // its own problem was reported
	}
	at, wrong := f.column(column)
	if wrong != nil {
		return value{}, nil, wrong
	}
	if sc.journey != nil && !slices.Contains(sc.journey.feeds, i) {
		sc.journey.feeds = append(sc.journey.feeds, i)
	}
	return value{}, func(v *visit) value { return f.cell(v.rows[i], at) }, nil
}

func (p *parser) dataNames() []string {
	var names []string
	for _, f := range p.file.feeds {
		names = append(names, f.name)
	}
	return append(names, "vars", "recent")
}
