package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/chaostest"
	"github.com/proofload/proofload/sut/stack"
)

// conformanceRows are the rows of the conformance suite, one for each kind of
// fault: what it is injected into on stack/ledger, and how a client of that
// finds out. Without a stack their probes must not be called.
func conformanceRows(s *stack.Stack) []chaostest.Row {
	return slices.Concat(
		linkRows(s),
		networkRows(s),
		processRows(s),
		resourceRows(s),
		cacheRows(s),
		brokerRows(s),
		balancerRows(s),
		postgresRows(s),
		backupRows(s),
		zoneRows(s), // last: a database node takes a while to catch up afterwards
	)
}

// TestConformanceRows wants a sound row for every kind in the catalogue, and
// no other.
func TestConformanceRows(t *testing.T) {
	topology, err := stack.Topology(stack.LedgerName)
	if err != nil {
		t.Fatal(err)
	}
	missing := catalog()
	for _, r := range conformanceRows(nil) {
		kind, ok := missing[r.Kind]
		if !ok {
			t.Errorf("the row of %q has no kind in the catalogue, or there are two", r.Kind)
			continue
		}
		delete(missing, r.Kind)
		p := chaos.Params{For: time.Minute, Values: map[string]string{}}
		if p.Target, err = topology.Select(r.Target); err != nil {
			t.Errorf("%s: %v", r.Kind, err)
		}
		for _, v := range r.Values {
			name, value, _ := strings.Cut(v, "=")
			p.Values[name] = value
		}
		if err := kind.CheckAll(p); err != nil {
			t.Errorf("%s: %v", r.Kind, err)
		}
		if r.Family == "" || r.Probe == nil {
			t.Errorf("the row of %s lacks a family or a probe", r.Kind)
		}
	}
	for _, name := range missing.Names() {
		t.Errorf("the conformance suite has no row for %s: add one to %s or a file beside it", name, "conformance_network_test.go")
	}
}
