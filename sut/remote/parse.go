package remote

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
)

// Parse reads a target file. File names it in messages; lookup resolves ${VAR},
// and may be nil.
//
// The error is *[scenarios.Problems] with every mistake of the file.
func Parse(file string, src []byte, lookup func(name string) (string, bool)) (*Target, error) {
	r, root, err := scenarios.Open("target", file, src, lookup)
	if err != nil {
		return nil, err
	}
	p := &parser{Reader: r, target: &Target{Health: Health{Status: http.StatusOK}, controls: map[string]string{}}}
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
	if err := r.Err(); err != nil {
		return nil, err
	}
	return p.target, nil
}

type parser struct {
	*scenarios.Reader

	target *Target
	on     []*scenarios.Node // of allow:
}

// fields are the keys at the top of the file.
func (p *parser) fields() []scenarios.Field {
	t := p.target
	return []scenarios.Field{
		{Key: "proofload", Need: true, Set: func(_, _ *scenarios.Node) {}}, // read before all others
		{Key: "name", Need: true, Set: func(k, v *scenarios.Node) { t.Name, _ = p.Name(v, k.Text()) }},
		{Key: "about", Set: func(k, v *scenarios.Node) { t.About, _ = p.Words(v, k.Text()) }},
		{Key: "base", Need: true, Set: func(k, v *scenarios.Node) { t.Base = p.address(k, v, "http", "https") }},
		{Key: "health", Set: func(_, v *scenarios.Node) { p.Mapping(v, "health", p.healthFields()) }},
		{Key: "allow", Need: true, Set: func(_, v *scenarios.Node) { p.Mapping(v, "allow", p.allowFields()) }},
		{Key: "components", Set: func(_, v *scenarios.Node) {
			p.Pairs(v, "components and how they are broken", "{link:client->shop: {linkd: http://127.0.0.1:8474}}", p.component)
		}},
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
	}
}

func (p *parser) allowFields() []scenarios.Field {
	a := &p.target.Allow
	return []scenarios.Field{
		{Key: "faults", Set: func(k, v *scenarios.Node) {
			p.List(v, k.Text(), func(n *scenarios.Node) {
				if fault, ok := p.Words(n, "a fault"); ok {
					a.Faults = append(a.Faults, fault)
				}
			})
		}},
		{Key: "on", Set: func(k, v *scenarios.Node) {
			p.List(v, k.Text(), func(n *scenarios.Node) { p.on = append(p.on, n) })
		}},
		{Key: "rate", Set: func(k, v *scenarios.Node) { a.Rate, _ = p.Rate(v, k.Text()) }},
	}
}

// component reads one link of the system.
func (p *parser) component(name, n *scenarios.Node) {
	link, isLink := strings.CutPrefix(name.Text(), "link:")
	from, to, isPair := strings.Cut(link, "->")
	if !isLink || !isPair || from == "" || to == "" {
		p.Add(name, fmt.Sprintf("%q is not a link", name.Text()), "write link:FROM->TO; other components cannot be broken in a system that somebody else runs")
		return
	}
	linkd := ""
	p.Mapping(n, "a link", p.componentFields(&linkd))
	t := &p.target.topology
	t.Links = append(t.Links, sut.Link{Name: link, From: from, To: to, Carries: sut.TrafficHTTP})
	if _, known := t.Node(to); !known {
		t.Nodes = append(t.Nodes, sut.Node{Name: to, Role: sut.RoleService})
	}
	p.target.controls[link] = linkControl(linkd, link)
}

func (p *parser) componentFields(linkd *string) []scenarios.Field {
	return []scenarios.Field{
		{Key: "linkd", Need: true, Set: func(k, v *scenarios.Node) { *linkd = p.address(k, v, "http") }},
	}
}

// address reads where something on this machine is.
func (p *parser) address(key, n *scenarios.Node, schemes ...string) string {
	text, ok := p.Words(n, key.Text())
	if !ok {
		return ""
	}
	const hint = "write for example http://127.0.0.1:8080"
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		p.Add(n, "this is no address", hint)
		return ""
	}
	known := false
	for _, s := range schemes {
		known = known || u.Scheme == s
	}
	switch {
	case !known:
		p.Add(n, "the address begins with "+strconv.Quote(u.Scheme+"://"), hint)
	case u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback():
		p.Add(n, u.Hostname()+" is not on this machine", "systems elsewhere cannot be targets yet; "+hint)
	}
	return strings.TrimRight(text, "/")
}
