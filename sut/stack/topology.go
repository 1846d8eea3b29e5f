package stack

import (
	"fmt"
	"strings"

	"github.com/proofload/proofload/sut"
)

// LedgerName is the name of the one stack that can be brought up today.
const LedgerName = "ledger"

// Topology returns the nodes and links of a stack by its short name, such as
// "ledger", without starting anything. It is the same that [Stack.Topology]
// returns once the stack is up.
func Topology(name string) (sut.Topology, error) {
	if name != LedgerName {
		return sut.Topology{}, fmt.Errorf("no stack %q: the only one is %q", name, LedgerName)
	}
	t := sut.Topology{Name: "stack/" + name}
	for _, n := range ledgerNodes() {
		t.Nodes = append(t.Nodes, n.Node)
	}
	for _, l := range ledgerLinks() {
		if l.isObserver() {
			continue
		}
		t.Links = append(t.Links, l.Link)
	}
	return t, nil
}

// A nodeSpec is a node of a stack and the image it runs.
type nodeSpec struct {
	sut.Node
	image string // short name of the image, a folder of fixtures/images
}

// Names of nodes that the code has to know one by one.
const (
	nodeLinks    = "linkd"
	nodeStore    = "etcd"
	nodeBalancer = "lb"
	nodeRouter   = "router"
	nodePooler   = "pgbouncer"
	nodeCache    = "redis"
	nodeCacheTwo = "redis-2"
	nodeBroker   = "rabbitmq"
)

// ledgerNodes lists the nodes of the ledger stack in the order in which they
// are shown: the way of a request from the client to the disk.
func ledgerNodes() []nodeSpec {
	node := func(name string, role sut.Role, zone, image string) nodeSpec {
		return nodeSpec{Node: sut.Node{Name: name, Role: role, Zone: zone}, image: image}
	}
	return []nodeSpec{
		node(nodeBalancer, sut.RoleBalancer, "a", "haproxy"),
		node("api-1", sut.RoleService, "a", "ledgerd"),
		node("api-2", sut.RoleService, "b", "ledgerd"),
		node("worker-1", sut.RoleWorker, "c", "ledgerd"),
		node(nodePooler, sut.RolePooler, "a", "pgbouncer"),
		node(nodeRouter, sut.RoleRouter, "a", "haproxy"),
		node("pg-1", sut.RoleDatabase, "a", "postgres"),
		node("pg-2", sut.RoleDatabase, "b", "postgres"),
		node("pg-3", sut.RoleDatabase, "c", "postgres"),
		node(nodeStore, sut.RoleStore, "a", "etcd"),
		node(nodeCache, sut.RoleCache, "b", "redis"),
		node(nodeCacheTwo, sut.RoleCache, "c", "redis"),
		node(nodeBroker, sut.RoleBroker, "c", "rabbitmq"),
		node(nodeLinks, sut.RoleLinks, "", "linkd"),
	}
}

// Ports at which the software of a node listens inside the stack's network.
const (
	portAPI      = 8080
	portPostgres = 5432
	portPatroni  = 8008
	portPooler   = 6432
	portPrimary  = 5000 // router, to the primary
	portReplicas = 5001 // router, to the replicas
	portEtcd     = 2379
	portRedis    = 6379
	portAMQP     = 5672
	portControl  = 8474 // linkd's control interface
)

// firstLinkPort is where the first link listens in linkd; the others follow in
// the order of [ledgerLinks].
const firstLinkPort = 7001

// A linkSpec is one proxied connection: a link of the topology, or the path on
// which proofload itself observes a node. Observer paths pass linkd too, since
// linkd is never restarted and so its published ports stay valid, but they are
// links of their own, so that no fault touches them.
type linkSpec struct {
	sut.Link
	listen   int    // port in linkd
	upstream string // host:port behind it
	endpoint string // the endpoint that an observer path serves; empty for a link
}

func (l linkSpec) isObserver() bool { return l.endpoint != "" }

// address is where nodes dial to use the link.
func (l linkSpec) address() string { return fmt.Sprintf("%s:%d", nodeLinks, l.listen) }

