package stack

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"path"
	"slices"
	"strconv"
	"text/template"

	"github.com/proofload/proofload/fixtures"
	"github.com/proofload/proofload/sut"
)

// Sizes of containers. Every container has a limit, since one without cannot
// be given one for a while and then be without again; swap is not added to it.
const (
	mib          = 1 << 20
	memoryNode   = 1024 * mib
	memoryDB     = 2048 * mib
	sharedMemory = 256 * mib
	dataDir      = "/var/lib/postgresql/data"
	backupDir    = "/var/lib/pgbackrest"
	healthPort   = 8404
)

// A containerSpec is one container to run: everything the engine needs to know
// but the ports of this machine.
type containerSpec struct {
	Node    string
	Image   string // tag
	Cmd     []string
	Env     map[string]string
	Files   map[string]string // content by path
	Publish []int             // ports to publish on 127.0.0.1
	Volume  string            // path of the container that outlives it; may be empty
	Shared  string            // path of the one volume that all nodes with such a path share; may be empty
	Memory  int64             // bytes
	Sysctls map[string]string
}

// hash tells containers made from different inputs apart.
func (c containerSpec) hash() (string, error) {
	content, err := json.Marshal(c) // maps are written in order of their keys
	if err != nil {
		return "", fmt.Errorf("hash container %s: %w", c.Node, err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])[:12], nil
}

// ledgerContainers returns the containers of a ledger stack by node, given the
// tags of the images by short name.
func ledgerContainers(s settings, tags map[string]string) (map[string]containerSpec, error) {
	specs := map[string]containerSpec{}
	for _, n := range ledgerNodes() {
		spec := containerSpec{Node: n.Name, Image: tags[n.image], Memory: memoryNode}
		var err error
		switch n.Role {
		case sut.RoleDatabase:
			spec.Memory, spec.Volume, spec.Shared = memoryDB, dataDir, backupDir
			spec.Files, err = databaseFiles(n.Name, s)
		case sut.RoleRouter:
			spec.Files, err = routerFiles()
		case sut.RoleBalancer:
			spec.Publish = []int{portAPI}
			spec.Files, err = balancerFiles()
		case sut.RolePooler:
			spec.Files, err = poolerFiles()
		case sut.RoleLinks:
			spec.Publish = linkPorts()
			// The proxy dials a silent node inside its accept loop: two SYNs
			// instead of six bound that to about 3 s.
			spec.Sysctls = map[string]string{"net.ipv4.tcp_syn_retries": "1"}
			spec.Files, err = linkFiles()
		case sut.RoleService:
			spec.Cmd, spec.Env = []string{"api"}, serviceEnv(n.Name, s)
		case sut.RoleWorker:
			spec.Cmd, spec.Env = []string{"worker"}, serviceEnv(n.Name, s)
		case sut.RoleCache:
			spec.Cmd = cacheArgs(n.Name)
		default: // etcd and RabbitMQ have all they need in their image
		}
		if err != nil {
			return nil, err
		}
		specs[n.Name] = spec
	}
	return specs, nil
}

// cacheArgs make the second Redis a replica of the first, of which it is sent a
// copy at once, not together with others that may come. It follows it directly:
// a link would hide its address, and so it could not take over.
func cacheArgs(node string) []string {
	args := []string{"--repl-diskless-sync-delay", "0"}
	if node == nodeCacheTwo {
		args = append(args, "--replicaof", nodeCache, strconv.Itoa(portRedis))
	}
	return args
}

// linkPorts are the ports of linkd that proofload itself uses.
func linkPorts() []int {
	ports := []int{portControl}
	for _, l := range ledgerLinks() {
		if l.isObserver() {
			ports = append(ports, l.listen)
		}
	}
	return ports
}

// via returns the address at which one node reaches another through a link.
func via(link string) string {
	links := ledgerLinks()
	i := slices.IndexFunc(links, func(l linkSpec) bool { return l.Name == link })
	if i < 0 {
		return "" // a name that is wrong in this package; a test renders them all
	}
	return links[i].address()
}

func ledgerURL(address, database string) string {
	return "postgres://ledger:ledger@" + address + "/" + database + "?sslmode=disable"
}

