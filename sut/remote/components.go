package remote

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
)

// The shortest and the longest time after which a system heals itself.
const (
	minLease = 10 * time.Second
	maxLease = time.Hour
)

// nodePattern is what a node may be called.
var nodePattern = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// component reads one part of the system, and how it is broken.
func (p *parser) component(name, n *scenarios.Node) {
	kind, rest, _ := strings.Cut(name.Text(), ":")
	from, to, isPair := strings.Cut(rest, "->")
	isLink := kind == "link" && isPair && from != "" && to != ""
	switch {
	case isLink:
		p.addLink(rest, from, to)
	case kind == "zone" && nodePattern.MatchString(rest):
		p.addNode(sut.Node{Name: name.Text(), Role: roleZone, Zone: rest})
	case nodePattern.MatchString(name.Text()):
		p.addNode(sut.Node{Name: name.Text(), Role: sut.RoleService})
	default:
		p.Add(name, fmt.Sprintf("%q is not a component", name.Text()), "write link:FROM->TO, zone:NAME, or the name of a node: a to z, 0 to 9 and -")
		return
	}
	proxy := linkProxy{name: rest}
	faults := p.withoutFaults(name, n, &proxy)
	switch {
	case !isLink && (proxy.linkd != nil || proxy.toxiproxy != nil || proxy.named):
		p.Add(name, "only a link has a proxy", "write link:FROM->TO, or say by which commands "+name.Text()+" is broken")
	case !isLink:
		if faults == 0 {
			p.Add(name, "it is not said how "+name.Text()+" is broken", "add for example kill: {inject: {exec: COMMAND}, heal: {exec: COMMAND}}")
		}
	case proxy.linkd != nil && proxy.named:
		p.Add(name, "linkd names a link as this file does", "leave out proxy:, which is for a Toxiproxy server")
	case proxy.linkd != nil && proxy.toxiproxy != nil, proxy.linkd == nil && proxy.toxiproxy == nil && (faults == 0 || proxy.named):
		p.Add(name, "a link has one proxy", "give it linkd: or toxiproxy:, the address of the proxy's control interface, and not both")
	case faults == 0 || proxy.linkd != nil || proxy.toxiproxy != nil:
		p.target.controls[rest] = proxy.control(rest)
	}
}

// addLink adds a link, and the node that it leads to.
func (p *parser) addLink(name, from, to string) {
	t := &p.target.topology
	t.Links = append(t.Links, sut.Link{Name: name, From: from, To: to, Carries: sut.TrafficHTTP})
	p.addNode(sut.Node{Name: to, Role: sut.RoleService})
}

// roleZone is what stands for a zone of which the nodes are not known.
const roleZone sut.Role = "zone"

// withoutFaults reads the proxy of a component and, of all other keys, the commands
// by which it is broken; it counts these.
func (p *parser) withoutFaults(component, n *scenarios.Node, proxy *linkProxy) (faults int) {
	known := p.componentFields(proxy)
	p.Pairs(n, "how a component is broken", "{linkd: http://127.0.0.1:8474}", func(key, value *scenarios.Node) {
		for _, f := range known {
			if f.Key == key.Text() {
				f.Set(key, value)
				return
			}
		}
		faults++
		if p.isFault(key, key.Text(), "linkd", "toxiproxy", "proxy") {
			p.commands(component.Text(), key, value)
		}
	})
	return faults
}

// A linkProxy is what carries a link.
type linkProxy struct {
	linkd, toxiproxy *string // control interface; one of them
	name             string  // of the proxy in a Toxiproxy server
	named            bool    // by the file
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
			at, _ := p.address(k, v, "http", "https")
			*into = &at
		}
	}
	name := func(k, v *scenarios.Node) {
		l.named = true
		if text, ok := p.Words(v, k.Text()); ok {
			l.name = text
		}
	}
	return []scenarios.Field{
		{Key: "linkd", Set: address(&l.linkd)},
		{Key: "toxiproxy", Set: func(k, v *scenarios.Node) {
			if !v.IsMap() {
				address(&l.toxiproxy)(k, v)
				return
			}
			p.Mapping(v, "a Toxiproxy server", []scenarios.Field{
				{Key: "url", Need: true, Set: address(&l.toxiproxy)},
				{Key: "proxy", Set: name},
			})
			if l.toxiproxy == nil {
				l.toxiproxy = new(string) // which was said
			}
		}},
		{Key: "proxy", Set: name},
	}
}

// commands reads by which commands a fault of a component is made and undone.
func (p *parser) commands(component string, fault, n *scenarios.Node) {
	c := sut.Commands{Dir: p.target.beside(".")}
	if !p.Mapping(n, "a fault by commands", p.commandFields(&c)) {
		return
	}
	t := p.target
	if t.commands == nil {
		t.commands = map[string]map[string]sut.Commands{}
	}
	if t.commands[component] == nil {
		t.commands[component] = map[string]sut.Commands{}
	}
	c.Secrets = t.secrets
	t.commands[component][fault.Text()] = c
}

func (p *parser) commandFields(c *sut.Commands) []scenarios.Field {
	exec := func(into *string) func(k, v *scenarios.Node) {
		return func(k, v *scenarios.Node) {
			p.Mapping(v, k.Text(), []scenarios.Field{{Key: "exec", Need: true, Set: func(k, v *scenarios.Node) { *into = p.exec(k, v) }}})
		}
	}
	return []scenarios.Field{
		{Key: "inject", Need: true, Set: exec(&c.Inject)},
		{Key: "heal", Need: true, Set: exec(&c.Heal)},
		{Key: "look", Set: exec(&c.Look)},
		{Key: "lease", Set: func(k, v *scenarios.Node) {
			d, ok := p.Duration(v, k.Text())
			if ok && (d < minLease || d > maxLease) {
				p.Add(v, fmt.Sprintf("a lease lasts %s to %s", scenarios.FormatDuration(minLease), scenarios.FormatDuration(maxLease)), "inject: is run again each third of it, to renew it")
			}
			c.Lease = d
		}},
	}
}

// exec reads a command of a shell. A secret is not put into its text, which is
// shown and kept: it is in the environment of the command.
func (p *parser) exec(key, n *scenarios.Node) string {
	if _, name, ok := strings.Cut(n.Text(), "${secret:"); ok && n.IsScalar() {
		name, _, _ = strings.Cut(name, "}")
		p.Add(n, "a secret cannot be in the text of a command, which is shown and kept", fmt.Sprintf("say under secrets: where %s is, and write $%[1]s: the command has it in its environment", name))
		return ""
	}
	text, _ := p.Words(n, key.Text())
	return text
}
