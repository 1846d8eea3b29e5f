package check

import (
	"fmt"
	"time"
)

// A sample is what one drill says of one objective.
type sample struct {
	drill      int
	value      float64 // in the metric's unit
	measured   bool
	censored   bool
	outcome    Outcome
	reason     string // of the outcome; used unless it is a pass
	note       string
	resolution float64
}

// unclear is the sample of a drill that does not settle an objective.
func unclear(reason string) sample { return sample{outcome: Inconclusive, reason: reason} }

// judged compares a value with the limit.
func (o Objective) judged(v float64) sample {
	s := sample{value: v, measured: true, outcome: Fail}
	if o.margin(v) >= 0 {
		s.outcome = Pass
	}
	return s
}

// margin is how far a value is inside the limit, negative if it is outside.
func (o Objective) margin(v float64) float64 {
	if o.Op == ">=" {
		return v - o.Limit
	}
	return o.Limit - v
}

// objectives judges all objectives. Those of phases come first, because they
// say whether the baseline was sound.
func (c *court) objectives() []ObjectiveResult {
	results := make([]ObjectiveResult, len(c.spec.Objectives))
	doubt := doubts{generator: c.generator.limit()}
	for i, o := range c.spec.Objectives {
		if ofEvent(o.Metric) {
			continue
		}
		results[i] = c.objective(o, doubt)
		if p, _, _ := c.spec.window(o.Subject); results[i].Outcome == Fail && doubt.baseline == "" && c.isBaseline(p) {
			doubt.baseline = "the baseline already missed its objectives: " + results[i].Reason
		}
	}
	for i, o := range c.spec.Objectives {
		if ofEvent(o.Metric) {
			results[i] = c.objective(o, doubt)
		}
	}
	return results
}

// isBaseline reports whether a scored phase ended before anything was broken,
// in every drill.
func (c *court) isBaseline(p Phase) bool {
	broken := false
	for _, d := range c.course.list() {
		at, ok := c.faults.firstIn(d.number)
		if _, end, known := c.course.span(d.number, p.Name); ok && (!known || end > at) {
			return false
		}
		broken = broken || ok
	}
	return p.Score && broken
}

// objective judges one objective: a sample for each drill, of which the worst
// decides.
func (c *court) objective(o Objective, doubt doubts) ObjectiveResult {
	var samples []sample
	var guard fuse
	guard.run(func() {
		for _, d := range c.course.list() {
			s := c.sample(o, d.number)
			s.drill = d.number
			samples = append(samples, s.doubted(o, doubt))
		}
	})
	switch {
	case guard.blown != "":
		samples = []sample{unclear(guard.blown)}
	case len(samples) == 0:
		samples = []sample{unclear("no samples: there was no drill")}
	}
	return o.result(samples, c.spec.Drills)
}

// doubts are reasons not to believe what was measured, each empty if there is
// none.
type doubts struct {
	baseline  string // why recovery cannot be judged
	generator string // why what clients were not served well may be the generator's doing
}

// doubted takes the meaning from a sample that settles nothing.
//
// Latencies count from the scheduled time, so a generator that is late itself
// makes any system look slow: a miss of what clients saw is then no fact about
// the system. A recovery time says nothing either if the baseline was unsound.
// Data that is lost is lost, but that none was lost says little then.
func (s sample) doubted(o Objective, d doubts) sample {
	switch {
	case d.baseline != "" && (o.Metric == metricRTO || o.Metric == metricRPO && s.outcome == Pass):
		s.outcome, s.reason = Inconclusive, d.baseline
	case d.generator != "" && s.outcome == Fail && (o.Metric == metricRTO || !ofEvent(o.Metric)):
		s.outcome, s.reason = Inconclusive, "that may be the load generator's doing, which fell behind: "+d.generator
	}
	return s
}

// sample measures an objective in one drill.
func (c *court) sample(o Objective, drill int) sample {
	if !ofEvent(o.Metric) {
		return c.phaseSample(o, drill)
	}
	entry, _ := c.spec.entry(o.Subject)
	f := c.faults.get(drill, o.Subject)
	switch {
	case f == nil:
		return unclear("the event " + o.Subject + " did not happen")
	case o.Metric == metricRTO:
		return c.recoverySample(o, entry, f)
	}
	return c.lossSample(o, f)
}

