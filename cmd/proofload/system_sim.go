package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/loadgen/ledgerload"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios/run"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/sim"
)

// bringUpSim starts the simulation that the harness tests itself with.
func bringUpSim(ctx context.Context, options map[string]string) (*system, error) {
	cfg, err := sim.Options(options)
	if err != nil {
		return nil, err
	}
	s, err := sim.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	sys := &system{env: s}
	sys.wire = func(rig *run.Rig, rec *history.Recorder, seed uint64) error {
		w, err := ledgerload.New(ledgerload.Config{Seed: seed, Accounts: seedAccounts})
		if err != nil {
			return err
		}
		rig.Workload, rig.Gate = w, sys.gate
		rig.Watch = func(ctx context.Context) { watchSim(ctx, s, rec) }
		rig.Audit = func(ctx context.Context, f run.FinalReads) error {
			ctx, cancel := context.WithTimeout(ctx, gateTimeout)
			defer cancel()
			err := s.Settled(ctx)
			auditSim(s, w, f, rec)
			return err
		}
		return nil
	}
	return sys, nil
}

// watchSim records what the simulated nodes are, on every tick.
func watchSim(ctx context.Context, s *sim.Sim, rec *history.Recorder) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		for _, n := range s.Nodes() {
			e := history.Event{Kind: history.Info, By: history.ByProbe, Op: history.ProbeDatabase, Node: n.Name, Role: simRole(n), Timeline: n.Timeline}
			if n.Down {
				e.Kind, e.Role, e.Timeline, e.Text = history.Fail, "", 0, "down"
			}
			rec.Record(e)
			if n.Primary {
				e.Op, e.Node = history.ProbeRoute, "api-1"
				rec.Record(e)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func simRole(n sim.Node) string {
	if n.Primary {
		return "primary"
	}
	return "replica"
}

// auditSim records the final state of the simulation.
func auditSim(s *sim.Sim, w *ledgerload.Workload, f run.FinalReads, rec *history.Recorder) {
	record := func(e history.Event) {
		e.By, e.Drill = history.ByAudit, f.Drill
		if e.Kind == "" {
			e.Kind = history.Info
		}
		rec.Record(e)
	}
	lo, hi := w.IDRange(f.Drill)
	first := lo // of those that are read
	if f.Earlier {
		first, _ = w.IDRange(1)
	}
	replicas := int64(-1)
	for _, n := range s.Nodes() {
		if !n.Down {
			replicas++
		}
	}
	for _, n := range s.Nodes() {
		if n.Down {
			record(history.Event{Kind: history.Fail, Op: history.AuditRole, Node: n.Name, Text: "down"})
			continue
		}
		sum := sha256.New()
		for _, t := range n.Writes {
			sum.Write([]byte(t.ID))
			if n.Primary && t.ID >= first && t.ID <= hi {
				record(history.Event{Op: history.AuditWrite, Node: n.Name, ID: t.ID, Amount: t.Amount, Count: t.Count, Jobs: t.Jobs})
			}
		}
		role := history.Event{Op: history.AuditRole, Node: n.Name, Role: simRole(n), Timeline: n.Timeline}
		if n.Primary {
			role.Count = replicas
		}
		record(role)
		record(history.Event{Op: history.AuditBooks, Node: n.Name})
		record(history.Event{
			Op: history.AuditSum, Node: n.Name, Target: "transfers", Value: int64(len(n.Writes)), Count: int64(len(n.Writes)),
			Text: hex.EncodeToString(sum.Sum(nil)[:8]),
		})
	}
	if f.Earlier {
		record(history.Event{Op: history.AuditEarlier})
	}
	auditSimEffects(s, lo, hi, record)
	record(history.Event{Op: history.AuditJobs, Target: "outbox"})
	record(history.Event{Op: history.AuditDead})
	record(history.Event{Op: history.AuditDone})
}

// auditSimEffects records by how much the writes of a drill have moved accounts.
// Of its subscribers, of which there is one, nothing can be lost.
func auditSimEffects(s *sim.Sim, lo, hi string, record func(history.Event)) {
	moved := map[int64]int64{}
	var n int64
	for _, node := range s.Nodes() {
		if !node.Primary {
			continue
		}
		for _, t := range node.Writes {
			if t.ID < lo || t.ID > hi {
				continue
			}
			n++
			moved[t.From] -= t.Amount * t.Count
			moved[t.To] += t.Amount * t.Count
		}
	}
	for _, account := range slices.Sorted(maps.Keys(moved)) {
		record(history.Event{Op: history.AuditCounter, Key: strconv.FormatInt(account, 10), Value: moved[account]})
	}
	record(history.Event{Op: history.AuditCounter, Count: int64(len(moved))})
	record(history.Event{Op: history.AuditSubscriber, Target: "notifications", Count: n})
}

// simLacks reports what the simulation cannot have although it has links and
// nodes: its links only stall, as a whole, and it freezes one database at a time.
func simLacks(verb string, p chaos.Params) error {
	kind := catalog()[verb]
	partly := slices.ContainsFunc(kind.Params, func(q chaos.Param) bool { return kind.Value(p, q.Name) != q.Default })
	databases := 0
	for _, n := range p.Target.Nodes {
		if n.Role == sut.RoleDatabase {
			databases++
		}
	}
	switch {
	case p.Target.Member == sut.MemberReplica && p.Target.Index == 0:
		databases-- // all but the primary
	case p.Target.Member != "":
		databases = 1
	}
	switch {
	case len(p.Target.Links) > 0 && (verb != "stall" || partly):
		return fmt.Errorf("links of the simulation only stall, and as a whole: %w", sut.ErrUnsupported)
	case verb == "pause" && databases > 1:
		return fmt.Errorf("the simulation freezes one database at a time: %w", sut.ErrUnsupported)
	}
	return nil
}
