package cache

import (
	"testing"

	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut"
)

func TestKinds(t *testing.T) {
	chaostest.TestKinds(t, Kinds(), sut.RoleCache, []chaostest.Given{
		{Kind: "redis-flush", Target: "redis"},
		{Kind: "redis-flush", Target: "redis", Values: map[string]string{"every": "10ms"}, Want: "every=10ms: want 100ms to 5s"},
		{Kind: "redis-slow", Target: "redis", Values: map[string]string{"delay": "1m"}, Want: "delay=1m: want 10ms to 2s"},
		{Kind: "redis-evict", Target: "redis", Values: map[string]string{"size": "1GiB"}, Want: "size=1GiB: want 64 MiB at most"},
		{Kind: "redis-evict", Target: "redis", Values: map[string]string{"size": "64MiB"}},
		{Kind: "redis-loading", Target: "redis"},
		{Kind: "redis-failover", Target: "redis"},
		{Kind: "redis-failover", Target: "worker", Want: `acts on one node of the role redis, and "worker" is none`},
		{Kind: "redis-oom", Target: "worker", Want: "redis-oom acts on redis, and worker-1 is worker"},
		{Kind: "redis-oom", Target: "redis", Values: map[string]string{"size": "1MiB"}, Want: `redis-oom has no parameter "size"`},
	})
}
