// Package suttest checks that an environment keeps the promises of package
// sut, as testing/fstest does for file systems.
package suttest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/sut"
)

// timeout bounds each part of the suite.
const timeout = 3 * time.Minute

// TestEnvironment checks an environment that is up and healthy, and leaves it
// so. What the environment cannot do is skipped. It kills, pauses and restarts
// nodes that are not databases.
func TestEnvironment(t *testing.T, env sut.Environment) {
	t.Helper()
	for _, part := range []struct {
		name string
		test func(context.Context, *testing.T, sut.Environment)
	}{
		{"topology", testTopology},
		{"endpoints", testEndpoints},
		{"links", testLinks},
		{"primary", testPrimary},
		{"kill", testKill},
		{"pause", testPause},
		{"network", testNet},
		{"logs", testLogs},
	} {
		t.Run(part.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			part.test(ctx, t, env)
		})
	}
}

func testTopology(_ context.Context, t *testing.T, env sut.Environment) {
	t.Helper()
	topology := env.Topology()
	if topology.Name == "" || len(topology.Nodes) == 0 {
		t.Fatalf("Topology() = %+v; want a name and nodes", topology)
	}
	nodes, links := map[string]bool{}, map[string]bool{}
	for _, n := range topology.Nodes {
		if n.Name == "" || n.Role == "" || nodes[n.Name] {
			t.Errorf("node %+v lacks a name or a role, or its name is used twice", n)
		}
		nodes[n.Name] = true
	}
	known := func(node string) bool { return node == "*" || nodes[node] }
	for _, l := range topology.Links {
		if l.Name == "" || l.Carries == "" || links[l.Name] {
			t.Errorf("link %+v lacks a name or what it carries, or its name is used twice", l)
		}
		if !known(l.From) || !known(l.To) {
			t.Errorf("link %+v connects nodes that do not exist", l)
		}
		links[l.Name] = true
	}
}

func testEndpoints(ctx context.Context, t *testing.T, env sut.Environment) {
	t.Helper()
	if u, ok := env.Endpoint("no such/endpoint"); ok {
		t.Errorf("Endpoint of an unknown name = %q, true; want false", u)
	}
	api, ok := env.Endpoint("api")
	if !ok {
		t.Fatal("there is no endpoint api")
	}
	if status := get(ctx, t, api+"/livez", nil); status != http.StatusOK {
		t.Errorf("GET %s/livez answered %d; want 200", api, status)
	}
	for _, n := range env.Topology().Nodes {
		if u, ok := env.Endpoint("postgres/" + n.Name); ok {
			testDatabase(ctx, t, u)
		}
		if u, ok := env.Endpoint("patroni/" + n.Name); ok {
			var status struct{ Role string }
			get(ctx, t, u+"/patroni", &status)
			if status.Role == "" {
				t.Errorf("GET %s/patroni names no role", u)
			}
		}
		if u, ok := env.Endpoint("amqp/" + n.Name); ok {
			conn, err := amqp.Dial(u)
			if err != nil {
				t.Errorf("connect to amqp/%s: %v", n.Name, err)
				continue
			}
			if err := conn.Close(); err != nil {
				t.Errorf("close amqp/%s: %v", n.Name, err)
			}
		}
	}
}

func testDatabase(ctx context.Context, t *testing.T, dsn string) {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec // for poolers
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Errorf("connect: %v", err)
		return
	}
	defer func() { _ = conn.Close(ctx) }()
	var database string
	if err := conn.QueryRow(ctx, "select current_database()").Scan(&database); err != nil {
		t.Errorf("query: %v", err)
	}
}

func testLinks(ctx context.Context, t *testing.T, env sut.Environment) {
	t.Helper()
	links, ok := env.(sut.LinkController)
	if !ok {
		t.Skip("links cannot be controlled")
	}
	if u, ok := links.LinkControl("no such->link"); ok {
		t.Errorf("LinkControl of an unknown link = %q, true; want false", u)
	}
	for _, l := range env.Topology().Links {
		control, ok := links.LinkControl(l.Name)
		if !ok {
			t.Errorf("LinkControl(%q) = false; want true", l.Name)
			continue
		}
		var proxies map[string]struct{ Enabled bool }
		if status := get(ctx, t, control+"/proxies", &proxies); status != http.StatusOK || len(proxies) != 1 || !proxies["link"].Enabled {
			t.Errorf("link %s: GET proxies = %d, %v; want the one proxy \"link\", enabled", l.Name, status, proxies)
		}
		var counters map[string]int64
		if status := get(ctx, t, control+"/counters", &counters); status != http.StatusOK {
			t.Errorf("link %s: GET counters answered %d; want 200", l.Name, status)
		} else if _, ok := counters["connections"]; !ok {
			t.Errorf("link %s: counters = %v; want connections among them", l.Name, counters)
		}
	}
}

