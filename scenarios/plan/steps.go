package plan

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
)

// timeline resolves every entry of the timeline.
func (b *builder) timeline() {
	starts := map[string]time.Duration{}
	for _, f := range b.plan.Spec.Phases {
		starts[f.Name] = f.Start
	}
	primaries := false // a primary was broken, so that there is an old one
	for _, e := range b.sc.Timeline {
		s := Step{
			Verb: e.Verb,
			Entry: check.Entry{
				Name: e.As, Verb: e.Verb, Target: e.Target, Phase: e.Phase,
				At: starts[e.Phase] + e.Offset, For: e.For, Line: e.Pos.Line,
			},
		}
		switch verb, ok := scenarios.LookupVerb(e.Verb); {
		case ok && verb.Takes == scenarios.TakesText:
			s.Text = e.Target
		case ok && e.Statement != "":
			s.Text, s.Params.Values, s.Headers = e.Statement, e.With, e.Headers
			if e.Somewhere {
				s.Params.Target = b.component(e)
			}
			b.takes(verb.Takes, e, s)
		case ok && verb.Takes == scenarios.TakesComponent:
			s.Fault, s.To, s.Backup = verb.Fault, e.To, backupKind(e)
			s.Params = chaos.Params{Target: b.component(e), For: e.For, Values: e.With}
			b.suits(e, s)
			if s.Params.Target.Member == sut.MemberOldPrimary && !primaries && b.whole() {
				b.add(e.TargetPos, e.Target, "no primary is broken before this entry, so there is no old one", "break "+string(sut.RoleDatabase)+".primary first")
			}
			primaries = primaries || s.Fault && s.Params.Target.Member == sut.MemberPrimary
		}
		b.plan.Steps = append(b.plan.Steps, b.again(s, e.Again)...)
	}
	b.order()
}

// order puts the steps into the order of their times, and sees which faults are
// in effect together.
func (b *builder) order() {
	slices.SortStableFunc(b.plan.Steps, func(x, y Step) int { return cmp.Compare(x.Entry.At, y.Entry.At) })
	for i := range b.plan.Steps {
		b.plan.Spec.Events = append(b.plan.Spec.Events, b.plan.Steps[i].Entry)
		if b.plan.Steps[i].Fault {
			b.plan.Steps[i].Until = until(b.plan.Steps, i)
			if !b.draft {
				b.combines(i)
			}
		}
	}
}

// again repeats a step. The first has its name, the others have one that no
// entry can be given. Their jitter depends on the seed and the name alone.
func (b *builder) again(s Step, a scenarios.Again) []Step {
	if a.Times < 2 {
		return []Step{s}
	}
	rng := rand.New(rand.NewPCG(b.plan.Seed, seedOf([]byte(s.Entry.Name))))
	all := make([]Step, a.Times)
	for i := range all {
		all[i] = s
		all[i].Entry.At += time.Duration(i) * a.Every
		if a.Jitter > 0 {
			all[i].Entry.At += time.Duration(rng.Int64N(int64(a.Jitter))).Truncate(time.Millisecond)
		}
		if i > 0 {
			all[i].Entry.Name = fmt.Sprintf("%s#%d", s.Entry.Name, i+1)
		}
	}
	return all
}

// combines refuses the i-th step if it cannot be combined with a fault that is
// still in effect when it begins.
func (b *builder) combines(i int) {
	next := b.plan.Steps[i]
	var others []sut.Selection
	for j, s := range b.plan.Steps[:i] {
		if !s.Fault || endOf(b.plan.Steps, j) <= next.Entry.At-b.leap(s.Entry, next.Entry) {
			continue
		}
		others = append(others, s.Params.Target)
		if err := b.catalog.Conflict(s.Verb, s.Params, next.Verb, next.Params); err != nil {
			b.add(b.placeOf(next), next.Entry.Target, err.Error(),
				fmt.Sprintf("%s lasts %s: end it before, or break something else", s.Entry.Name, lasting(s)))
		}
	}
	if err := b.policy.AllowsBeside(b.topo, others, next.Verb, next.Params.Target); err != nil {
		b.add(b.placeOf(next), next.Entry.Target, err.Error(), hintOfPolicy)
	}
}

