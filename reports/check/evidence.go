package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// evidence is what causes are told from: who was primary when, and which
// instance answered with errors.
type evidence struct {
	fuse
	course   *course
	faults   *faults
	reigns   []reign // each new primary, in the order in which it was seen
	errors   map[nodeClass]*errorCount
	answered map[string]int64 // by node
}

type nodeClass struct{ node, class string }

type errorCount struct {
	count       int64
	since, last time.Duration
}

func newEvidence(c *course, fs *faults) *evidence {
	return &evidence{course: c, faults: fs, errors: map[nodeClass]*errorCount{}, answered: map[string]int64{}}
}

func (ev *evidence) observe(e *history.Event) {
	switch {
	case e.By == history.ByProbe && e.Op == history.ProbeDatabase && e.Role == rolePrimary && e.Kind != history.Fail:
		if n := len(ev.reigns); n == 0 || e.Timeline > ev.reigns[n-1].timeline {
			ev.reigns = append(ev.reigns, reign{e.Node, e.Timeline, e.At})
		}
	case completed(e) && e.Node != "":
		ev.answered[e.Node]++
		if e.Kind == history.OK || e.Status/100 == 4 {
			return
		}
		key := nodeClass{e.Node, e.Class}
		c := ev.errors[key]
		if c == nil {
			c = &errorCount{since: e.At}
			ev.errors[key] = c
		}
		c.count++
		c.last = e.At
	}
}

