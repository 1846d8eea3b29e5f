package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
)

// objectives takes over the objectives, and checks that the workload has the
// operations they speak of.
func (b *builder) objectives(workloads map[string][]string) {
	ops, known := workloads[b.plan.Workload]
	if !known && workloads != nil {
		b.add(b.sc.Load.WorkloadPos, b.plan.Workload, fmt.Sprintf("no workload %q", b.plan.Workload),
			scenarios.DidYouMean(b.plan.Workload, slices.Sorted(maps.Keys(workloads))))
	}
	reported := map[scenarios.Pos]bool{} // a subject has several objectives
	for _, o := range b.sc.Objectives {
		b.plan.Spec.Objectives = append(b.plan.Spec.Objectives, check.Objective{
			Subject: o.Subject, Metric: o.Metric, Op: o.Op, Limit: o.Limit, Line: o.Pos.Line, Col: o.Pos.Col,
		})
		_, op, isOp := strings.Cut(o.Subject, "/")
		if isOp && known && !slices.Contains(ops, op) && !reported[o.SubjectPos] {
			reported[o.SubjectPos] = true
			b.add(o.SubjectPos, o.Subject, fmt.Sprintf("the workload %s has no operation %q", b.plan.Workload, op), scenarios.DidYouMean(op, ops))
		}
		if o.Metric == "rpo" && b.whole() && !b.stalledBefore(o.Subject) {
			b.problems.Warn(o.Pos, len(o.Text), fmt.Sprintf("the replication from what %s hits is not stalled when it begins, so its rpo is not exercised", o.Subject),
				fmt.Sprintf("put an entry stall: link:%s one or two seconds before it", sut.TrafficReplication))
		}
	}
}

// stalledBefore reports whether the replication from all nodes that an event may
// hit stands still when it begins: what was acknowledged until then can only be
// lost if it was not copied.
func (b *builder) stalledBefore(event string) bool {
	stalls := map[string]Step{}
	var hit sut.Selection
	if i := slices.IndexFunc(b.plan.Steps, func(s Step) bool { return s.Entry.Name == event }); i >= 0 {
		hit = b.plan.Steps[i].Params.Target
	}
	for _, s := range b.plan.Steps {
		switch {
		case s.Entry.Name == event:
			return !slices.ContainsFunc(s.Params.Target.Nodes, func(n sut.Node) bool {
				return n.Role == sut.RoleDatabase && !holds(stalls, n.Name, s.Entry.At)
			}) && len(stalls) > 0
		case s.Verb == "stall" && slices.ContainsFunc(s.Params.Target.Links, carriesReplication) && meets(s.Params.Target, hit):
			stalls[s.Entry.Name] = s
		case s.Verb == scenarios.VerbHeal:
			delete(stalls, s.Entry.Target)
		}
	}
	return false
}

// meets reports whether links that follow a member are those of what an event hits.
func meets(links, hit sut.Selection) bool {
	return links.Member == "" || links.Member == hit.Member && links.Index == hit.Index
}

// holds reports whether one of the stalls holds what a node replicates at that
// moment.
func holds(stalls map[string]Step, node string, at time.Duration) bool {
	for _, stall := range stalls {
		lasts := stall.Entry.For == 0 || stall.Entry.At+stall.Entry.For > at
		if lasts && slices.ContainsFunc(stall.Params.Target.Links, func(l sut.Link) bool { return carriesReplication(l) && l.From == node }) {
			return true
		}
	}
	return false
}

func carriesReplication(l sut.Link) bool { return l.Carries == sut.TrafficReplication }

// verify takes over the checks, and refuses what the system gives no means to
// check.
func (b *builder) verify() {
	b.plan.Spec.Verify = []string{}
	for _, v := range b.sc.Verify {
		b.plan.Spec.Verify = append(b.plan.Spec.Verify, v.Check)
		if need := needs(v.Check); b.placed() && !slices.Contains(b.answers, v.Check) && !need.met(b.topo) {
			b.add(v.Pos, v.Check, fmt.Sprintf("%s needs %s, %s has %d", v.Check, need, b.topo.Name, len(b.topo.ByRole(need.role))), "leave it out, or choose another target")
		}
	}
}

// Fits reports whether a system has what a check looks at.
func Fits(verdict string, topo sut.Topology) bool { return needs(verdict).met(topo) }

// A need is what a system must have for a check to make sense.
type need struct {
	role  sut.Role
	nodes int
}

func (n need) met(topo sut.Topology) bool { return len(topo.ByRole(n.role)) >= n.nodes }

func (n need) String() string {
	if n.nodes == 1 {
		return fmt.Sprintf("a %s node", n.role)
	}
	return fmt.Sprintf("%d %s nodes", n.nodes, n.role)
}

// needs says what a check looks at.
func needs(name string) need {
	switch name {
	case "one-primary", "replicas-agree":
		return need{sut.RoleDatabase, 2}
	case "jobs-done", "dead-letters", "subscribers":
		return need{sut.RoleWorker, 1}
	case "instances-recover", "retry-amplification", "orphaned-work":
		return need{sut.RoleService, 1}
	case "balances", "restored-writes":
		return need{sut.RoleDatabase, 1}
	}
	return need{}
}
