package remote

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
)

// The classes of systems. In production nothing is done, so that no file of it is
// a target.
const (
	ClassSandbox    = "sandbox"
	ClassStaging    = "staging"
	ClassProduction = "production"
)

// Options are what a file is read with. All may be nil.
type Options struct {
	// Lookup resolves ${VAR}.
	Lookup func(name string) (value string, ok bool)

	// Secret returns a secret from where it is. The caller sees to it that its
	// value appears nowhere.
	Secret func(s sut.Secret) (value string, ok bool)
}

// Parse reads a target file. File names it in messages, and is what paths in it
// are relative to.
//
// The error is *[scenarios.Problems] with every mistake of the file.
func Parse(file string, src []byte, opts Options) (*Target, error) {
	r, root, err := scenarios.Open("target", file, src, opts.Lookup)
	if err != nil {
		return nil, err
	}
	p := &parser{Reader: r, find: opts.Secret, target: &Target{
		File: file, Source: src, Health: Health{Status: http.StatusOK}, controls: map[string]string{},
	}}
	if p.find == nil {
		p.find = func(sut.Secret) (string, bool) { return "", false }
	}
	p.secrets(root.Find("secrets"))
	p.Mapping(root, "a target", p.fields())
	p.target.topology.Name = cmp.Or(p.target.Name, "the target")
	for _, n := range p.on { // now that all components are known
		if ref, ok := p.Words(n, "a component"); ok {
			if _, err := p.target.topology.Select(ref); err != nil {
				p.Add(n, err.Error(), "name one of components:")
			}
			p.target.Allow.On = append(p.target.Allow.On, ref)
		}
	}
	p.named()
	if err := r.Err(); err != nil {
		return nil, err
	}
	return p.target, nil
}

type parser struct {
	*scenarios.Reader

	find      func(s sut.Secret) (value string, ok bool)
	target    *Target
	on        []*scenarios.Node // of allow:
	elsewhere []place           // what is not on this machine
}

// A place is the host of an address, and where that is written.
type place struct {
	node *scenarios.Node
	host string
}

// isWritten reports whether the host stands in the file as it is.
func (e place) isWritten() bool {
	_, rest, _ := strings.Cut(e.node.Text(), "://")
	for _, host := range []string{e.host, "[" + e.host + "]"} {
		if after, ok := strings.CutPrefix(rest, host); ok && (after == "" || strings.ContainsRune(":/", rune(after[0]))) {
			return true
		}
	}
	return false
}

// fields are the keys at the top of the file.
func (p *parser) fields() []scenarios.Field {
	t := p.target
	return []scenarios.Field{
		{Key: "proofload", Need: true, Set: func(_, _ *scenarios.Node) {}}, // read before all others
		{Key: "name", Need: true, Set: func(k, v *scenarios.Node) { t.Name, _ = p.Name(v, k.Text()) }},
		{Key: "about", Set: func(k, v *scenarios.Node) { t.About, _ = p.Words(v, k.Text()) }},
		{Key: "class", Set: func(k, v *scenarios.Node) { p.class(k, v) }},
		{Key: "base", Need: true, Set: func(k, v *scenarios.Node) {
			var host string
			t.Base, host = p.address(k, v, "http", "https")
			if host != "" {
				t.Hosts = append(t.Hosts, host)
			}
		}},
		{Key: "secrets", Set: func(_, _ *scenarios.Node) {}}, // read before what uses them
		{Key: "health", Set: func(_, v *scenarios.Node) { p.Mapping(v, "health", p.healthFields()) }},
		{Key: "allow", Need: true, Set: func(_, v *scenarios.Node) { p.Mapping(v, "allow", p.allowFields()) }},
		{Key: "components", Set: func(_, v *scenarios.Node) {
			p.Pairs(v, "components and how they are broken", "{link:client->shop: {linkd: http://127.0.0.1:8474}}", p.component)
		}},
	}
}

// class reads what kind of system it is.
func (p *parser) class(key, n *scenarios.Node) {
	class, _ := p.OneOf(n, key.Text(), ClassSandbox, ClassStaging, ClassProduction)
	if class == ClassProduction {
		p.Add(n, "nothing is done to a system of class production, not even load", "write a file for a system in which something may go wrong: class: staging or class: sandbox")
	}
	p.target.Class = class
}

