package check

import (
	"fmt"
	"math"
	"strings"
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
	baseline := map[int]string{} // by drill, why recovery cannot be judged
	for i, o := range c.spec.Objectives {
		if ofEvent(o.Metric) {
			continue
		}
		samples := c.samples(o, nil)
		results[i] = o.result(samples, c.spec.Drills)
		if p, _, _ := c.spec.window(o.Subject); !c.isBaseline(p) {
			continue
		}
		for _, s := range samples {
			if s.outcome == Fail && baseline[s.drill] == "" {
				baseline[s.drill] = "the baseline already missed its objectives: " + s.reason
			}
		}
	}
	for i, o := range c.spec.Objectives {
		if ofEvent(o.Metric) {
			results[i] = o.result(c.samples(o, baseline), c.spec.Drills)
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

// samples measures one objective in each drill. The baseline says, by drill, why
// recovery cannot be judged, if it cannot.
func (c *court) samples(o Objective, baseline map[int]string) []sample {
	var samples []sample
	var guard fuse
	guard.run(func() {
		for _, d := range c.course.list() {
			s := c.sample(o, d.number).doubted(o, baseline[d.number])
			if s.outcome == Fail {
				s = s.excused(c.excuse(o, d.number))
			}
			s.drill = d.number
			samples = append(samples, s)
		}
	})
	switch {
	case guard.blown != "":
		return []sample{unclear(guard.blown)}
	case len(samples) == 0:
		return []sample{unclear("no samples: there was no drill")}
	}
	return samples
}

// doubted takes the meaning from a recovery that followed an unsound baseline.
// A recovery time says nothing then. Data that is lost is lost, but that none
// was lost says little.
func (s sample) doubted(o Objective, baseline string) sample {
	if baseline != "" && (o.Metric == metricRTO || o.Metric == metricRPO && s.outcome == Pass) {
		s.outcome, s.reason = Inconclusive, baseline
	}
	return s
}

// excuse says why a miss of an objective may be the load generator's doing,
// empty if it cannot. Latencies count from the scheduled time, so a generator
// that is late itself makes any system look slow. What it did to the store is
// the system's alone.
func (c *court) excuse(o Objective, drill int) string {
	switch {
	case o.Metric == metricRTO:
		entry, _ := c.spec.entry(o.Subject)
		latency, _ := c.generator.limited(drill, entry.Phase)
		return latency
	case ofEvent(o.Metric):
		return ""
	}
	p, _, _ := c.spec.window(o.Subject)
	latency, errors := c.generator.limited(drill, p.Name)
	if o.Metric == metricErrors {
		return errors
	}
	return latency
}

// excused is a miss that may be the load generator's doing.
func (s sample) excused(excuse string) sample {
	if excuse != "" {
		s.outcome, s.reason = Inconclusive, "that may be the load generator's doing, which fell behind: "+excuse
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
	case o.Metric == metricTook:
		return c.tookSample(o, entry, drill)
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

// latencySample judges a quantile of all operations that were due, in which one
// that failed counts as slower than every answer: if so many failed that the
// quantile is one of them, it is beyond any limit, however quick the answers.
func (t *tally) latencySample(o Objective) sample {
	q, _ := quantileOf(o.Metric)
	latency, answered := t.latencyOfAll(q)
	s := o.judged(latency)
	s.note = many(t.OK, "operation")
	if failed := t.Errors(); failed > 0 {
		s.note += fmt.Sprintf(", and %s failed, which count as slower", count(failed))
	}
	s.reason = fmt.Sprintf("%s of %s was %s %s", o.Metric, o.Subject, o.beside(s.value), o.limit())
	if !answered {
		s.outcome, s.value, s.censored, s.measured = Fail, t.quantile(100), true, t.OK > 0
		s.reason = fmt.Sprintf("%s of %s is a failed operation: %.3g %% of %s failed, which no latency makes up for",
			o.Metric, o.Subject, t.errorPercent(), many(t.Offered, "operation"))
	}
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
	if bound := boundOfWorst(len(r.Samples)); bound != "" && o.Metric == metricRTO && r.Outcome == Pass {
		r.Note = strings.TrimPrefix(r.Note+"; "+bound, "; ")
	}
	if r.Outcome != Pass {
		r.Reason = inDrill(deciding, deciding.reason, drills)
	}
	return r
}

// boundOfWorst says what the worst of n samples says of all that could have been:
// it is above the quantile q with a confidence of 1-qⁿ, whatever they are
// distributed like. It is empty of a single one.
func boundOfWorst(n int) string {
	if n < 2 {
		return ""
	}
	return fmt.Sprintf("the worst of %d: 9 of 10 are no longer with %s confidence", n, value(unitPercent, 100*(1-math.Pow(0.9, float64(n)))))
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
