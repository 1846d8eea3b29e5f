package sut

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Role says what a node does in the system.
type Role string

// The roles that proofload knows by name, and the word by which a scenario
// names the nodes that have it. Which of the postgres nodes is primary changes
// during a run, so that is not a role of a node but a [Selection.Member].
const (
	RoleDatabase Role = "postgres"
	RolePooler   Role = "pgbouncer"
	RoleRouter   Role = "router"
	RoleCache    Role = "redis"
	RoleBroker   Role = "rabbitmq"
	RoleService  Role = "app"
	RoleWorker   Role = "worker"
	RoleBalancer Role = "lb"
	RoleStore    Role = "etcd"
	RoleLinks    Role = "links"
)

// Traffic says what a link carries.
type Traffic string

// The kinds of traffic that matter to checkers. Replication is the one that a
// recovery-point drill must stall.
const (
	TrafficHTTP        Traffic = "http"
	TrafficSQL         Traffic = "sql"
	TrafficReplication Traffic = "replication"
	TrafficCache       Traffic = "cache"
	TrafficMessages    Traffic = "messages"
	TrafficConsensus   Traffic = "consensus"
)

// A Node is one process group of the system, as a scenario file names it.
type Node struct {
	Name string
	Role Role
	Zone string
}

// A Link is a proxied connection between two nodes.
type Link struct {
	Name    string // FROM->TO, unique; replication links are replication:NODE after the node that sends
	From    string // a node's name, or "*" if several nodes connect through it
	To      string
	Carries Traffic
}

// A Topology is the static shape of an environment.
type Topology struct {
	Name  string // for example "stack/ledger"
	Nodes []Node
	Links []Link
}

// Node returns the node of that name.
func (t Topology) Node(name string) (Node, bool) {
	i := slices.IndexFunc(t.Nodes, func(n Node) bool { return n.Name == name })
	if i < 0 {
		return Node{}, false
	}
	return t.Nodes[i], true
}

