// Package openmetrics writes a result in the text format of OpenMetrics, for
// systems that keep metrics: a file to push, or to put where a collector reads
// text files.
package openmetrics

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/format"
)

// Write writes r. Times are in seconds and shares between 0 and 1, as the
// format wants them; every sample has the scenario and the run as labels.
// What was not measured is left out, and of a result without a verdict, which is
// that of a run that goes on, what is only known at its end.
func Write(w io.Writer, r *reports.Result) error {
	var b bytes.Buffer
	for _, f := range Families(r) {
		fmt.Fprintf(&b, "# TYPE %s gauge\n", f.Name)
		if f.Unit != "" {
			fmt.Fprintf(&b, "# UNIT %s %s\n", f.Name, f.Unit)
		}
		fmt.Fprintf(&b, "# HELP %s %s\n", f.Name, escape(f.Help))
		for _, sample := range f.Samples {
			var pairs []string
			for i := 0; i+1 < len(sample.Labels); i += 2 {
				pairs = append(pairs, sample.Labels[i]+`="`+escape(sample.Labels[i+1])+`"`)
			}
			fmt.Fprintf(&b, "%s{%s} %s\n", f.Name, strings.Join(pairs, ","), strconv.FormatFloat(sample.Value, 'g', -1, 64))
		}
	}
	b.WriteString("# EOF\n")
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	return nil
}

// A Family is the samples of one name, all of them gauges.
type Family struct {
	Name    string
	Unit    string // seconds, or empty: the name says none
	Help    string
	Samples []Sample
}

// A Sample is one value. Labels are names and values by turns.
type Sample struct {
	Labels []string
	Value  float64
}

// Families lists what r has to tell, as [Write] writes it.
func Families(r *reports.Result) []Family {
	d := &document{labels: []string{"scenario", r.Scenario.Name, "run", r.Run}}
	d.run(r)
	d.objectives(r)
	d.recoveries(r)
	d.writes(r.Writes)
	d.windows(r)
	d.parts(r)
	d.generator(r.Generator)
	return d.families
}

// A document collects the families of one result.
type document struct {
	families []Family
	labels   []string // names and values by turns, of every sample
}

// family begins a family of gauges; its name says the unit.
func (d *document) family(name, unit, help string) {
	d.families = append(d.families, Family{Name: name, Unit: unit, Help: help})
}

// sample adds a value, with labels, to the family that was begun last.
func (d *document) sample(v float64, labels ...string) {
	f := &d.families[len(d.families)-1]
	f.Samples = append(f.Samples, Sample{Labels: slices.Concat(d.labels, labels), Value: v})
}

// escape writes a label or a help text as the format wants it.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(strings.ToValidUTF8(s, "\uFFFD"))
}

func (d *document) run(r *reports.Result) {
	if r.Verdict != "" { // it is over
		d.family("proofload_run_exit_code", "", "Exit code of the run; 0 is a pass.")
		d.sample(float64(r.Exit), "verdict", r.Verdict)
	}
	d.family("proofload_run_duration_seconds", "seconds", "How long the run took.")
	d.sample(r.TookMS / 1000)
	d.family("proofload_faults_left", "", "Faults that may still be in place.")
	d.sample(float64(len(r.FaultsLeft)))
}

// inUnit is a value in the unit that the format wants, with its name.
func inUnit(unit string, v float64) (float64, string) {
	switch unit {
	case "ms":
		return v / 1000, "seconds"
	case "percent":
		return v / 100, "ratio"
	}
	return v, "count"
}

func (d *document) objectives(r *reports.Result) {
	if len(r.Objectives) == 0 {
		return
	}
	value := func(o check.ObjectiveResult, v float64) (float64, []string) {
		v, unit := inUnit(o.Unit, v)
		return v, []string{"subject", o.Subject, "metric", o.Metric, "unit", unit}
	}
	d.family("proofload_objective_met", "", "1 if the objective was met, 0 if it was missed; left out if that is not known.")
	for _, o := range r.Objectives {
		if o.Outcome == check.Inconclusive {
			continue
		}
		met := 0.0
		if o.Outcome == check.Pass {
			met = 1
		}
		d.sample(met, "subject", o.Subject, "metric", o.Metric)
	}
	d.family("proofload_objective_limit", "", "Limit of the objective, in its unit.")
	for _, o := range r.Objectives {
		v, labels := value(o, o.Limit)
		d.sample(v, labels...)
	}
	d.family("proofload_objective_value", "", "What was measured, in the unit of the objective.")
	for _, o := range r.Objectives {
		if o.Outcome == check.Inconclusive && len(o.Samples) == 0 {
			continue
		}
		v, labels := value(o, o.Value)
		d.sample(v, labels...)
	}
}