// url returns the endpoint that an observer path serves, given the address at
// which it is reached.
func (l linkSpec) url(address string) string {
	kind, node, _ := strings.Cut(l.endpoint, "/")
	switch kind {
	case "postgres":
		if node == nodePooler {
			return ledgerURL(address, "ledger")
		}
		return "postgres://postgres:postgres@" + address + "/ledger?sslmode=disable"
	case "amqp":
		return "amqp://ledger:ledger@" + address + "/"
	case "redis":
		return "redis://" + address + "/0"
	default:
		return "http://" + address
	}
}

// ledgerLinks lists the links and observer paths of the ledger stack. The
// order fixes the ports.
func ledgerLinks() []linkSpec {
	var links []linkSpec
	add := func(name, from, to string, carries sut.Traffic, port int, endpoint string) {
		links = append(links, linkSpec{
			Link:     sut.Link{Name: name, From: from, To: to, Carries: carries},
			listen:   firstLinkPort + len(links),
			upstream: fmt.Sprintf("%s:%d", to, port),
			endpoint: endpoint,
		})
	}
	link := func(from, to string, carries sut.Traffic, port int) {
		add(from+"->"+to, from, to, carries, port, "")
	}
	observe := func(kind, node string, port int) {
		add("observe:"+kind+"/"+node, "", node, "", port, kind+"/"+node)
	}

	for _, api := range serviceNodes() {
		link(nodeBalancer, api, sut.TrafficHTTP, portAPI)
		link(api, nodePooler, sut.TrafficSQL, portPooler)
		link(api, nodeCache, sut.TrafficCache, portRedis)
		observe("http", api, portAPI)
	}
	link("worker-1", nodePooler, sut.TrafficSQL, portPooler)
	link("worker-1", nodeCache, sut.TrafficCache, portRedis)
	link("worker-1", nodeBroker, sut.TrafficMessages, portAMQP)
	observe("http", "worker-1", portAPI)

	// The pooler speaks to the router at two ports, so this is a link of two
	// proxies; link:pgbouncer->router in a scenario selects both.
	link(nodePooler, nodeRouter, sut.TrafficSQL, portPrimary)
	add(replicasLink, nodePooler, nodeRouter, sut.TrafficSQL, portReplicas, "")

	for _, pg := range databaseNodes() {
		// The health check shares the fate of the traffic it stands for: a
		// scenario that cuts link:router->pg-1 cuts both.
		link(nodeRouter, pg, sut.TrafficSQL, portPostgres)
		add(checkLink(pg), nodeRouter, pg, sut.TrafficHTTP, portPatroni, "")
		// Named after the node that sends: whoever streams from it passes here.
		links = append(links, linkSpec{
			Link:     sut.Link{Name: replicationLink(pg), From: pg, To: "*", Carries: sut.TrafficReplication},
			listen:   firstLinkPort + len(links),
			upstream: fmt.Sprintf("%s:%d", pg, portPostgres),
		})
		// The lease that makes a node the primary is renewed over this one.
		link(pg, nodeStore, sut.TrafficConsensus, portEtcd)
		// Where the others ask a node, before an election, who is fit for it.
		links = append(links, linkSpec{
			Link:     sut.Link{Name: peersLink(pg), From: "*", To: pg, Carries: sut.TrafficConsensus},
			listen:   firstLinkPort + len(links),
			upstream: fmt.Sprintf("%s:%d", pg, portPatroni),
		})
		observe("postgres", pg, portPostgres)
		observe("patroni", pg, portPatroni)
	}
	observe("postgres", nodePooler, portPooler)
	observe("amqp", nodeBroker, portAMQP)
	observe("redis", nodeCache, portRedis)
	observe("redis", nodeCacheTwo, portRedis)
	observe("etcd", nodeStore, portEtcd)
	observe("health", nodeRouter, healthPort)
	return links
}

// replicasLink is the way of read-only sessions from the pooler to the router.
const replicasLink = nodePooler + "->" + nodeRouter + ":replicas"

func serviceNodes() []string { return []string{"api-1", "api-2"} }

// databaseNodes names the Postgres nodes. The first is the one that
// initialises the cluster.
func databaseNodes() []string { return []string{"pg-1", "pg-2", "pg-3"} }

func peersLink(node string) string { return "peers:" + node }

func replicationLink(node string) string { return "replication:" + node }

func checkLink(node string) string { return nodeRouter + "->" + node + ":check" }
