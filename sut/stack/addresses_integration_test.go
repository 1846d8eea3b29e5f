//go:build integration

package stack

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/chaos/netfault"
	"github.com/proofload/proofload/sut"
)

// testAnotherAddress restarts Redis while somebody else takes its address, once
// under a partition that is aimed at that. Faults and links then reach Redis where
// it is now, and leave alone who is where it was.
func testAnotherAddress(t *testing.T, s *Stack) {
	t.Helper()
	const node = "redis"
	catalog := chaos.NewCatalog(netfault.Kinds())
	params := func(ref string, values map[string]string) chaos.Params {
		sel, err := s.Topology().Select(ref)
		if err != nil {
			t.Fatal(err)
		}
		return chaos.Params{Target: sel, For: 2 * time.Minute, Values: values}
	}
	old := addressOf(t, s, containerName(s.id, node))
	fromAPI := params("api-1", map[string]string{"peer": node})
	before := armed(t, s, catalog, "partition", fromAPI)
	restartElsewhere(t, s, node, old)
	spared := func(ctx context.Context) error {
		// Long enough for a machine that is busy: who is cut off never answers.
		_, err := s.NetExec(ctx, "api-1", "timeout", "20", "bash", "-c", pingRedis(t, old+":6379", stranger))
		return err
	}

	held, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := before.Hold(held); !errors.Is(err, chaos.ErrEnded) {
		t.Errorf("a partition from an address that is not that of %s any more: %v, want %v", node, err, chaos.ErrEnded)
	}
	ctx, done := context.WithTimeout(t.Context(), time.Minute)
	defer done()
	if err := before.Recover(ctx); err != nil {
		t.Fatal(err)
	}
	if err := chaos.Watch(ctx, spared); err != nil {
		t.Fatalf("who is at the old address of %s: %v", node, err)
	}
	direct := shellProbe(s, "api-1", pingRedis(t, node+":6379", pong))
	overLink := shellProbe(s, "api-1", pingRedis(t, via("api-1->redis"), pong))
	for _, tt := range []struct {
		kind   string
		params chaos.Params
		probe  chaostest.Probe
	}{
		{"partition", params(node, nil), direct},
		{"partition", fromAPI, direct},
		{"packet-reset", fromAPI, direct},
		{"latency", params("link:api-1->redis", map[string]string{"delay": "1s"}), overLink},
	} {
		t.Run(tt.kind+" "+tt.params.Target.Ref, func(t *testing.T) {
			chaostest.TestFault(t, s, catalog[tt.kind], tt.params, func(ctx context.Context) (bool, error) {
				if err := spared(ctx); err != nil {
					return false, fmt.Errorf("who is at the old address of %s is cut off: %w", node, err)
				}
				return tt.probe(ctx)
			})
		})
	}
}

// armed injects a fault and sees it in effect. It is healed at the end, should
// the test not do so.
func armed(t *testing.T, s *Stack, catalog chaos.Catalog, kind string, p chaos.Params) *chaos.Active {
	t.Helper()
	journal, err := chaos.OpenJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if healErr := errors.Join(chaos.HealAll(context.WithoutCancel(t.Context()), catalog, s, journal), journal.Close()); healErr != nil {
			t.Error(healErr)
		}
	})
	fault, err := catalog.New(kind, s, chaos.NewTargets(s), p)
	if err != nil {
		t.Fatal(err)
	}
	active, err := chaos.Arm(t.Context(), journal, catalog, s, fault, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := active.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	return active
}

// restartElsewhere kills a node and starts it when its address has gone to
// somebody else.
func restartElsewhere(t *testing.T, s *Stack, node, old string) {
	t.Helper()
	if err := s.Kill(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	if err := chaos.AwaitState(t.Context(), s, []string{node}, sut.Down); err != nil {
		t.Fatal(err)
	}
	occupy(t, s, node, old)
	if err := s.Start(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	if err := s.WaitReady(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	now := addressOf(t, s, containerName(s.id, node))
	if now == old {
		t.Fatalf("%s has its old address %s again, so that nothing is tried", node, old)
	}
	t.Logf("%s was at %s and is at %s", node, old, now)
}

// occupy starts containers of the image of a node until one has the address that
// the node had: which one is given next is for the engine to say.
func occupy(t *testing.T, s *Stack, node, address string) {
	t.Helper()
	c, err := s.inspect(t.Context(), node)
	if err != nil {
		t.Fatal(err)
	}
	const most = 16
	for i := range most {
		name := fmt.Sprintf("%s-stranger-%d", containerName(s.id, node), i)
		t.Cleanup(func() {
			_, err := s.docker.ContainerRemove(context.WithoutCancel(t.Context()), name, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
			if err != nil {
				t.Error(err)
			}
		})
		_, err := testcontainers.GenericContainer(t.Context(), testcontainers.GenericContainerRequest{
			Logger: quiet{}, Started: true,
			ContainerRequest: testcontainers.ContainerRequest{
				Name: name, Image: c.Config.Image, Cmd: []string{"--requirepass", "none of yours"}, Labels: s.labels(""),
				Networks: []string{networkName(s.id)},
				HostConfigModifier: func(h *container.HostConfig) {
					h.NetworkMode = container.NetworkMode(networkName(s.id))
					h.Memory, h.MemorySwap = memoryNode, memoryNode
				},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if addressOf(t, s, name) == address {
			return
		}
	}
	t.Fatalf("none of %d containers was given %s, the old address of %s", most, address, node)
}

// addressOf returns the address of a container on the network of its stack.
func addressOf(t *testing.T, s *Stack, name string) string {
	t.Helper()
	result, err := s.docker.ContainerInspect(t.Context(), name, client.ContainerInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	at := result.Container.NetworkSettings.Networks[networkName(s.id)]
	if at == nil || !at.IPAddress.IsValid() {
		t.Fatalf("%s has no address on the network of its stack", name)
	}
	return at.IPAddress.String()
}