func (d *document) recoveries(r *reports.Result) {
	if len(r.Recoveries) == 0 {
		return
	}
	d.family("proofload_recovery_seconds", "seconds", "Time since the fault until a step of the recovery was seen.")
	for _, rec := range r.Recoveries {
		for _, step := range []struct {
			name string
			ms   float64
		}{{"noticed", rec.Noticed}, {"promoted", rec.Promoted}, {"rerouted", rec.Rerouted}, {"first_ok", rec.FirstOK}, {"steady", rec.Steady}} {
			if step.ms < 0 || step.name == "steady" && rec.Censored {
				continue
			}
			d.sample(step.ms/1000, "event", rec.Event, "drill", strconv.Itoa(rec.Drill), "step", step.name)
		}
	}
}

func (d *document) writes(w check.Writes) {
	if w.Attempted == 0 {
		return
	}
	d.family("proofload_writes", "", "Writes of the run, by what became of them.")
	counts := map[string]int{"attempted": w.Attempted, "acknowledged": w.Acknowledged, "indeterminate": w.Indeterminate}
	if format.Audited(w) { // otherwise nobody knows
		maps.Copy(counts, map[string]int{
			"found": w.Found, "lost": w.Lost, "duplicated": w.Duplicated, "recovered": w.Recovered, "unexpected": w.Unexpected,
		})
	}
	for _, state := range slices.Sorted(maps.Keys(counts)) {
		d.sample(float64(counts[state]), "state", state)
	}
}

func (d *document) windows(r *reports.Result) {
	if len(r.Windows) == 0 {
		return
	}
	d.family("proofload_operations", "", "Operations by phase and outcome.")
	for _, w := range r.Windows {
		d.sample(float64(w.OK), windowLabels(w, "outcome", "ok")...)
		d.sample(float64(w.Errors), windowLabels(w, "outcome", "error")...)
	}
	d.family("proofload_latency_seconds", "seconds", "Latency from the scheduled time, of operations that were ok.")
	for _, w := range r.Windows {
		if w.OK == 0 {
			continue
		}
		for _, q := range []struct {
			name string
			ms   float64
		}{{"0.5", w.P50}, {"0.9", w.P90}, {"0.95", w.P95}, {"0.99", w.P99}, {"0.999", w.P999}, {"1", w.Max}} {
			d.sample(q.ms/1000, windowLabels(w, "quantile", q.name)...)
		}
	}
}

// windowLabels are the labels of a value of a window, and more.
func windowLabels(w check.Window, more ...string) []string {
	return append([]string{"phase", w.Phase, "op", cmp.Or(w.Op, "all")}, more...)
}

// parts says where the time of operations went. Of how many each part is known
// goes with it: the parts of a connection are of those alone that made one.
func (d *document) parts(r *reports.Result) {
	known := slices.ContainsFunc(r.Windows, func(w check.Window) bool { return len(w.Parts) > 0 })
	if !known {
		return
	}
	d.family("proofload_operation_part_seconds", "seconds",
		"Parts of the time of operations: service (sending to end), dns, connect, tls, first_byte.")
	for _, w := range r.Windows {
		for _, p := range w.Parts {
			for _, q := range []struct {
				name string
				ms   float64
			}{{"0.5", p.P50}, {"0.99", p.P99}, {"1", p.Max}} {
				d.sample(q.ms/1000, windowLabels(w, "part", p.Part, "quantile", q.name)...)
			}
		}
	}
	d.family("proofload_operation_part_known", "", "Of how many operations that part is known.")
	for _, w := range r.Windows {
		for _, p := range w.Parts {
			d.sample(float64(p.Count), windowLabels(w, "part", p.Part)...)
		}
	}
}

func (d *document) generator(g check.Generator) {
	d.family("proofload_generator_operations", "", "What the load generator was asked to send, and sent.")
	d.sample(float64(g.Offered), "kind", "offered")
	d.sample(float64(g.Sent), "kind", "sent")
	d.sample(float64(g.Shed), "kind", "shed")
	d.family("proofload_generator_lag_seconds", "seconds", "Send lag at the 99th percentile, outside fault windows.")
	d.sample(g.LagP99 / 1000)
}
