package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// Accounts returns how many accounts the ledger begins with: 1 to this.
func (s *Stack) Accounts() int { return s.settings.data.accounts }

// A Usage is what a node's container takes.
type Usage struct {
	Processor time.Duration // since it was started, of all processors together
	Memory    int64         // bytes, without what the kernel caches of files and can take back
}

// Usage says what a node takes.
func (s *Stack) Usage(ctx context.Context, node string) (Usage, error) {
	if _, ok := s.topology.Node(node); !ok {
		return Usage{}, fmt.Errorf("read usage of node %s: no such node in %s", node, s.topology.Name)
	}
	result, err := s.docker.ContainerStats(ctx, containerName(s.id, node), client.ContainerStatsOptions{})
	if err != nil {
		return Usage{}, fmt.Errorf("read usage of node %s: %w", node, err)
	}
	defer func() { _ = result.Body.Close() }()
	var stats container.StatsResponse
	if err := json.NewDecoder(result.Body).Decode(&stats); err != nil {
		return Usage{}, fmt.Errorf("read usage of node %s: %w", node, err)
	}
	return usageOf(&stats), nil
}

func usageOf(stats *container.StatsResponse) Usage {
	m := stats.MemoryStats
	files, ok := m.Stats["inactive_file"] // of cgroup v2
	if !ok {
		files = m.Stats["total_inactive_file"] // of v1
	}
	return Usage{
		Processor: time.Duration(stats.CPUStats.CPUUsage.TotalUsage), //nolint:gosec // no container runs for centuries
		Memory:    int64(m.Usage - min(files, m.Usage)),              //nolint:gosec // no machine has as much
	}
}

// HostAddress returns the address at which containers reach this machine: that
// of the bridge which the engine made. No other machine is on that network.
func HostAddress(ctx context.Context) (netip.Addr, error) {
	docker, err := connect(ctx)
	if err != nil {
		return netip.Addr{}, err
	}
	defer func() { _ = docker.Close() }()
	result, err := docker.NetworkInspect(ctx, "bridge", client.NetworkInspectOptions{})
	if err != nil {
		return netip.Addr{}, fmt.Errorf("look for the engine's bridge: %w", err)
	}
	name := result.Network.Options["com.docker.network.bridge.name"]
	bridge, err := net.InterfaceByName(name)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("look for bridge %q of the engine, which must run on this machine: %w", name, err)
	}
	addresses, err := bridge.Addrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("look for addresses of %s: %w", name, err)
	}
	for _, a := range addresses {
		if prefix, parseErr := netip.ParsePrefix(a.String()); parseErr == nil && prefix.Addr().Is4() {
			return prefix.Addr(), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("look for addresses of %s: it has none of IPv4", name)
}