// causes says what the evidence tells of why a check failed. It decides nothing.
func (c *court) causes(v *Verdict) []string {
	var out []string
	for _, text := range slices.Concat(v.Causes, c.causesOf(v), c.causesByNode(v), []string{c.inFault(v)}) {
		if text != "" && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// causesOf says what usually makes a check fail, or what the writes say of it.
func (c *court) causesOf(v *Verdict) []string {
	switch v.Check {
	case nameAcknowledged:
		return c.causesOfLoss()
	case nameDuplicates:
		return []string{c.causeOfDuplicates()}
	case nameJobs:
		return []string{c.causeOfUndone()}
	case nameCounters:
		if n := c.durability.how(c.durability.lost); n > 0 {
			return []string{fmt.Sprintf("%s lost, and what they moved is lost with them: see %s", were(n, "write"), nameAcknowledged)}
		}
		return []string{"what was moved is not what the writes say: one had its effect twice or not at all, or a change overwrote another"}
	}
	if len(v.Causes) > 0 { // the checker itself has seen more
		return nil
	}
	return []string{usualCause(v.Check)}
}

// usualCause says what a failure of a check is a sign of.
func usualCause(check string) string {
	switch check {
	case nameObserved:
		return "a commit was shown before it was safe: the wait for a standby was given up (a cancelled or timed-out request shows what it wrote), and the node that had it is gone"
	case nameOwnWrites, nameMonotonic, nameFresh:
		return "the answer came from a store that had not yet seen the write: a replica that lags, read without the position of the write, or from replicas by turns"
	case nameCoherent:
		return "a copy outlived the change: it was not invalidated, or put back after it was, and stays until its time is over"
	case nameLinearizable, nameBalances:
		return "concurrent changes of one account were not made one after another: a read, then a write of what was read, without a lock; or two changes that belong together were made in two transactions"
	case nameDeadLetters:
		return "a message that was refused was dropped: there is no queue of dead letters behind the one it came from, or it does not carry the reason"
	case nameSubscribers:
		return "what was published while the subscriber was away was not kept for it"
	case nameAmplification:
		return "attempts are repeated on more than one level, without a budget"
	case nameGoodput:
		return "what brought it down is gone: what keeps it down is its own load, for example retries or a queue that is worked off in order"
	case nameTimeouts, nameOrphans:
		return "a call further down has no deadline, or one that is longer than its caller's"
	}
	return ""
}

// causesOfLoss tells losses by when they were acknowledged, and by whom.
func (c *court) causesOfLoss() []string {
	d := c.durability
	var out []string
	if later := d.how(d.lostLater); later > 0 {
		out = append(out, were(later, "lost write")+" there after their own drill, and gone after a later one: what was broken or mended since went back behind them")
	}
	lost := d.which(d.lost)
	if len(lost) == 0 {
		return out
	}
	for _, f := range c.faults.all {
		if f.t0 != unseen && f.breaks() {
			out = append(out, c.causesOfLossBy(f, lost)...)
		}
	}
	return out
}

// causesOfLossBy tells those of the losses that a fault may have to do with.
func (c *court) causesOfLossBy(f *fault, lost []record) (out []string) {
	d := c.durability
	stalled := c.faults.stalledAt(f)
	held, late := 0, 0
	nodes, ops := map[string]int{}, map[string]int{} // of those acknowledged just before; of those held
	for _, r := range lost {
		switch {
		case r.number() != f.drill:
		case stalled != unseen && r.acked >= stalled-time.Second && r.acked < f.cut():
			held++
			ops[d.words.of(r.op)]++
		case r.acked >= f.cut():
			late++
		case r.acked >= f.t0-time.Second:
			nodes[d.words.of(r.node)]++
		}
	}
	if held > 0 {
		out = append(out, c.causeOfHeld(f, stalled, held, ops))
	}
	if late > 0 && f.hitsDatabase(c.evidence) {
		out = append(out, fmt.Sprintf("%s acknowledged after %s was in place: the old primary went on, not fenced", were(late, "lost write"), f.name))
	}
	for _, node := range slices.Sorted(maps.Keys(nodes)) {
		if f.hits(node) {
			out = append(out, fmt.Sprintf("%d of the lost writes were acknowledged by %s in the second before it was hit by %s: it said yes before they were committed", nodes[node], node, f.name))
		}
	}
	return out
}

// causeOfHeld tells of writes that were acknowledged while no standby could have
// them.
func (c *court) causeOfHeld(f *fault, stalled time.Duration, held int, ops map[string]int) string {
	text := fmt.Sprintf("%s acknowledged in the %s before %s in which replication was stalled: their commit did not wait for a standby",
		were(held, "lost write"), span(f.t0-stalled), f.name)
	kept := map[string]bool{}
	for _, w := range c.durability.byDrill[f.drill] {
		if w.acknowledged() && w.found() && w.acked >= stalled && w.acked < f.t0 {
			kept[c.durability.words.of(w.op)] = true
		}
	}
	all := slices.Sorted(maps.Keys(kept))
	if i := slices.IndexFunc(all, func(op string) bool { return ops[op] == 0 }); i >= 0 {
		return text + fmt.Sprintf("; %s of the same time are all there, so it is %s alone", all[i], strings.Join(slices.Sorted(maps.Keys(ops)), ", "))
	}
	return text
}

// hitsDatabase reports whether a fault hit a node that was seen as primary.
func (f *fault) hitsDatabase(ev *evidence) bool {
	return slices.ContainsFunc(ev.reigns, func(r reign) bool { return f.hits(r.node) })
}

func (c *court) causeOfDuplicates() string {
	rows, effects, jobs := 0, 0, 0
	for _, r := range c.durability.which((*write).duplicated) {
		rows += one(r.rows > 1)
		effects += one(r.rows == 1 && r.effects > 1)
		jobs += one(r.rows == 1 && r.effects == 1 && r.jobs > 1)
	}
	switch max(rows, effects, jobs) {
	case jobs:
		return "only the effect of the background job is doubled: a message that was delivered twice was worked on twice"
	case rows:
		return "the write itself is there twice: a request that was repeated is not recognised by its id"
	}
	return "one write has its effect twice: what it does to the books is not tied to it in one transaction"
}

// causeOfUndone looks for a node that was hit while the jobs were due.
func (c *court) causeOfUndone() string {
	undone := c.durability.which((*write).undone)
	if len(undone) == 0 {
		return "work was given up or is stuck: see what the workers log"
	}
	for _, f := range c.faults.all {
		if f.t0 == unseen || !f.breaks() || len(undone) == 0 {
			continue
		}
		near := 0
		for _, r := range undone {
			near += one(r.number() == f.drill && r.acked >= f.t0-5*time.Second && (f.recovered == unseen || r.acked <= f.recovered))
		}
		if 10*near >= 9*len(undone) {
			return fmt.Sprintf("%d of %d were acknowledged around %s (%s of %s): their message was lost with it, taken off the queue before its effect or never published",
				near, len(undone), f.name, f.verb, f.target)
		}
	}
	return "they are spread over the run: no fault explains it, so jobs are lost in calm as well"
}

// causesByNode tells if a failure is of one instance alone.
func (c *court) causesByNode(v *Verdict) []string {
	var out []string
	for _, g := range v.Groups {
		total, most, node := 0, 0, ""
		for _, n := range slices.Sorted(maps.Keys(g.ByNode)) {
			total += g.ByNode[n]
			if g.ByNode[n] > most {
				most, node = g.ByNode[n], n
			}
		}
		if total >= fewAnswers && most == total && len(c.evidence.answered) > 1 {
			out = append(out, fmt.Sprintf("all %s of %s were answered by %s, and none by the others: look there", count(total), g.Op, node))
		}
	}
	if v.Check == nameInstances || v.Check == nameGoodput {
		out = append(out, c.evidence.stuck()...)
	}
	return out
}

// stuck names instances that went on failing after the last promotion, while
// others did not.
func (ev *evidence) stuck() []string {
	var promoted reign
	if n := len(ev.reigns); n > 0 {
		promoted = ev.reigns[n-1]
	}
	keys := slices.SortedFunc(maps.Keys(ev.errors), func(a, b nodeClass) int {
		return cmp.Or(cmp.Compare(ev.errors[b].count, ev.errors[a].count), cmp.Compare(a.node, b.node), cmp.Compare(a.class, b.class))
	})
	var out []string
	for _, key := range keys {
		c := ev.errors[key]
		others := false
		for _, other := range keys {
			others = others || other.node != key.node && ev.errors[other].last > c.last-time.Second
		}
		if others || c.count < fewAnswers {
			continue
		}
		text := fmt.Sprintf("%s answered %s with %s, the last at %s of the run, and no other instance so late", key.node, many(c.count, "time"), key.class, span(c.last))
		if len(ev.reigns) > 1 && c.last > promoted.from {
			text += fmt.Sprintf(", %s after %s became primary: it did not notice", span(c.last-promoted.from), promoted.node)
		}
		return append(out, text)
	}
	return out
}

// inFault says which fault's window most of what failed lies in.
func (c *court) inFault(v *Verdict) string {
	for _, g := range v.Groups {
		for _, f := range c.faults.all {
			end := f.recovered
			if f.t0 == unseen || !f.breaks() {
				continue
			}
			if end == unseen {
				end = c.course.last
			}
			if g.Count > 1 && g.Since >= ms(f.t0) && g.Until <= ms(end) {
				return fmt.Sprintf("all of it lies between %s (%s of %s) at %s and its end at %s", f.name, f.verb, f.target, span(f.t0), span(end))
			}
		}
	}
	return ""
}
