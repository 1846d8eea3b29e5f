package netfault

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
)

// TestPartitionOver has a partition that should last be over: the kernel ended the
// rules, as where a clock was set, or somebody took out what leads to them. They are
// listed, and have dropped packets; it is not in effect.
func TestPartitionOver(t *testing.T) {
	env := chaostest.NewIsolated(t, "pg-1")
	for what, end := range map[string]struct{ by, want string }{
		"the kernel's time": {"", "the kernel applies the rules of pg-1 no more"},
		"no way in":         {"iptables -F INPUT", "is not listed"},
	} {
		f, err := kind(t, kindPartition).New(env, chaos.NewTargets(env), chaos.Params{Target: env.Node("pg-1"), For: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		p, ok := f.(*partition)
		if !ok {
			t.Fatalf("a partition is a %T", f)
		}
		if end.by == "" {
			p.ttl = 2 * time.Second
		}
		if _, err = p.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		in, err := p.Inject(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if broken, err := env.Broken("pg-1")(t.Context()); !broken || err != nil {
			t.Errorf("%s: broken %t, %v", what, broken, err)
		}
		if seen, err := in.Settle(deadline(t, 10*time.Second)); err != nil || seen.Idle {
			t.Errorf("%s: at first %+v, %v", what, seen, err)
		}
		if end.by == "" {
			chaostest.Whole(t, env.Broken("pg-1"))
		} else if out, err := env.NetExec(t.Context(), "pg-1", "sh", "-c", end.by); err != nil {
			t.Fatal(out, err)
		}
		if seen, err := in.Settle(deadline(t, 1500*time.Millisecond)); err == nil || !strings.Contains(err.Error(), end.want) {
			t.Errorf("%s: once it is over %+v, %v", what, seen, err)
		}
		if err := in.Recover(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestPartitionAgain looks again where nothing has been sent since: what was dropped
// before is no sign that anything is dropped now.
func TestPartitionAgain(t *testing.T) {
	env := chaostest.NewIsolated(t, "pg-1")
	in, _ := inject(t, env, kind(t, kindPartition), chaos.Params{Target: env.Node("pg-1"), For: time.Minute})
	if broken, err := env.Broken("pg-1")(t.Context()); !broken || err != nil {
		t.Errorf("broken %t, %v", broken, err)
	}
	if seen, err := in.Settle(deadline(t, 10*time.Second)); err != nil || seen.Idle {
		t.Errorf("seen %+v, %v, want the packets that were dropped", seen, err)
	}
	err := chaos.Watch(deadline(t, 30*time.Second), func(ctx context.Context) error {
		seen, err := in.Settle(ctx)
		if err == nil && !seen.Idle { // what TCP sends again
			err = errors.New(seen.Saw)
		}
		return err
	})
	if err != nil {
		t.Errorf("nothing was sent since: %v", err)
	}
	if err := in.Recover(t.Context()); err != nil {
		t.Error(err)
	}
}
