// Package otlp sends a run to a collector, over OTLP/HTTP: its figures while it
// goes on, and afterwards its metrics, and a trace in which the run has drills, drills have phases, and
// phases have the faults that began in them.
package otlp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	"github.com/proofload/proofload/reports/openmetrics"
)

// scope names who measured.
const scope = "proofload"

// Endpoint reads the address of a collector, for example
// http://127.0.0.1:4318, and says what is wrong with it.
func Endpoint(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("collector %q: want a URL, for example http://127.0.0.1:4318", address)
	}
	return u, nil
}

// Send sends the metrics and the trace of r to a collector: below its address
// to v1/metrics and v1/traces. What it needs beside, such as headers, is taken
// from the usual variables OTEL_EXPORTER_OTLP_*. It tries until ctx is done.
func Send(ctx context.Context, address string, r *reports.Result) error {
	base, err := Endpoint(address)
	if err != nil {
		return err
	}
	return errors.Join(sendMetrics(ctx, metricsAt(base), r, append(figures(r), course(r)...)), sendTrace(ctx, base.JoinPath("v1/traces").String(), r))
}

// about says whose data it is.
func about(r *reports.Result) *resource.Resource {
	return resource.NewSchemaless(
		attribute.String("service.name", "proofload"), attribute.String("service.instance.id", r.Run),
		attribute.String("proofload.scenario", r.Scenario.Name), attribute.String("proofload.run", r.Run),
		attribute.String("proofload.target", r.Target),
	)
}

// Follow sends the figures of a run that goes on to a collector at each tick, until
// ctx is done, and gives each time up after within: the names and labels are those
// of [Send], the time is that of the run. Now returns what is known, or nil. A
// collector that cannot be reached is no reason to end; failed is told of the first
// time in a row.
func Follow(ctx context.Context, address string, ticks <-chan time.Time, within time.Duration, now func(context.Context) *reports.Result, failed func(error)) {
	base, err := Endpoint(address)
	if err != nil {
		failed(err)
		return
	}
	reached := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
		if err := follow(ctx, metricsAt(base), within, now); err != nil && ctx.Err() == nil {
			if reached {
				failed(err)
			}
			reached = false
			continue
		}
		reached = true
	}
}

// follow sends the figures once, in no more than that time.
func follow(ctx context.Context, address string, within time.Duration, now func(context.Context) *reports.Result) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	r := now(ctx)
	if r == nil {
		return nil
	}
	return sendMetrics(ctx, address, r, figures(r))
}

func metricsAt(base *url.URL) string { return base.JoinPath("v1/metrics").String() }

func sendMetrics(ctx context.Context, address string, r *reports.Result, list []metricdata.Metrics) (err error) {
	exporter, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(address))
	if err != nil {
		return fmt.Errorf("send metrics: %w", err)
	}
	defer func() { err = errors.Join(err, exporter.Shutdown(context.WithoutCancel(ctx))) }()
	data := &metricdata.ResourceMetrics{Resource: about(r), ScopeMetrics: []metricdata.ScopeMetrics{{
		Scope: instrumentation.Scope{Name: scope}, Metrics: list,
	}}}
	if err := exporter.Export(ctx, data); err != nil {
		return fmt.Errorf("send metrics: %w", err)
	}
	return nil
}

// unit is a unit as OpenTelemetry writes it.
func unit(name string) string {
	if name == "seconds" {
		return "s"
	}
	return "1"
}

// figures are the metrics of the file of the run, as of its end, or of now while
// it goes on.
func figures(r *reports.Result) []metricdata.Metrics {
	end := at(r, r.TookMS)
	var list []metricdata.Metrics
	for _, f := range openmetrics.Families(r) {
		var points []metricdata.DataPoint[float64]
		for _, s := range f.Samples {
			var labels []attribute.KeyValue
			for i := 0; i+1 < len(s.Labels); i += 2 {
				labels = append(labels, attribute.String(s.Labels[i], s.Labels[i+1]))
			}
			points = append(points, metricdata.DataPoint[float64]{Attributes: attribute.NewSet(labels...), Time: end, Value: s.Value})
		}
		list = append(list, gauge(f.Name, f.Help, unit(f.Unit), points))
	}
	return list
}

func gauge(name, help, unit string, points []metricdata.DataPoint[float64]) metricdata.Metrics {
	return metricdata.Metrics{Name: name, Description: help, Unit: unit, Data: metricdata.Gauge[float64]{DataPoints: points}}
}

// course is how rates and latencies went, second by second.
func course(r *reports.Result) []metricdata.Metrics {
	var rates, latencies []metricdata.DataPoint[float64]
	for _, s := range r.Series {
		point := func(v float64, label, value string) metricdata.DataPoint[float64] {
			return metricdata.DataPoint[float64]{Time: at(r, 1000*s.At), Value: v, Attributes: attribute.NewSet(
				attribute.String("run", r.Run), attribute.String("phase", s.Phase), attribute.Int("drill", s.Drill), attribute.String(label, value),
			)}
		}
		rates = append(rates, point(float64(s.OK), "outcome", "ok"), point(float64(s.Errors), "outcome", "error"))
		if s.OK > 0 {
			latencies = append(latencies, point(s.P50/1000, "quantile", "0.5"), point(s.P99/1000, "quantile", "0.99"))
		}
	}
	if len(rates) == 0 {
		return nil
	}
	return []metricdata.Metrics{
		gauge("proofload_second_operations", "Operations by the second that they were scheduled in.", "1", rates),
		gauge("proofload_second_latency_seconds", "Latency of each second, from the scheduled time, of operations that were ok.", "s", latencies),
	}
}

// at is a moment of the run, which is given in ms.
func at(r *reports.Result, ms float64) time.Time {
	return r.Began.Add(time.Duration(ms * float64(time.Millisecond)))
}

func sendTrace(ctx context.Context, address string, r *reports.Result) (err error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(address))
	if err != nil {
		return fmt.Errorf("send trace: %w", err)
	}
	kept := &keeper{}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithResource(about(r)), sdktrace.WithSpanProcessor(kept))
	draw(ctx, provider.Tracer(scope), r)
	err = exporter.ExportSpans(ctx, kept.spans)
	if err = errors.Join(err, exporter.Shutdown(context.WithoutCancel(ctx))); err != nil {
		return fmt.Errorf("send trace: %w", err)
	}
	return nil
}

// faultName is a fault as people say it.
func faultName(f check.FaultWindow) string { return strings.TrimSpace(f.Verb + " " + f.Target) }
