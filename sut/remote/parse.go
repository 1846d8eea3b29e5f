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
	proxy := linkProxy{name: link}
	p.Mapping(n, "a link", p.componentFields(&proxy))
	switch {
	case proxy.linkd != nil && proxy.name != link:
		p.Add(name, "linkd names a link as this file does", "leave out proxy:, which is for a Toxiproxy server")
	case (proxy.linkd == nil) == (proxy.toxiproxy == nil):
		p.Add(name, "a link has one proxy", "give it linkd: or toxiproxy:, the address of the proxy's control interface, and not both")
	}
	t := &p.target.topology
	t.Links = append(t.Links, sut.Link{Name: link, From: from, To: to, Carries: sut.TrafficHTTP})
	if _, known := t.Node(to); !known {
		t.Nodes = append(t.Nodes, sut.Node{Name: to, Role: sut.RoleService})
	}
	p.target.controls[link] = proxy.control(link)
}

// A linkProxy is what carries a link.
type linkProxy struct {
	linkd, toxiproxy *string // control interface; one of them
	name             string  // of the proxy in a Toxiproxy server
}

// control returns the control interface of the link, in which a fragment names
// the proxy of a Toxiproxy server.
func (l linkProxy) control(link string) string {
	switch {
	case l.linkd != nil:
		return linkControl(*l.linkd, link)
	case l.toxiproxy != nil:
		return strings.TrimRight(*l.toxiproxy, "/") + "#" + l.name
	}
	return ""
}

func (p *parser) componentFields(l *linkProxy) []scenarios.Field {
	address := func(into **string) func(k, v *scenarios.Node) {
		return func(k, v *scenarios.Node) {
			at := p.address(k, v, "http")
			*into = &at
		}
	}
	return []scenarios.Field{
		{Key: "linkd", Set: address(&l.linkd)},
		{Key: "toxiproxy", Set: address(&l.toxiproxy)},
		{Key: "proxy", Set: func(k, v *scenarios.Node) { l.name, _ = p.Words(v, k.Text()) }},
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