// leap is how much less time than planned may pass between two entries, because
// phases end early.
func (b *builder) leap(from, to check.Entry) time.Duration {
	var by time.Duration
	for _, f := range b.plan.Spec.Phases {
		if end := f.Start + f.For; f.Until != "" && end > from.At && end <= to.At {
			by += end - max(f.Start, from.At)
		}
	}
	return by
}

// placeOf finds where the target of a step is written.
func (b *builder) placeOf(s Step) scenarios.Pos {
	name, _, _ := strings.Cut(s.Entry.Name, "#")
	i := slices.IndexFunc(b.sc.Timeline, func(e scenarios.Event) bool { return e.As == name })
	return b.sc.Timeline[max(0, i)].TargetPos
}

// lasting says how long a fault lasts that another entry meets.
func lasting(s Step) string {
	if s.Entry.For > 0 {
		return "until " + scenarios.FormatDuration(s.Entry.At+s.Entry.For)
	}
	return "to the end"
}

// component resolves what an entry acts on.
func (b *builder) component(e scenarios.Event) sut.Selection {
	if !b.placed() {
		return sut.Selection{Ref: e.Target}
	}
	ref := e.Target
	if e.Verb == scenarios.VerbBackup && slices.Contains(scenarios.BackupKinds(), ref) {
		ref = string(sut.RoleDatabase)
	}
	sel, err := b.topo.Select(ref)
	if err != nil {
		b.add(e.TargetPos, e.Target, err.Error(), b.meant(e))
	}
	return sel
}

// hintOfPolicy is the mend of what is not allowed.
const hintOfPolicy = "the owner of the target says so: see its file"

// suits checks that there is such a fault, and that it can act on its target.
func (b *builder) suits(e scenarios.Event, s Step) {
	target := s.Params.Target
	resolved := len(target.Nodes)+len(target.Links) > 0
	if !s.Fault {
		if resolved && len(target.Nodes) == 0 {
			b.add(e.TargetPos, e.Target, fmt.Sprintf("%s wants a node, %s is a link", e.Verb, e.Target), "write for example "+string(sut.RoleDatabase)+".old-primary")
		}
		b.isDatabase(e, target)
		if e.Verb == scenarios.VerbScale {
			b.scales(e, s)
		}
		return
	}
	kind, ok := b.catalog[e.Verb]
	if !ok {
		b.add(e.VerbPos, e.Verb, fmt.Sprintf("the fault %q is not available", e.Verb), "there are: "+strings.Join(b.catalog.Names(), ", "))
		return
	}
	b.plan.kinds[e.Verb] = kind
	if !resolved {
		return
	}
	wrong := kind.Mistakes(s.Params)
	if len(wrong) == 0 {
		wrong = kind.Misnamed(b.topo, s.Params)
	}
	if len(wrong) > 0 {
		b.misfits(e, kind, wrong)
		return
	}
	if err := b.policy.Allows(e.Verb, s.Params); err != nil {
		b.add(e.TargetPos, e.Target, err.Error(), hintOfPolicy)
		return
	}
	if b.able == nil {
		return
	}
	if err := b.able(e.Verb, s.Params); err != nil {
		b.add(e.VerbPos, e.Verb, fmt.Sprintf("%s cannot have %s: %v", b.topo.Name, e.Verb, err), b.instead(e, target))
	}
}

// instead says which faults can be had of a target where another one cannot.
func (b *builder) instead(e scenarios.Event, target sut.Selection) string {
	var fit []string
	for _, verb := range b.catalog.Names() {
		p := chaos.Params{Target: target, For: cmp.Or(e.For, time.Minute)}
		if b.catalog[verb].CheckAll(p) == nil && b.policy.Allows(verb, p) == nil && b.able(verb, p) == nil {
			fit = append(fit, verb)
		}
	}
	if len(fit) == 0 {
		return "nothing can be done to " + e.Target + " there: break something else, or choose another target"
	}
	return "what can be done to " + e.Target + " there: " + strings.Join(fit, ", ")
}

