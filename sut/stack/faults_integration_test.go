//go:build integration

package stack

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/chaos/netfault"
	"github.com/proofload/proofload/sut"
)

// TestFaults takes network faults through their life on containers, each seen
// by somebody beside the node: what Docker does to names and addresses is not
// what a bare network namespace does.
func TestFaults(t *testing.T) {
	if _, err := Down(t.Context(), false, testID); err != nil { // of a test that was killed
		t.Fatal(err)
	}
	s, err := Up(t.Context(), Config{Name: LedgerName, ID: testID, Run: "test", Progress: func(string) {}})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if s != nil {
			if closeErr := s.Close(ctx); closeErr != nil {
				t.Error(closeErr)
			}
		}
		if _, downErr := Down(ctx, false, testID); downErr != nil {
			t.Error(downErr)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	const link = "api-1->redis"
	overLink := shellProbe(s, "api-1", pingRedis(t, via(link), pong))
	for _, tt := range []struct {
		kind, target string
		values       map[string]string
		probe        chaostest.Probe
	}{
		{"dns-fail", "api-1", nil, shellProbe(s, "api-1", "getent hosts redis")},
		{"dns-timeout", "api-1", nil, shellProbe(s, "api-1", "getent hosts redis")},
		{"partition", "pg-1", map[string]string{"peer": "pg-2"}, shellProbe(s, "pg-1", "exec 3<>/dev/tcp/pg-2/5432")},
		{"packet-reset", "redis", nil, overLink},
		{"latency", "link:" + link, map[string]string{"delay": "1s"}, overLink},
		{"half-open", "link:" + link, nil, overLink},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			sel, err := s.Topology().Select(tt.target)
			if err != nil {
				t.Fatal(err)
			}
			kinds := netfault.Kinds()
			i := slices.IndexFunc(kinds, func(k chaos.Kind) bool { return k.Name == tt.kind })
			p := chaos.Params{Target: sel, For: 2 * time.Minute, Values: tt.values}
			chaostest.TestFault(t, s, kinds[i], p, tt.probe)
		})
	}
	t.Run("another address", func(t *testing.T) { testAnotherAddress(t, s) })
}

// testLinkFollows slows the link to whoever is primary now. It is not the node that
// was when the stack came up.
func testLinkFollows(t *testing.T, s *Stack) {
	t.Helper()
	primary, err := s.Primary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if primary.Name == databaseNodes()[0] {
		t.Fatalf("%s is primary as in the beginning: nothing is to be followed", primary.Name)
	}
	sel, err := s.Topology().Select("link:router->postgres.primary")
	if err != nil {
		t.Fatal(err)
	}
	catalog := chaos.NewCatalog(netfault.Kinds())
	p := chaos.Params{Target: sel, For: time.Minute, Values: map[string]string{"delay": "200ms"}}
	fault, err := catalog.New("latency", s, chaos.NewTargets(s), p)
	if err != nil {
		t.Fatal(err)
	}
	journal, err := chaos.OpenJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close()
	active, err := chaos.Arm(t.Context(), journal, catalog, s, fault, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := nodeRouter + "->" + primary.Name + "," + checkLink(primary.Name)
	if pending := journal.Pending(); len(pending) != 1 || pending[0].Undo.Target != want {
		t.Errorf("the journal has %+v, want %s", pending, want)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	seen, err := active.Settle(ctx)
	if err != nil || seen.Idle {
		t.Errorf("in effect: %+v, %v", seen, err)
	}
	t.Log(seen.Saw)
	if err = active.Recover(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err = active.Recovered(ctx); err != nil {
		t.Error(err)
	}
}

// What Redis answers, and who else is at its address.
const (
	pong     = "+PONG"
	stranger = "-NOAUTH" // as it is not told the password
)

// pingRedis returns a command that succeeds if a Redis at an address answers as
// wanted.
func pingRedis(t *testing.T, addr, want string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return "exec 3<>/dev/tcp/" + host + "/" + port + "; printf 'PING\\r\\n' >&3; read answer <&3; [[ $answer = " + want + "* ]]"
}

// shellProbe is a probe that runs a command in the network of a node. It finds
// the target broken if that fails or takes longer than a moment.
func shellProbe(s sut.NetAdmin, node, command string) chaostest.Probe {
	return func(ctx context.Context) (bool, error) {
		_, err := s.NetExec(ctx, node, "timeout", "0.8", "bash", "-c", command)
		return err != nil, ctx.Err()
	}
}