func testPrimary(ctx context.Context, t *testing.T, env sut.Environment) {
	t.Helper()
	finder, ok := env.(sut.PrimaryFinder)
	if !ok {
		t.Skip("the primary cannot be found")
	}
	primary, err := finder.Primary(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(env.Topology().ByRole(sut.RoleDatabase), primary) {
		t.Errorf("Primary() = %+v, which is not one of the database nodes", primary)
	}
}

// victim is a node that the others can do without for a moment.
func victim(t *testing.T, env sut.Environment) string {
	t.Helper()
	for _, role := range []sut.Role{sut.RoleWorker, sut.RoleService, sut.RoleCache} {
		if nodes := env.Topology().ByRole(role); len(nodes) > 0 {
			return nodes[len(nodes)-1].Name
		}
	}
	return env.Topology().Nodes[0].Name
}

func testKill(ctx context.Context, t *testing.T, env sut.Environment) {
	t.Helper()
	killer, ok := env.(sut.Killer)
	if !ok {
		t.Skip("nodes cannot be killed")
	}
	node := victim(t, env)
	for _, s := range []struct {
		what string
		do   func(context.Context, string) error
		want sut.State
	}{
		{"Kill", killer.Kill, sut.Down},
		{"Kill a node that is down", killer.Kill, sut.Down},
		{"Start", killer.Start, sut.Running},
		{"Start a node that runs", killer.Start, sut.Running},
	} {
		if err := s.do(ctx, node); err != nil {
			t.Fatalf("%s: %v", s.what, err)
		}
		wantState(ctx, t, killer, node, s.want)
	}
	waitReady(ctx, t, env, node)
	if killer.Kill(ctx, "no-such-node") == nil || killer.Start(ctx, "no-such-node") == nil {
		t.Error("killing or starting an unknown node is not an error")
	}
	if _, err := killer.State(ctx, "no-such-node"); err == nil {
		t.Error("State of an unknown node is not an error")
	}
}

func testPause(ctx context.Context, t *testing.T, env sut.Environment) {
	t.Helper()
	pauser, ok := env.(sut.Pauser)
	if !ok {
		t.Skip("nodes cannot be paused")
	}
	node := victim(t, env)
	for _, s := range []struct {
		what string
		do   func(context.Context, string) error
		want sut.State
	}{
		{"Pause", pauser.Pause, sut.Paused},
		{"Pause a paused node", pauser.Pause, sut.Paused},
		{"Resume", pauser.Resume, sut.Running},
		{"Resume a running node", pauser.Resume, sut.Running},
	} {
		if err := s.do(ctx, node); err != nil {
			t.Fatalf("%s: %v", s.what, err)
		}
		if killer, ok := env.(sut.Killer); ok {
			wantState(ctx, t, killer, node, s.want)
		}
	}
	waitReady(ctx, t, env, node)
}

func wantState(ctx context.Context, t *testing.T, killer sut.Killer, node string, want sut.State) {
	t.Helper()
	got, err := killer.State(ctx, node)
	if err != nil || got != want {
		t.Fatalf("State(%s) = %q, %v; want %q", node, got, err, want)
	}
}

func waitReady(ctx context.Context, t *testing.T, env sut.Environment, node string) {
	t.Helper()
	waiter, ok := env.(sut.Waiter)
	if !ok {
		return
	}
	if err := waiter.WaitReady(ctx, node); err != nil {
		t.Fatalf("WaitReady(%s): %v", node, err)
	}
}

func testNet(ctx context.Context, t *testing.T, env sut.Environment) {
	t.Helper()
	admin, ok := env.(sut.NetAdmin)
	if !ok {
		t.Skip("the network of nodes cannot be administered")
	}
	node := victim(t, env)
	if err := admin.PrepareNet(ctx, node); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.NetExec(ctx, node, "iptables", "-N", "SUTTEST"); err != nil {
		t.Fatalf("add a chain: %v", err)
	}
	hasChain := func() bool {
		t.Helper()
		output, err := admin.NetExec(ctx, node, "iptables", "-S")
		if err != nil {
			t.Fatalf("list chains: %v", err)
		}
		return strings.Contains(output, "SUTTEST")
	}
	if !hasChain() {
		t.Error("a chain that was added is not listed")
	}
	if output, err := admin.NetExec(ctx, node, "iptables", "-X", "NO-SUCH-CHAIN"); err == nil {
		t.Errorf("a command that fails is not an error; it printed %q", output)
	}
	if killer, ok := env.(sut.Killer); ok {
		if err := killer.Kill(ctx, node); err != nil {
			t.Fatal(err)
		}
		if output, err := admin.NetExec(ctx, node, "iptables", "-S"); err == nil {
			t.Errorf("a command in the network of a node that is down is not an error; it printed %q", output)
		}
		if err := killer.Start(ctx, node); err != nil {
			t.Fatal(err)
		}
		if hasChain() {
			t.Error("a chain outlived the node it was made in")
		}
		waitReady(ctx, t, env, node)
	} else if _, err := admin.NetExec(ctx, node, "iptables", "-X", "SUTTEST"); err != nil {
		t.Errorf("remove the chain: %v", err)
	}
}

func testLogs(ctx context.Context, t *testing.T, env sut.Environment) {
	t.Helper()
	logs, ok := env.(sut.LogCollector)
	if !ok {
		t.Skip("logs cannot be collected")
	}
	dir := t.TempDir()
	if err := logs.CollectLogs(ctx, dir); err != nil {
		t.Fatal(err)
	}
	for _, n := range env.Topology().Nodes {
		if _, err := os.Stat(filepath.Join(dir, n.Name+".log")); err != nil {
			t.Errorf("log of %s: %v", n.Name, err)
		}
	}
}

// get asks for a page, decodes the answer unless into is nil, and returns the
// status.
func get(ctx context.Context, t *testing.T, address string, into any) int {
	t.Helper()
	if _, err := url.Parse(address); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true // a connection that is kept would outlive the environment
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			t.Errorf("GET %s: %v", address, err)
		}
	}
	return resp.StatusCode
}