// phaseSample measures the objective of a phase in one drill.
func (c *court) phaseSample(o Objective, drill int) sample {
	if c.latency.blown != "" {
		return unclear(c.latency.blown)
	}
	p, op, _ := c.spec.window(o.Subject)
	t := c.latency.byDrill[opDrill{opKey{p.Name, op}, drill}]
	if t == nil {
		return unclear("no samples: there was no operation in " + o.Subject)
	}
	switch o.Metric {
	case metricErrors:
		s := o.judged(t.errorPercent())
		s.note = fmt.Sprintf("%s of %s", count(t.Errors()), many(t.Offered, "operation"))
		s.reason = fmt.Sprintf("errors in %s were %s %s", o.Subject, o.beside(s.value), o.limit())
		s.resolution = 100 / float64(t.Offered)
		return s
	case metricRate:
		s := o.judged(percent(t.good, t.Offered))
		s.note = fmt.Sprintf("%s of %s good", count(t.good), were(t.Offered, "operation"))
		s.reason = fmt.Sprintf("%s of the operations in %s were good %s", o.beside(s.value), o.Subject, o.limit())
		s.resolution = 100 / float64(t.Offered)
		return s
	}
	return t.latencySample(o)
}

// latencySample judges a quantile. An operation that failed counts as slower
// than every answer: if so many failed that the quantile is one of them, it is
// beyond any limit, however quick the answers were.
func (t *tally) latencySample(o Objective) sample {
	q, _ := quantileOf(o.Metric)
	if t.OK == 0 {
		return unclear(fmt.Sprintf("no samples: none of %s in %s succeeded", many(t.Offered, "operation"), o.Subject))
	}
	s := o.judged(t.quantile(q))
	s.note = many(t.OK, "operation")
	if failed := t.Errors(); failed > 0 {
		s.note += fmt.Sprintf(", %s failed and not counted", count(failed))
		if t.errorPercent() > 100-q {
			s.outcome, s.value, s.censored = Fail, t.quantile(100), true
			s.reason = fmt.Sprintf("%s of %s is a failed operation: %.3g %% of %s failed, which no latency makes up for",
				o.Metric, o.Subject, t.errorPercent(), many(t.Offered, "operation"))
			return s
		}
	}
	s.reason = fmt.Sprintf("%s of %s was %s %s", o.Metric, o.Subject, o.beside(s.value), o.limit())
	return s
}

// result joins the samples of all drills.
func (o Objective) result(samples []sample, drills int) ObjectiveResult {
	r := ObjectiveResult{
		Subject: o.Subject, Metric: o.Metric, Unit: unitOf(o.Metric), Op: o.Op, Limit: o.Limit,
		Samples: []float64{}, At: Place{Line: o.Line, Col: o.Col},
	}
	var outcomes []Outcome
	deciding := samples[0]
	worst := sample{}
	for _, s := range samples {
		outcomes = append(outcomes, s.outcome)
		if s.measured {
			r.Samples = append(r.Samples, s.value)
			if !worst.measured || o.margin(s.value) < o.margin(worst.value) {
				worst = s
			}
		}
		if o.moreSerious(s, deciding) {
			deciding = s
		}
	}
	r.Outcome = Worst(outcomes...)
	r.OK = r.Outcome == Pass
	if worst.measured {
		r.Value, r.Margin = worst.value, o.margin(worst.value)
		r.Censored, r.Resolution = worst.censored, worst.resolution
	}
	r.Note = inDrill(deciding, deciding.note, drills)
	if r.Outcome != Pass {
		r.Reason = inDrill(deciding, deciding.reason, drills)
	}
	return r
}

// moreSerious orders samples by outcome, then by value.
func (o Objective) moreSerious(a, b sample) bool {
	if a.outcome != b.outcome {
		return Worst(a.outcome, b.outcome) == a.outcome
	}
	return a.measured && (!b.measured || o.margin(a.value) < o.margin(b.value))
}

// inDrill says which of several drills a text is about.
func inDrill(s sample, text string, drills int) string {
	if text == "" || drills < 2 || s.drill == 0 {
		return text
	}
	return fmt.Sprintf("in drill %d of %d: %s", s.drill, drills, text)
}

// observation converts a value in ms.
func observation(v float64) time.Duration { return time.Duration(v * float64(time.Millisecond)) }
