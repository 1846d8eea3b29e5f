package otlp

import (
	"context"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
)

// A keeper keeps the spans of one trace, so that they are sent at once and with
// an error that says how that went.
type keeper struct{ spans []sdktrace.ReadOnlySpan }

// OnStart does nothing.
func (*keeper) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd keeps a span that is complete.
func (k *keeper) OnEnd(s sdktrace.ReadOnlySpan) { k.spans = append(k.spans, s) }

// Shutdown does nothing.
func (*keeper) Shutdown(context.Context) error { return nil }

// ForceFlush does nothing.
func (*keeper) ForceFlush(context.Context) error { return nil }

// A stretch is a drill or a phase of one, in ms since the run began.
type stretch struct {
	name     string
	drill    int
	from, to float64
	phases   []stretch
}

// stretches finds the drills and their phases in the seconds of the run.
func stretches(r *reports.Result) []stretch {
	var drills []stretch
	for _, s := range r.Series {
		from, to := 1000*s.At, 1000*s.At+1000
		if n := len(drills); n == 0 || drills[n-1].drill != s.Drill {
			drills = append(drills, stretch{name: "drill " + strconv.Itoa(s.Drill), drill: s.Drill, from: from})
		}
		d := &drills[len(drills)-1]
		if n := len(d.phases); n == 0 || d.phases[n-1].name != s.Phase {
			d.phases = append(d.phases, stretch{name: s.Phase, drill: s.Drill, from: from})
		}
		d.to, d.phases[len(d.phases)-1].to = to, to
	}
	return drills
}

// draw makes the spans of a run.
func draw(ctx context.Context, tracer trace.Tracer, r *reports.Result) {
	ctx, root := tracer.Start(ctx, "run "+r.Scenario.Name, trace.WithNewRoot(), trace.WithTimestamp(r.Began), trace.WithAttributes(
		attribute.String("proofload.verdict", r.Verdict), attribute.Int("proofload.exit_code", r.Exit),
		attribute.Int64("proofload.seed", int64(r.Seed)))) //nolint:gosec // the same bits
	if r.Verdict != string(check.Pass) {
		root.SetStatus(codes.Error, r.Sentence+r.Problem)
	}
	for _, d := range stretches(r) {
		drillCtx, drill := tracer.Start(ctx, d.name, trace.WithTimestamp(at(r, d.from)))
		for i, p := range d.phases {
			phaseCtx, phase := tracer.Start(drillCtx, "phase "+p.name, trace.WithTimestamp(at(r, p.from)))
			for _, f := range r.Faults {
				last := i == len(d.phases)-1
				if f.Drill == d.drill && (f.From >= p.from || i == 0) && (f.From < p.to || last) {
					drawFault(phaseCtx, tracer, r, f)
				}
			}
			phase.End(trace.WithTimestamp(at(r, p.to)))
		}
		drill.End(trace.WithTimestamp(at(r, d.to)))
	}
	root.End(trace.WithTimestamp(at(r, r.TookMS)))
}

// drawFault makes the span of a fault, which may outlast its phase. One that
// was not seen gone ends with the run, and is an error.
func drawFault(ctx context.Context, tracer trace.Tracer, r *reports.Result, f check.FaultWindow) {
	_, span := tracer.Start(ctx, faultName(f), trace.WithTimestamp(at(r, f.From)), trace.WithAttributes(
		attribute.String("proofload.event", f.Name), attribute.String("proofload.fault", f.Verb), attribute.String("proofload.fault_target", f.Target)))
	if f.Settled >= 0 {
		span.AddEvent("seen in effect", trace.WithTimestamp(at(r, f.Settled)), trace.WithAttributes(attribute.String("proof", f.Proof)))
	}
	end := at(r, f.To)
	if f.To < 0 {
		end = at(r, r.TookMS)
		span.SetStatus(codes.Error, "not seen gone")
	}
	for _, rec := range r.Recoveries {
		if rec.Event == f.Name && rec.Drill == f.Drill && rec.Steady >= 0 && !rec.Censored {
			steady := time.Duration(rec.Steady * float64(time.Millisecond))
			span.AddEvent("clients served again", trace.WithTimestamp(at(r, rec.Injected).Add(steady)), trace.WithAttributes(attribute.Float64("recovery_seconds", rec.Steady/1000)))
		}
	}
	span.End(trace.WithTimestamp(end))
}
