package check

import (
	"fmt"
	"slices"
	"strings"
)

// A reason is why a judgement is not a pass.
type reason struct {
	outcome Outcome
	rank    int // within the outcome, most serious first
	text    string
}

// The ranks of reasons.
const (
	rankRun = iota // the run itself; only ever inconclusive
	rankPoint
	rankLost
	rankCheck
	rankRecovery
	rankPhase
)

// pronounce joins what was found to one outcome, one sentence and the reasons.
func (c *court) pronounce(j *Judgement) {
	reasons := c.problems(j)
	outcomes := []Outcome{}
	for _, r := range reasons {
		outcomes = append(outcomes, r.outcome)
	}
	for _, o := range j.Objectives {
		outcomes = append(outcomes, o.Outcome)
		if o.Outcome != Pass {
			reasons = append(reasons, reason{o.Outcome, rankOf(o.Metric), o.Reason})
		}
	}
	for _, v := range j.Checks {
		outcomes = append(outcomes, v.Outcome)
		if v.Outcome != Pass {
			reasons = append(reasons, reason{v.Outcome, rankCheck, v.Check + ": " + v.Reason})
		}
	}
	if len(j.Objectives)+len(j.Checks) == 0 {
		outcomes = append(outcomes, Inconclusive)
		reasons = append(reasons, reason{Inconclusive, rankRun, "nothing was asked: there are no objectives and no checks"})
	}
	j.Outcome = Worst(outcomes...)
	slices.SortStableFunc(reasons, func(a, b reason) int {
		if a.outcome != b.outcome {
			return one(a.outcome != Fail) - one(b.outcome != Fail)
		}
		return a.rank - b.rank
	})
	for _, r := range reasons {
		if !slices.Contains(j.Reasons, r.text) {
			j.Reasons = append(j.Reasons, r.text)
		}
	}
	j.Sentence = c.sentence(j)
}

func rankOf(metric string) int {
	switch metric {
	case metricRPO:
		return rankPoint
	case metricLost:
		return rankLost
	case metricDuplicates:
		return rankCheck
	case metricRTO:
		return rankRecovery
	}
	return rankPhase
}

// problems lists what keeps the whole run from settling anything.
func (c *court) problems(j *Judgement) []reason {
	var texts []string
	add := func(is bool, format string, args ...any) {
		if is {
			texts = append(texts, fmt.Sprintf(format, args...))
		}
	}
	if c.course.torn != "" { // what it means, and for those who look into the file, where
		texts = append(texts, c.course.brokenOff(j.Writes.Attempted > 0), "the history is not whole: "+c.course.torn)
	}
	add(c.course.aborted, "the run was stopped: %s", c.course.abort)
	done := c.course.completed()
	add(done < c.spec.Drills, "%d of %s ended", done, many(c.spec.Drills, "drill"))
	for _, w := range c.witnesses[:len(c.witnesses)-len(c.checks)] {
		add(w.blown != "", "%s: %s", w.name, w.blown)
	}
	add(c.latency.offered() == 0, "no samples: there was no operation")
	texts = append(texts, c.spec.Beyond...)
	add(j.Generator.Fell, "the load generator fell behind: %s", j.Generator.Reason)
	add(c.generator.tokens > 0, "%s not sent outside fault windows, for want of a token", were(c.generator.tokens, "operation"))
	texts = append(texts, c.unproven()...)
	texts = append(texts, c.course.unmet(c.spec.Drills)...)
	whole := c.course.torn == "" && !c.course.aborted && done >= c.spec.Drills
	open := c.durability.unfinished()
	add(whole && open > 0, "how %s ended is not in the history", many(open, "write"))
	add(j.Writes.Attempted > 0 && j.Writes.Acknowledged == 0, "no write was acknowledged")
	reasons := make([]reason, len(texts))
	for i, text := range texts {
		reasons[i] = reason{Inconclusive, rankRun, text}
	}
	return reasons
}

// unproven names the faults that were not seen to take effect.
func (c *court) unproven() []string {
	var texts []string
	for _, d := range c.course.list() {
		in := ""
		if c.spec.Drills > 1 {
			in = fmt.Sprintf(" in drill %d", d.number)
		}
		for _, entry := range c.spec.Events {
			f := c.faults.byKey[faultKey{d.number, entry.Name}]
			switch {
			case f != nil && f.failed != "":
				texts = append(texts, fmt.Sprintf("the event %s failed%s: %s", entry.Name, in, f.failed))
			case !breaks(entry.Verb) || !d.ended:
			case f == nil || f.t0 == unseen:
				texts = append(texts, fmt.Sprintf("the event %s was never injected%s", entry.Name, in))
			case f.settled == unseen:
				texts = append(texts, fmt.Sprintf("the event %s was not seen to take effect%s", entry.Name, in))
			}
		}
	}
	return texts
}

// sentence says the verdict with the number that decided.
func (c *court) sentence(j *Judgement) string {
	if len(j.Reasons) > 0 {
		return sentence(j.Reasons[0])
	}
	clause := served(c.spec, j.Objectives)
	if clause == "" {
		var held []string
		if n := len(j.Objectives); n > 0 {
			held = append(held, many(n, "objective"))
		}
		if n := len(j.Checks); n > 0 {
			held = append(held, many(n, "check"))
		}
		clause = strings.Join(held, " and ") + " held"
	}
	if w := j.Writes; w.Acknowledged > 0 && c.asksForWrites() {
		clause += fmt.Sprintf("; %s, none lost", many(w.Acknowledged, "acknowledged write"))
	}
	return sentence(clause)
}

// served says how soon clients were served again, for the recovery time that
// is closest to its limit. It is empty if there is none.
func served(spec Spec, results []ObjectiveResult) string {
	var closest *ObjectiveResult
	for i, o := range results {
		if o.Metric == metricRTO && (closest == nil || o.Margin < closest.Margin) {
			closest = &results[i]
		}
	}
	if closest == nil {
		return ""
	}
	entry, _ := spec.entry(closest.Subject)
	o := Objective{Metric: closest.Metric, Op: closest.Op, Limit: closest.Limit}
	if closest.Value == 0 {
		return fmt.Sprintf("clients were served throughout although %s %s", happened(entry), o.limit())
	}
	worst := ""
	if n := len(closest.Samples); n > 1 {
		worst = fmt.Sprintf(", the worst of %d drills", n)
	}
	return fmt.Sprintf("clients were served again %s after %s %s%s", o.beside(closest.Value), happened(entry), o.limit(), worst)
}

// asksForWrites reports whether the spec asks what became of writes.
func (c *court) asksForWrites() bool {
	return slices.Contains(c.spec.Verify, nameAcknowledged) ||
		slices.ContainsFunc(c.spec.Objectives, func(o Objective) bool { return o.Metric == metricLost || o.Metric == metricRPO })
}
