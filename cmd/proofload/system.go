package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/proofload/proofload/loadgen/ledgerload"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios/run"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/sim"
	"github.com/proofload/proofload/sut/stack"
)

const (
	stackPrefix  = "stack/"
	simTarget    = "sim/ledger"
	mixed        = "ledger/mixed"
	gateTimeout  = 90 * time.Second
	closeTimeout = 90 * time.Second
	// Observers are to explain seconds, and must be cheap beside the load; an
	// agent is the most expensive to ask. But between the moment at which an
	// agent notices that the primary is gone and the promotion there may be no
	// more than a few hundred milliseconds.
	probeEvery           = 200 * time.Millisecond
	probeAgentEvery      = 500 * time.Millisecond
	probeAgentAlarmEvery = 100 * time.Millisecond
	probeCounterEvery    = time.Second
	quiesceGone          = 5 * time.Second
	fewAccounts          = 10_000 // of which the books are read once a second
	seedAccounts         = 1000   // of the simulated ledger
)

// workloads lists the operations of each workload there is.
func workloads() map[string][]string {
	return map[string][]string{mixed: new(ledgerload.Workload).Ops()}
}

// describeTarget returns the topology of a target without touching it.
func describeTarget(target string, options map[string]string) (sut.Topology, error) {
	if target == simTarget {
		_, err := sim.Options(options)
		return sim.Topology(), err
	}
	if isAddress(target) {
		return describeURL(target, options)
	}
	name, ok := strings.CutPrefix(target, stackPrefix)
	if !ok {
		return sut.Topology{}, fmt.Errorf("there is no target %q", target)
	}
	topology, err := stack.Topology(name)
	if err != nil {
		return sut.Topology{}, err
	}
	return topology, stack.ValidateOptions(name, options)
}

// A system is a target that is up.
type system struct {
	env    sut.Environment
	stack  *stack.Stack  // the same, where it is one
	warm   bool          // it was up before, or is to stay up
	ready  time.Duration // from nothing, or from a stack that was up
	making time.Duration // of that, for the images
	images map[string]string
	// gone reports, once the load is over, whether it is known by then that the system
	// did not come back. Nil: that is not asked.
	gone func() bool
	// wire gives a rig what depends on the target: workload, gate, probes and
	// final reads.
	wire func(rig *run.Rig, rec *history.Recorder, seed uint64) error
}

// release takes the system down unless it is to stay, also when ctx is done.
func (s *system) release(ctx context.Context, keep bool) error {
	if s == nil || s.env == nil || s.warm || keep {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if err := s.env.Close(ctx); err != nil {
		return fmt.Errorf("%w: proofload down --all removes what is left", err)
	}
	return nil
}

// kept says where a stack is that was started for one run and stays up after it,
// or nothing.
func (s *system) kept(keep bool) string {
	if s == nil || s.stack == nil || s.warm || !keep {
		return ""
	}
	if base, ok := s.env.Endpoint("api"); ok {
		return "its entry point is " + base
	}
	return "though it is not whole"
}

// rig wires a system to load, probes and final reads.
func (s *system) rig(rec *history.Recorder, seed uint64) (*run.Rig, error) {
	base, ok := s.env.Endpoint("api")
	if !ok {
		return nil, fmt.Errorf("find the entry point of %s: it has no endpoint api", s.env.Topology().Name)
	}
	r := &run.Rig{Env: s.env, Recorder: rec, BaseURL: base}
	return r, s.wire(r, rec, seed)
}

// gate returns when every node is whole, and the system with them.
func (s *system) gate(ctx context.Context) error {
	waiter, ok := s.env.(sut.Waiter)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, gateTimeout)
	defer cancel()
	g, each := errgroup.WithContext(ctx)
	for _, n := range s.env.Topology().Nodes {
		g.Go(func() error {
			if err := waiter.WaitReady(each, n.Name); err != nil {
				return fmt.Errorf("wait for %s: %w", n.Name, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if verifier, ok := s.env.(sut.Verifier); ok {
		return verifier.Verify(ctx)
	}
	return nil
}
