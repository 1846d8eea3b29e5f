package main

import (
	"errors"
	"testing"

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