// serviceEnv configures ledgerd. A process is given only the addresses of what
// it has a link to.
func serviceEnv(node string, s settings) map[string]string {
	env := map[string]string{"LEDGER_INSTANCE": node, "LEDGER_LISTEN": fmt.Sprintf(":%d", portAPI)}
	if address := via(node + "->" + nodePooler); address != "" {
		env["LEDGER_DATABASE_URL"] = ledgerURL(address, "ledger")
		env["LEDGER_DATABASE_RO_URL"] = ledgerURL(address, "ledger_ro")
	}
	if address := via(node + "->" + nodeCache); address != "" {
		env["LEDGER_REDIS_URL"] = "redis://" + address + "/0"
	}
	if address := via(node + "->" + nodeBroker); address != "" {
		env["LEDGER_AMQP_URL"] = "amqp://ledger:ledger@" + address + "/"
	}
	if s.traces != "" {
		env["LEDGER_OTLP_ENDPOINT"], env["LEDGER_TRACE_RATIO"] = s.traces, strconv.FormatFloat(s.traceRatio, 'g', -1, 64)
	}
	return env
}

func databaseFiles(node string, s settings) (map[string]string, error) {
	files, err := renderInto("/etc/patroni/patroni.yml", "patroni.yml.tmpl", map[string]any{
		"Node": node, "TTL": s.ttl, "Sync": s.sync, "Fsync": s.fsync(), "Replication": via(replicationLink(node)),
		"Store": via(node + "->" + nodeStore), "Peers": via(peersLink(node)),
	})
	if err != nil {
		return nil, err
	}
	backup, err := renderInto("/etc/pgbackrest.conf", "pgbackrest.conf", nil)
	maps.Copy(files, backup)
	return files, err
}

func routerFiles() (map[string]string, error) {
	type server struct{ Name, SQL, CheckHost, CheckPort string }
	var servers []server
	for _, pg := range databaseNodes() {
		host, port, err := net.SplitHostPort(via(checkLink(pg)))
		if err != nil {
			return nil, fmt.Errorf("render router: %w", err)
		}
		servers = append(servers, server{pg, via(nodeRouter + "->" + pg), host, port})
	}
	return renderInto("/etc/haproxy/haproxy.cfg", "router.cfg.tmpl", map[string]any{
		"Primary": portPrimary, "Replicas": portReplicas, "Health": healthPort, "Nodes": servers,
	})
}

func balancerFiles() (map[string]string, error) {
	type server struct{ Name, Address string }
	var servers []server
	for _, api := range serviceNodes() {
		servers = append(servers, server{api, via(nodeBalancer + "->" + api)})
	}
	files, err := renderInto("/etc/haproxy/haproxy.cfg", "lb.cfg.tmpl", map[string]any{
		"Listen": portAPI, "Nodes": servers, "Statuses": []int{429, 500, 502, 503, 504},
	})
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"faults.lua", "faults.map"} {
		more, err := renderInto("/etc/haproxy/"+name, name, nil)
		if err != nil {
			return nil, err
		}
		maps.Copy(files, more)
	}
	return files, nil
}

func poolerFiles() (map[string]string, error) {
	target := func(address string) (string, error) {
		host, port, err := net.SplitHostPort(address)
		return "host=" + host + " port=" + port, err
	}
	primary, err := target(via(nodePooler + "->" + nodeRouter))
	if err != nil {
		return nil, fmt.Errorf("render pooler: %w", err)
	}
	replicas, err := target(via(replicasLink))
	if err != nil {
		return nil, fmt.Errorf("render pooler: %w", err)
	}
	files, err := renderInto("/etc/pgbouncer/pgbouncer.ini", "pgbouncer.ini.tmpl", map[string]any{
		"Primary": primary, "Replicas": replicas,
	})
	if err != nil {
		return nil, err
	}
	users, err := renderInto("/etc/pgbouncer/userlist.txt", "userlist.txt", nil)
	maps.Copy(files, users)
	return files, err
}

func linkFiles() (map[string]string, error) {
	type link struct {
		Name     string `json:"name"`
		Listen   string `json:"listen"`
		Upstream string `json:"upstream"`
	}
	var config struct {
		Links []link `json:"links"`
	}
	for _, l := range ledgerLinks() {
		config.Links = append(config.Links, link{l.Name, fmt.Sprintf(":%d", l.listen), l.upstream})
	}
	content, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("render linkd.json: %w", err)
	}
	return map[string]string{"/etc/linkd.json": string(content)}, nil
}

// renderInto renders a template of fixtures/ledger as the file of the given
// path.
func renderInto(file, name string, data any) (map[string]string, error) {
	t, err := template.New(name).Option("missingkey=error").ParseFS(fixtures.Ledger, path.Join("ledger", name))
	if err != nil {
		return nil, fmt.Errorf("parse template: %w", err)
	}
	var buf bytes.Buffer
	if err := t.Execute(&buf, data); err != nil {
		return nil, fmt.Errorf("render template: %w", err)
	}
	return map[string]string{file: buf.String()}, nil
}
