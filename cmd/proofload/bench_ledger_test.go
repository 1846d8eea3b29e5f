//go:build integration

package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
)

// What the ledger is to hold at the rate of the benchmark.
const (
	maxP50 = 10  // ms
	maxP99 = 100 // ms
)

// The search for the rate of saturation.
const (
	searchUp     = 1.25 // times the rate, as long as it holds
	searchWithin = 0.05 // part of the rate that the answer may be too low
	searchLeast  = 10   // operations a second; below it nothing works
)

const traceRatio = "0.05"

// ledgerFigures are the raw figures of the benchmark.
type ledgerFigures struct {
	Machine    machine            `json:"machine"`
	Data       string             `json:"data_set"`
	Steady     loadResult         `json:"steady"`
	Processors map[string]float64 `json:"processors_busy"` // with the warm-up, by node
	Layers     []*layerSplit      `json:"layers"`
	Statements statementTimes     `json:"postgres_statements"`
	Steps      []loadResult       `json:"saturation_steps"`
	Saturation float64            `json:"saturation_per_s"`
}

// BenchmarkLedger measures the ledger at a rate, says where the time goes, and
// looks for the highest rate that it serves. It prints its figures and judges
// none of them.
func BenchmarkLedger(b *testing.B) {
	figures := ledgerFigures{Machine: thisMachine(), Data: variable(b, "BENCH_DATA", "medium", parseText)}
	steady := stretch{rate: variable(b, "BENCH_RATE", 300, parseRate), measure: variable(b, "BENCH_FOR", 5*time.Minute, parseDuration)}
	steady.warmUp = min(time.Minute, steady.measure)
	step := stretch{warmUp: 5 * time.Second, measure: variable(b, "BENCH_STEP", 20*time.Second, parseDuration)}
	c := startCollector(b)
	ctx, rig := startRig(b, "bench-ledger", map[string]string{"data": figures.Data, "traces": c.url, "trace-ratio": traceRatio})

	if err := measureSteady(ctx, rig, c, steady, &figures); err != nil {
		b.Fatal(err)
	}
	printSteady(os.Stdout, rig.st.Accounts(), &figures)
	printLayers(os.Stdout, figures.Layers)

	say("\nsaturation: steps of %s, held with p99 <= %d ms, no error, %g %% of the arrivals sent in time", step.measure, maxP99, minAchieved)
	var err error
	figures.Saturation, err = saturation(steady.rate, func(rate float64) (bool, error) {
		step.rate = rate
		result, driveErr := rig.drive(ctx, step, nil)
		if driveErr != nil {
			return false, driveErr
		}
		figures.Steps = append(figures.Steps, result)
		printStep(os.Stdout, &result)
		return result.holds(maxP99), nil
	})
	save(b, "ledger", &figures) // those of a search that was cut short, too
	if err != nil {
		b.Fatal(err)
	}
	say("saturation rate: %g/s", figures.Saturation)
	for unit, value := range map[string]float64{
		"p50-ms": figures.Steady.All.P50, "p99-ms": figures.Steady.All.P99, "errors": float64(figures.Steady.All.Errors),
		"saturation/s": figures.Saturation,
	} {
		b.ReportMetric(value, unit)
	}
	b.ReportMetric(0, "ns/op") // says nothing here
}

