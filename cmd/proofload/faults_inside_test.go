package main

import (
	"errors"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// outside is an environment that can do everything but run commands inside nodes.
type outside struct {
	urlEnv
	sut.Killer
	sut.Pauser
	sut.Stopper
	sut.PrimaryFinder
	sut.LinkController
	sut.NetAdmin
	sut.Limiter
	sut.DiskLimiter
	sut.LogFollower
}

// TestInside wants those kinds, and no others, to say that they work by commands
// inside their targets that cannot do without them: a node that is frozen runs
// none.
func TestInside(t *testing.T) {
	for name, kind := range catalog() {
		_, err := kind.New(outside{}, chaos.NewTargets(outside{}), chaos.Params{})
		if inside := errors.Is(err, sut.ErrUnsupported); inside != kind.Inside {
			t.Errorf("%s works by commands inside its targets: %t, and says %t (%v)", name, inside, kind.Inside, err)
		}
	}
}

// TestTogether refuses at plan time what cannot be done together on the stack
// that ships: 30 s of one fault, and another one 10 s later.
func TestTogether(t *testing.T) {
	topology, err := describeTarget("stack/ledger", nil)
	if err != nil {
		t.Fatal(err)
	}
	params := func(ref string, values map[string]string) chaos.Params {
		sel, err := topology.Select(ref)
		if err != nil {
			t.Fatal(err)
		}
		return chaos.Params{Target: sel, For: 30 * time.Second, Values: values}
	}
	for _, tt := range []struct {
		one, on, other, at string
		values             map[string]string // of the first
		refused            bool
	}{
		{"kill", "redis", "redis-slow", "redis", nil, true},
		{"kill", "redis", "partition", "redis", nil, true},
		{"kill", "worker", "cpu-hog", "worker", map[string]string{"process": "ledgerd"}, false},
		{"stop", "redis", "redis-slow", "redis", nil, true},
		{"crash-loop", "redis", "redis-slow", "redis", nil, true},
		{"lose", "redis", "redis-slow", "redis", nil, true},
		{"redis-slow", "redis", "restart", "redis", nil, true},
		{"restart", "redis", "redis-slow", "redis", nil, false},
		{"zone-outage", "zone:b", "cpu-hog", "app[2]", nil, true},
		{"zone-outage", "zone:b", "cpu-hog", "app[1]", nil, false},
		{"kill", "postgres.primary", "pause", "postgres", nil, true},
		{"kill", "postgres.primary", "pg-lock-table", "postgres", nil, true},
		{"kill", "postgres.primary", "pause", "postgres[1]", nil, false},
		{"latency", "link:api-1->redis", "redis-failover", "redis", nil, true},
		{"latency", "link:worker-1->rabbitmq", "redis-failover", "redis", nil, false},
	} {
		err := catalog().Conflict(tt.one, params(tt.on, tt.values), tt.other, params(tt.at, nil))
		if refused := errors.Is(err, chaos.ErrConflict); refused != tt.refused {
			t.Errorf("%s of %s and %s of %s: %v, want it refused: %t", tt.one, tt.on, tt.other, tt.at, err, tt.refused)
		}
	}
}