// isDatabase checks that what an entry backs up or restores is a database.
func (b *builder) isDatabase(e scenarios.Event, target sut.Selection) {
	i := slices.IndexFunc(target.Nodes, func(n sut.Node) bool { return n.Role != sut.RoleDatabase })
	if i >= 0 && (e.Verb == scenarios.VerbBackup || e.Verb == scenarios.VerbRestore) {
		b.add(e.TargetPos, e.Target, fmt.Sprintf("%s wants a database, %s is %s", e.Verb, target.Nodes[i].Name, target.Nodes[i].Role), "write "+e.Verb+": "+string(sut.RoleDatabase))
	}
}

// components lists references that a scenario may mean.
func components(t sut.Topology) []string {
	var refs []string
	for _, n := range t.Nodes {
		refs = append(refs, n.Name, string(n.Role))
		if n.Zone != "" {
			refs = append(refs, "zone:"+n.Zone)
		}
		if n.Role == sut.RoleDatabase {
			for _, member := range []string{sut.MemberPrimary, sut.MemberReplica, sut.MemberOldPrimary} {
				refs = append(refs, string(n.Role)+"."+member)
			}
		}
	}
	for _, l := range t.Links {
		refs = append(refs, "link:"+l.Name, "link:"+string(l.Carries))
	}
	slices.Sort(refs)
	return slices.Compact(refs)
}

// roles lists what the nodes of a system are.
func roles(t sut.Topology) []string {
	var names []string
	for _, n := range t.Nodes {
		if !slices.Contains(names, string(n.Role)) {
			names = append(names, string(n.Role))
		}
	}
	return names
}

// until says what ends the i-th step, which is a fault: its own time, a heal:
// or start: further down, or the end of the drill.
func until(steps []Step, i int) string {
	fault := steps[i]
	if s, ok := ender(steps, i); ok {
		return fmt.Sprintf("by %s at %s", s.Entry.Name, scenarios.FormatDuration(s.Entry.At))
	}
	if fault.Entry.For > 0 {
		return "after " + scenarios.FormatDuration(fault.Entry.For)
	}
	return "when the load of the drill ends, after " + scenarios.FormatDuration(fault.Params.TTL()) + " at most"
}

// endOf says when the i-th step, which is a fault, is over.
func endOf(steps []Step, i int) time.Duration {
	fault := steps[i]
	if s, ok := ender(steps, i); ok {
		return s.Entry.At
	}
	return fault.Entry.At + fault.Params.TTL()
}

// ender returns the step that ends the i-th before its own time is over.
func ender(steps []Step, i int) (Step, bool) {
	fault := steps[i]
	for _, s := range steps[i+1:] {
		if fault.Entry.For > 0 && s.Entry.At >= fault.Entry.At+fault.Entry.For {
			break
		}
		if ends(s, fault) {
			return s, true
		}
	}
	return Step{}, false
}

// ends reports whether a later step ends a fault. A start brings back the node
// that a fault took down, so it ends that fault.
func ends(s, fault Step) bool {
	switch s.Verb {
	case scenarios.VerbHeal:
		return s.Entry.Target == fault.Entry.Name
	case scenarios.VerbStart:
		started, broken := s.Params.Target, fault.Params.Target
		if len(broken.Links) > 0 {
			return false
		}
		if started.Member != "" || broken.Member != "" {
			return started.Ref == broken.Ref || started.Member == sut.MemberOldPrimary && broken.Member == sut.MemberPrimary
		}
		return slices.ContainsFunc(broken.Nodes, func(n sut.Node) bool { return slices.Contains(started.Nodes, n) })
	}
	return false
}