// measureSteady offers the load of the benchmark while traces are kept and
// PostgreSQL notes durations.
func measureSteady(ctx context.Context, rig *benchRig, c *traceCollector, s stretch, figures *ledgerFigures) (err error) {
	say("%g/s for %s after a warm-up of %s", s.rate, s.measure, s.warmUp)
	if err = rig.sampleStatements(ctx, true); err != nil {
		return fmt.Errorf("have PostgreSQL note durations: %w", err)
	}
	before, err := rig.processorTime(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	c.keep()
	calls := map[time.Duration]clientCall{} // by scheduled time
	figures.Steady, err = rig.drive(ctx, s, func(e *history.Event) {
		calls[e.Sched] = clientCall{op: e.Op, took: e.At - e.Sent, ok: e.Kind == history.OK}
	})
	if err != nil {
		return err
	}
	after, err := rig.processorTime(ctx)
	if err != nil {
		return err
	}
	figures.Processors = busy(before, after, time.Since(began))
	traces := c.take(ctx)
	if err = rig.sampleStatements(ctx, false); err != nil {
		return fmt.Errorf("have PostgreSQL cease to note durations: %w", err)
	}
	if figures.Statements, err = rig.statementTimes(ctx); err != nil {
		return err
	}
	named, err := byCorrelation(rig.drill, s, calls)
	figures.Layers = splitLayers(traces, named, figures.Statements)
	return err
}

// byCorrelation finds the correlation id of each call, which the generator
// makes of the drill and the number of the arrival: arrivals are in the order
// of their scheduled times.
func byCorrelation(drill int, s stretch, calls map[time.Duration]clientCall) (map[string]clientCall, error) {
	warmUp, err := loadgen.NewSchedule([]loadgen.Phase{{Name: "warm-up", For: s.warmUp, From: s.rate / 2, To: s.rate}}, loadgen.Even, 1)
	if err != nil {
		return nil, err
	}
	named := map[string]clientCall{}
	for i, sched := range slices.Sorted(maps.Keys(calls)) {
		if call := calls[sched]; call.ok {
			named[fmt.Sprintf("proofload-%d-%d", drill, warmUp.Len()+i)] = call
		}
	}
	return named, nil
}

// saturation returns the highest rate that holds, to a few percent: up from
// the first one until one does not, then by halves. One that does not hold is
// tried once more, since a single hiccup of the machine must not end the
// search. It is 0 if nothing holds.
func saturation(first float64, holds func(rate float64) (bool, error)) (float64, error) {
	low, high := 0.0, 0.0 // holds; does not; 0 while unknown
	for rate := first; (high == 0 || high-low > max(1, searchWithin*high)) && rate >= searchLeast; {
		ok, err := holds(rate)
		if err == nil && !ok {
			ok, err = holds(rate)
		}
		if err != nil {
			return 0, err
		}
		if ok {
			low = rate
		} else {
			high = rate
		}
		if high == 0 {
			rate = math.Round(low * searchUp)
		} else {
			rate = math.Round((low + high) / 2)
		}
	}
	return low, nil
}

func printSteady(w io.Writer, accounts int, figures *ledgerFigures) {
	r := &figures.Steady
	fmt.Fprintf(w, "\n%g/s for %g s, data set %s (%d accounts), %d CPUs with the stack and the load on them\n",
		r.Rate, r.Seconds, figures.Data, accounts, figures.Machine.CPUs)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "operation\tn\tp50 ms\tp99 ms\tmax ms\terrors\t")
	row := func(name string, o *opResult) {
		fmt.Fprintf(t, "%s\t%d\t%.1f\t%.1f\t%.1f\t%d\t\n", name, o.Count, o.P50, o.P99, o.Max, o.Errors)
	}
	for _, op := range slices.Sorted(maps.Keys(r.Ops)) {
		row(op, r.Ops[op])
	}
	row("all", &r.All)
	_ = t.Flush() // w takes all
	printLimit(w, "p50", r.All.P50, maxP50, " ms")
	printLimit(w, "p99", r.All.P99, maxP99, " ms")
	printLimit(w, "errors", float64(r.All.Errors), 0, "")
	fmt.Fprintf(w, "  %-38s p99 %.2f ms, %.2f %% of the arrivals sent in time\n", "send lag", r.LagP99, r.Achieved)
	printBusy(w, figures.Processors, figures.Machine.CPUs)
	if len(r.Errors) > 0 {
		fmt.Fprintf(w, "  %-38s%s\n", "errors by class", classes(r.Errors))
	}
	fmt.Fprintln(w)
}

func printStep(w io.Writer, r *loadResult) {
	verdict := "holds"
	if !r.holds(maxP99) {
		verdict = "does not hold"
	}
	fmt.Fprintf(w, "  %5g/s  p50 %.1f ms  p99 %.1f ms  errors %d%s  sent in time %.1f %%  send lag p99 %.1f ms  %s\n",
		r.Rate, r.All.P50, r.All.P99, r.All.Errors, classes(r.Errors), r.Achieved, r.LagP99, verdict)
}

// classes lists errors by class, in parentheses; "" if there are none.
func classes(errors map[string]int64) string {
	if len(errors) == 0 {
		return ""
	}
	var list []string
	for _, class := range slices.Sorted(maps.Keys(errors)) {
		list = append(list, fmt.Sprintf("%d %s", errors[class], class))
	}
	return " (" + strings.Join(list, ", ") + ")"
}
