//go:build integration

package stack

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/suttest"
)

// testID keeps the stack of this test apart from one that a developer has up.
const testID = "stacktest"

// TestStack brings the ledger stack up, checks what it promises, and takes it
// down again.
func TestStack(t *testing.T) {
	if _, err := Engine(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Down(t.Context(), false, testID); err != nil { // of a test that was killed
		t.Fatal(err)
	}
	began := time.Now()
	cfg := Config{Name: LedgerName, ID: testID, Run: "test", Progress: func(line string) {
		t.Logf("%5.1f s  %s", time.Since(began).Seconds(), line)
	}}
	s, err := Up(t.Context(), cfg)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if _, downErr := Down(ctx, false, testID); downErr != nil {
			t.Error(downErr)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	parts, total := s.Parts()
	for _, p := range parts {
		t.Logf("%5.1f s  %s", p.Took.Seconds(), p.Name)
	}
	t.Logf("%5.1f s  in all", total.Seconds())

	t.Run("attach", func(t *testing.T) { testAttach(t, cfg, s) })
	t.Run("loopback only", func(t *testing.T) { testLoopbackOnly(t, s) })
	t.Run("status", func(t *testing.T) { testStatus(t, s) })
	t.Run("usage", func(t *testing.T) { testUsage(t, s) })
	t.Run("replication", func(t *testing.T) { testReplication(t, s) })
	t.Run("read your writes", func(t *testing.T) { testReadYourWrites(t, s) })
	t.Run("conformance", func(t *testing.T) { suttest.TestEnvironment(t, s) })
	t.Run("logs", func(t *testing.T) { testLog(t, s) })
	t.Run("backup", func(t *testing.T) { testBackup(t, s) })
	t.Run("kill the primary", func(t *testing.T) { testFailover(t, s, s.Kill, s.Start) })
	t.Run("backup after the failover", func(t *testing.T) { testBackupOutlives(t, s) })
	t.Run("link of the primary after the failover", func(t *testing.T) { testLinkFollows(t, s) })
	t.Run("freeze the primary", func(t *testing.T) { testFailover(t, s, s.Pause, s.Resume) })
	t.Run("down", func(t *testing.T) { testDown(t, s) })
}

func testAttach(t *testing.T, cfg Config, s *Stack) {
	t.Helper()
	if again, err := Up(t.Context(), cfg); err == nil || again != nil {
		t.Errorf("Up of a stack that is up = %v, %v; want an error and nothing", again, err)
	}
	attached, err := Attach(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"api", "postgres/pg-1", "patroni/pg-3", "postgres/pgbouncer", "amqp/rabbitmq"} {
		want, _ := s.Endpoint(name)
		if got, ok := attached.Endpoint(name); !ok || got != want {
			t.Errorf("Endpoint(%q) after Attach = %q, %t; want %q", name, got, ok, want)
		}
	}
	if got := attached.Images()["pg-1"]; !strings.HasPrefix(got, "sha256:") || got != s.Images()["pg-1"] {
		t.Errorf("Images()[pg-1] after Attach = %q; want %q", got, s.Images()["pg-1"])
	}
	if err = attached.Detach(); err != nil {
		t.Error(err)
	}
	asIs := cfg
	asIs.AsIs, asIs.Options = true, map[string]string{"replication": "async"}
	if attached, err = Attach(t.Context(), asIs); err != nil {
		t.Errorf("Attach as it is: %v", err)
	} else if err := attached.Detach(); err != nil {
		t.Error(err)
	}
	async := cfg
	async.Options = map[string]string{"replication": "async"}
	if _, err := Attach(t.Context(), async); !errors.Is(err, ErrDiffers) {
		t.Errorf("Attach with other options = %v; want ErrDiffers", err)
	}
	absent := cfg
	absent.ID = "no-such-stack"
	if _, err := Attach(t.Context(), absent); !errors.Is(err, ErrNotUp) {
		t.Errorf("Attach to a stack that is not up = %v; want ErrNotUp", err)
	}
}

// containers lists what the engine runs for the stack.
func containers(t *testing.T, s *Stack) []container.Summary {
	t.Helper()
	list, err := s.docker.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: stackFilter(testID)})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func testLoopbackOnly(t *testing.T, s *Stack) {
	t.Helper()
	published := 0
	for _, c := range containers(t, s) {
		inspected, err := s.docker.ContainerInspect(t.Context(), c.ID, client.ContainerInspectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for port, bindings := range inspected.Container.NetworkSettings.Ports {
			for _, b := range bindings {
				published++
				if b.HostIP.String() != "127.0.0.1" {
					t.Errorf("%v publishes %s at %s; want 127.0.0.1", c.Names, port, b.HostIP)
				}
			}
		}
		host := inspected.Container.HostConfig
		if host.Privileged || !host.RestartPolicy.IsNone() || host.Memory == 0 || host.Memory != host.MemorySwap {
			t.Errorf("%v: privileged %t, restart %q, memory %d with swap %d; want no privilege, no restart, a limit without swap",
				c.Names, host.Privileged, host.RestartPolicy.Name, host.Memory, host.MemorySwap)
		}
	}
	if want := len(linkPorts()) + 1; published != want {
		t.Errorf("%d ports are published; want %d", published, want)
	}
}

func testStatus(t *testing.T, s *Stack) {
	t.Helper()
	primaries := 0
	for _, n := range s.Status(t.Context()) {
		if n.State != sut.Running {
			t.Errorf("%s is %s; want running", n.Node, n.State)
		}
		switch {
		case n.Health == "primary":
			primaries++
		case n.Health == "replica" && n.Role == sut.RoleDatabase, n.Health == "ready":
		default:
			t.Errorf("%s: health is %q", n.Node, n.Health)
		}
	}
	if primaries != 1 {
		t.Errorf("%d primaries; want 1", primaries)
	}
}

func testUsage(t *testing.T, s *Stack) {
	t.Helper()
	for _, n := range s.topology.Nodes {
		if u, err := s.Usage(t.Context(), n.Name); err != nil || u.Memory <= 0 || u.Processor <= 0 {
			t.Errorf("Usage(%s) = %+v, %v; want memory and processor time", n.Name, u, err)
		}
	}
	if address, err := HostAddress(t.Context()); err != nil || !address.IsPrivate() {
		t.Errorf("HostAddress() = %s, %v; want an address of the engine's bridge", address, err)
	}
}

// testReplication checks what a recovery-point drill relies on: data is
// synced to disk, commits wait for a standby, and standbys stream through
// the link that the fault will stall.
func testReplication(t *testing.T, s *Stack) {
	t.Helper()
	ctx := t.Context()
	primary, err := s.Primary(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range s.topology.ByRole(sut.RoleDatabase) {
		var fsync, checksums string
		if err := s.queryRow(ctx, "postgres/"+n.Name, "select current_setting('fsync'), current_setting('data_checksums')", &fsync, &checksums); err != nil {
			t.Fatal(err)
		}
		if fsync != "on" || checksums != "on" {
			t.Errorf("%s: fsync is %s and data_checksums %s; want on", n.Name, fsync, checksums)
		}
		if n == primary {
			continue
		}
		var host string
		var port int
		if err := s.queryRow(ctx, "postgres/"+n.Name, "select sender_host, sender_port from pg_stat_wal_receiver", &host, &port); err != nil {
			t.Fatal(err)
		}
		if host != nodeLinks || port != linkPort(t, replicationLink(primary.Name)) {
			t.Errorf("%s streams from %s:%d; want the link %s", n.Name, host, port, replicationLink(primary.Name))
		}
	}
	var synchronous int
	if err := s.queryRow(ctx, "postgres/"+primary.Name, "select count(*) from pg_stat_replication where sync_state = 'sync'", &synchronous); err != nil {
		t.Fatal(err)
	}
	if synchronous != 1 {
		t.Errorf("%d synchronous standbys; want 1", synchronous)
	}
}

func linkPort(t *testing.T, name string) int {
	t.Helper()
	for _, l := range ledgerLinks() {
		if l.Name == name {
			return l.listen
		}
	}
	t.Fatalf("no link %s", name)
	return 0
}

func testLog(t *testing.T, s *Stack) {
	t.Helper()
	var log strings.Builder
	if err := s.Logs(t.Context(), "pg-1", &log); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "pg-1") {
		t.Errorf("log of pg-1 does not name the node: %q", log.String())
	}
}

// testFailover takes the primary away, waits for another, and brings the old
// one back, which must not take leadership back.
func testFailover(t *testing.T, s *Stack, away, back func(context.Context, string) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	old, err := s.Primary(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err = away(ctx, old.Name); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	now := successor(ctx, t, s, old)
	t.Logf("%s is primary %.1f s after %s went", now.Name, time.Since(began).Seconds(), old.Name)
	if err = s.WaitReady(ctx, nodePooler); err != nil {
		t.Fatal(err)
	}
	t.Logf("the pooler serves %.1f s after that", time.Since(began).Seconds())
	if err = back(ctx, old.Name); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	if err = s.WaitReady(ctx, old.Name); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s is whole %.1f s after its return", old.Name, time.Since(began).Seconds())
	awaitReplica(ctx, t, s, old)
	if still, err := s.Primary(ctx); err != nil || still != now {
		t.Errorf("the primary is %s, %v; want still %s", still.Name, err, now.Name)
	}
	if err := s.Verify(ctx); err != nil {
		t.Error(err)
	}
}

// awaitReplica waits until the old primary is a replica. One that was frozen
// wakes as the primary that it was, and its agent restarts it when it learns
// what has happened meanwhile.
func awaitReplica(ctx context.Context, t *testing.T, s *Stack, old sut.Node) {
	t.Helper()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		health, err := s.health(ctx, old.Name)
		if err == nil && health == sut.MemberReplica {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("the old primary is %q, %v; want replica", health, err)
		}
	}
}

// successor waits for another primary than the old one.
func successor(ctx context.Context, t *testing.T, s *Stack, old sut.Node) sut.Node {
	t.Helper()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		if now, err := s.Primary(ctx); err == nil && now != old {
			return now
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatal("no new primary")
		}
	}
}

func testDown(t *testing.T, s *Stack) {
	t.Helper()
	if err := s.PrepareNet(t.Context(), "api-1"); err != nil { // one more kind of container
		t.Fatal(err)
	}
	before := len(containers(t, s))
	removed, err := Down(t.Context(), false, testID)
	if err != nil {
		t.Fatal(err)
	}
	if len(removed) < before {
		t.Errorf("Down removed %d things; there were %d containers", len(removed), before)
	}
	if left := containers(t, s); len(left) > 0 {
		t.Errorf("%d containers are left", len(left))
	}
	volumes, err := s.docker.VolumeList(t.Context(), client.VolumeListOptions{Filters: stackFilter(testID)})
	if err != nil || len(volumes.Items) > 0 {
		t.Errorf("volumes left: %v, %v", volumes.Items, err)
	}
	networks, err := s.docker.NetworkList(t.Context(), client.NetworkListOptions{Filters: stackFilter(testID)})
	if err != nil || len(networks.Items) > 0 {
		t.Errorf("networks left: %v, %v", networks.Items, err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("Close of a stack that is gone: %v", err)
	}
}