// ByRole returns the nodes that have a role, in the order of the topology.
func (t Topology) ByRole(role Role) []Node {
	var nodes []Node
	for _, n := range t.Nodes {
		if n.Role == role {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// The members of a replicated role that a scenario may ask for. They are
// resolved at the moment of the event.
const (
	MemberPrimary    = "primary"
	MemberReplica    = "replica"
	MemberOldPrimary = "old-primary"
)

// A Selection is what a component reference of a scenario stands for: nodes,
// links, or a member of a replicated role that is only known at run time.
type Selection struct {
	Ref    string
	Nodes  []Node  // all candidates where Member is set
	Links  []Link  // as well
	Member string  // one of the Member constants, or empty
	Index  int     // which replica, from 1; 0 for any
	End    LinkEnd // of links where Member is set: the one at which the member is
}

// A LinkEnd is one of the two ends of a link.
type LinkEnd string

// The ends of a link.
const (
	EndFrom LinkEnd = "from"
	EndTo   LinkEnd = "to"
)

// At returns the node at an end of the link, or "*" if they are several.
func (l Link) At(end LinkEnd) string {
	if end == EndFrom {
		return l.From
	}
	return l.To
}

var componentPattern = regexp.MustCompile(`^([a-z][a-z0-9-]*)(?:\.(primary|replica|old-primary))?(?:\[(\*|[0-9]+)\])?$`)

// Select resolves a component reference as far as the topology allows:
//
//	postgres.primary  postgres.replica[1]  postgres.old-primary
//	app[1]  app[*]  redis  api-1 (a node's own name)
//	zone:b
//	link:replication (all links that carry it)  link:app->pgbouncer  link:api-1->redis
//	link:router->postgres.primary  link:postgres.replica[1]->etcd  link:postgres.primary->* (replication)
//
// The error says what was expected instead.
func (t Topology) Select(ref string) (Selection, error) {
	switch kind, rest, _ := strings.Cut(ref, ":"); kind {
	case "link":
		return t.selectLinks(ref, rest)
	case "zone":
		sel := Selection{Ref: ref}
		for _, n := range t.Nodes {
			if n.Zone == rest {
				sel.Nodes = append(sel.Nodes, n)
			}
		}
		if len(sel.Nodes) == 0 {
			return sel, fmt.Errorf("no zone %q in %s", rest, t.Name)
		}
		return sel, nil
	}
	if n, ok := t.Node(ref); ok {
		return Selection{Ref: ref, Nodes: []Node{n}}, nil
	}
	m := componentPattern.FindStringSubmatch(ref)
	if m == nil {
		return Selection{Ref: ref}, fmt.Errorf("%q is not a component: write for example postgres.primary, app[1], zone:b or link:replication", ref)
	}
	sel := Selection{Ref: ref, Nodes: t.ByRole(Role(m[1])), Member: m[2]}
	switch {
	case len(sel.Nodes) == 0:
		return sel, fmt.Errorf("no component %q in %s, which has %s", m[1], t.Name, strings.Join(t.roles(), ", "))
	case sel.Member != "" && Role(m[1]) != RoleDatabase:
		return sel, fmt.Errorf("%s has no %s: only %s is replicated", m[1], sel.Member, RoleDatabase)
	case m[3] == "" || m[3] == "*":
		return sel, nil
	}
	i, err := strconv.Atoi(m[3])
	last := len(sel.Nodes)
	if sel.Member == MemberReplica {
		last--
	}
	if err != nil || i < 1 || i > last {
		return sel, fmt.Errorf("%s does not exist: %s has 1 to %d", ref, m[1], last)
	}
	if sel.Member == "" {
		sel.Nodes = sel.Nodes[i-1 : i]
	}
	sel.Index = i
	return sel, nil
}

// selectLinks resolves the part of a reference after "link:": a kind of
// traffic, a link's own name, or FROM->TO where both sides may be a node or a
// role, and one of them a member of a replicated role.
func (t Topology) selectLinks(ref, name string) (Selection, error) {
	sel := Selection{Ref: ref}
	from, to, isPair := strings.Cut(name, "->")
	var err error
	if from, err = t.follow(&sel, EndFrom, from); err == nil {
		to, err = t.follow(&sel, EndTo, to)
	}
	if err != nil {
		return sel, err
	}
	for _, l := range t.Links {
		byPair := isPair && t.is(l.From, from) && t.is(l.To, to)
		if l.Name == name || string(l.Carries) == name || byPair {
			sel.Links = append(sel.Links, l)
		}
	}
	if len(sel.Links) == 0 {
		names := make([]string, len(t.Links))
		for i, l := range t.Links {
			names[i] = l.Name
		}
		return sel, fmt.Errorf("no link %q in %s, which has %s", name, t.Name, strings.Join(names, ", "))
	}
	return sel, nil
}

// follow has a selection of links follow the member of a replicated role that one
// side of FROM->TO names, if it does, and returns the role.
func (t Topology) follow(sel *Selection, end LinkEnd, side string) (string, error) {
	m := componentPattern.FindStringSubmatch(side)
	if len(m) < 3 || m[2] == "" {
		return side, nil
	}
	if sel.Member != "" {
		return "", fmt.Errorf("%s names a member at both ends: name a node or a role at one of them", sel.Ref)
	}
	member, err := t.Select(side)
	if err != nil {
		return "", err
	}
	sel.Member, sel.Index, sel.End = member.Member, member.Index, end
	return m[1], nil
}

// is reports whether a node has the given name or role.
func (t Topology) is(node, want string) bool {
	n, ok := t.Node(node)
	return node == want || ok && string(n.Role) == want
}

// roles lists the roles that occur, for error messages.
func (t Topology) roles() []string {
	var roles []string
	for _, n := range t.Nodes {
		if !slices.Contains(roles, string(n.Role)) {
			roles = append(roles, string(n.Role))
		}
	}
	return roles
}
