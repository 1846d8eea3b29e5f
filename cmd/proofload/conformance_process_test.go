package main

import (
	"time"

	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut/stack"
)

// processRows are the faults of a node's processes.
func processRows(s *stack.Stack) []chaostest.Row {
	rows := []chaostest.Row{
		{Kind: "kill", Target: "app[2]"},
		{Kind: "stop", Target: "app[2]"},
		{Kind: "restart", Target: "app[2]"},
		{Kind: "crash-loop", Target: "app[2]"},
		{Kind: "pause", Target: "app[2]"},
	}
	for i := range rows {
		rows[i].Family, rows[i].Probe = "process", answers(s, "api-2")
	}
	return rows
}

// resourceRows are the faults that take from a node what it runs on.
func resourceRows(s *stack.Stack) []chaostest.Row {
	const (
		mib       = 1 << 20
		write     = "insert into conformance values (1)"
		slowProbe = 5 * time.Second // a probe that takes a second may come late
	)
	rows := []chaostest.Row{
		{Kind: "cpu-hog", Target: "app[1]", Probe: busier(s, "api-1")},
		{Kind: "cpu-throttle", Target: "app[2]", Values: []string{"share=10%"}, Lasts: slowProbe, Probe: slower(s, "api-2")},
		{Kind: "memory-hog", Target: "redis", Values: []string{"size=64MiB"}, Lasts: slowProbe, Probe: bigger(s, "redis", 48*mib)},
		{
			Kind: "memory-limit", Target: "app[1]", Values: []string{"size=128MiB"}, Calm: true, Lasts: slowProbe,
			Probe: insideNode(s, "api-1", `[ "$(head -c 167772160 /dev/zero | tail | wc -c)" = 167772160 ]`),
		},
		{Kind: "disk-full", Target: "redis", Probe: insideNode(s, "redis", `head -c 8192 /dev/zero >/dev/shm/user; e=$?; rm -f /dev/shm/user; exit $e`)},
		{Kind: "disk-hog", Target: "redis", Lasts: slowProbe, Probe: written(s, "redis", "/var/tmp")},
		{
			Kind: "disk-slow", Target: "postgres.primary", Values: []string{"path=/var/lib/postgresql/data", "operations=10"}, Lasts: slowProbe,
			Probe: pooled(s, write, write, write, write, write, write, write, write, write),
		},
		{Kind: "fd-exhaust", Target: "app[2]", Probe: answers(s, "api-2")},
		{Kind: "clock-offset", Target: "app[2]", Probe: wrongDate(s, "api-2")},
	}
	for i := range rows {
		rows[i].Family = "resource"
	}
	return rows
}
