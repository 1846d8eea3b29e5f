package main

import (
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut/stack"
)

// linkRows are the faults that a link proxy carries out.
func linkRows(s *stack.Stack) []chaostest.Row {
	const link = "api-1->redis"
	rows := []chaostest.Row{
		{Kind: "stall"},
		{Kind: "latency", Values: []string{"delay=1s"}},
		{Kind: "bandwidth", Values: []string{"rate=1KiB"}},
		{Kind: "slice", Values: []string{"bytes=32", "pause=20ms"}},
		{Kind: "limit", Values: []string{"bytes=1000"}},
		{Kind: "half-open"},
		{Kind: "link-reset"},
		{Kind: "link-down"},
	}
	for i := range rows {
		rows[i].Family, rows[i].Target, rows[i].Probe = "link", "link:"+link, echoes(s, link, "api-1")
	}
	return rows
}

// networkRows are the faults in the network namespace of a node.
func networkRows(s *stack.Stack) []chaostest.Row {
	const netem = "netem in the kernel"
	toRedis := besideNode(s, "api-1", redisEcho("redis:6379"))
	resolves := besideNode(s, "api-1", "getent hosts redis")
	rows := []chaostest.Row{
		{Kind: "partition", Target: "redis", Probe: toRedis},
		{Kind: "packet-loss", Target: "redis", Values: []string{"loss=90%"}, Probe: toRedis},
		{Kind: "packet-reset", Target: "redis", Probe: toRedis},
		{Kind: "dns-fail", Target: "app[1]", Probe: resolves},
		{Kind: "dns-timeout", Target: "app[1]", Probe: resolves},
		{Kind: "packet-delay", Target: "redis", Values: []string{"delay=1s"}, Probe: toRedis, Needs: netem},
		{Kind: "packet-corruption", Target: "redis", Values: []string{"corrupt=100%"}, Probe: toRedis, Needs: netem},
		{Kind: "packet-reordering", Target: "redis", Values: []string{"reorder=1%", "delay=1s"}, Probe: toRedis, Needs: netem},
		{Kind: "packet-duplication", Target: "redis", Values: []string{"duplicate=100%"}, Probe: duplicates(s, "api-1"), Needs: netem},
	}
	for i := range rows {
		rows[i].Family = "packets"
	}
	return append(rows, chaostest.Row{Kind: "lose", Family: "host", Target: "worker", Probe: answers(s, "worker-1")})
}

// zoneRows are the faults of many nodes.
func zoneRows(s *stack.Stack) []chaostest.Row {
	return []chaostest.Row{{Kind: "zone-outage", Family: "host", Target: "zone:b", Probe: answers(s, "api-2")}}
}

// duplicates is a probe that finds Redis broken if a node is told twice what it
// asks Redis for, by the kernel's count of segments that it had already.
func duplicates(s *stack.Stack, node string) chaostest.Probe {
	return besideNode(s, node, `
had() { awk '$1 == "TcpExt:" { if (n) print $c; for (i = 1; i <= NF; i++) if ($i == "TCPDSACKOldSent") c = i; n = 1 }' /proc/net/netstat; }
a=$(had); `+redisEcho("redis:6379")+`; b=$(had); [ "$a" = "$b" ]`)
}