// named refuses what is not on this machine unless the file is clear about it: it
// names the host itself, where a variable might name any, and says what class of
// system that is.
func (p *parser) named() {
	for _, e := range p.elsewhere {
		switch {
		case !e.isWritten():
			p.Add(e.node, e.host+" is not on this machine, and this file does not name it", "write the address out, without a variable: the file is what allows it")
		case p.target.Class == "":
			p.Add(e.node, e.host+" is not on this machine, and it is not said what class of system that is", "add class: staging or class: sandbox if it may be sent load and broken")
		}
	}
}

func (p *parser) healthFields() []scenarios.Field {
	h := &p.target.Health
	return []scenarios.Field{
		{Key: "get", Need: true, Set: func(k, v *scenarios.Node) {
			path, ok := p.Words(v, k.Text())
			if ok && !strings.HasPrefix(path, "/") {
				p.Add(v, fmt.Sprintf("%q is not a path", path), "begin with /")
			}
			h.Path = path
		}},
		{Key: "status", Set: func(k, v *scenarios.Node) { h.Status, _ = p.Count(v, k.Text()) }},
		{Key: "headers", Set: func(_, v *scenarios.Node) {
			h.Headers = http.Header{}
			p.Pairs(v, "headers and their values", `{Authorization: "Bearer ${secret:API_TOKEN}"}`, func(name, value *scenarios.Node) {
				if text, ok := p.Secret(value, name.Text(), p.secret); ok {
					h.Headers.Set(name.Text(), text)
				}
			})
		}},
	}
}

func (p *parser) allowFields() []scenarios.Field {
	a := &p.target.Allow
	return []scenarios.Field{
		{Key: "faults", Set: func(k, v *scenarios.Node) {
			p.List(v, k.Text(), func(n *scenarios.Node) {
				if fault, ok := p.Words(n, "a fault"); ok {
					a.Faults = append(a.Faults, fault)
					p.isFault(n, fault, scenarios.Asks()...)
				}
			})
		}},
		{Key: "on", Set: func(k, v *scenarios.Node) {
			p.List(v, k.Text(), func(n *scenarios.Node) { p.on = append(p.on, n) })
		}},
		{Key: "rate", Set: func(k, v *scenarios.Node) { a.Rate, _ = p.Rate(v, k.Text()) }},
		{Key: "window", Set: func(_, v *scenarios.Node) { p.window(v) }},
	}
}

// isFault reports a name that no fault has, nor any of some other verbs.
func (p *parser) isFault(n *scenarios.Node, name string, others ...string) bool {
	known := others
	for _, v := range scenarios.Verbs() {
		if v.Fault {
			known = append(known, v.Name)
		}
	}
	if !slices.Contains(known, name) {
		p.Add(n, fmt.Sprintf("no fault %q", name), scenarios.DidYouMean(name, known))
		return false
	}
	return true
}

// window reads when something may be done: one stretch of time, or several.
func (p *parser) window(n *scenarios.Node) {
	one := func(n *scenarios.Node) {
		if text, ok := p.Words(n, "a window"); ok {
			p.target.Allow.Windows = append(p.target.Allow.Windows, scenarios.Placed{Text: text, Pos: n.Pos()})
		}
	}
	if n.IsList() {
		p.List(n, "windows", one)
		return
	}
	one(n)
}

// address reads where something is. Host is set if that is not on this machine.
func (p *parser) address(key, n *scenarios.Node, schemes ...string) (at, host string) {
	text, ok := p.Words(n, key.Text())
	if !ok {
		return "", ""
	}
	const hint = "write for example http://127.0.0.1:8080"
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		p.Add(n, "this is no address", hint)
		return "", ""
	}
	if !slices.Contains(schemes, u.Scheme) {
		p.Add(n, "the address begins with "+strconv.Quote(u.Scheme+"://"), hint)
	} else if u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback() {
		host = u.Hostname()
		p.elsewhere = append(p.elsewhere, place{n, host})
	}
	return strings.TrimRight(text, "/"), host
}

// addNode adds a node that is known by its name alone.
func (p *parser) addNode(n sut.Node) {
	t := &p.target.topology
	if _, known := t.Node(n.Name); !known {
		t.Nodes = append(t.Nodes, n)
	}
}
