package otlp_test

import (
	"flag"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/otlp"
	"github.com/proofload/proofload/reports/reportstest"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGolden holds what a collector is sent of the shortest run, and of a drill of
// which three seconds are enough, in words.
func TestGolden(t *testing.T) {
	drill := reportstest.Pass()
	drill.Series = append(drill.Series[:1], drill.Series[80], drill.Series[100])
	for name, r := range map[string]*reports.Result{"short": reportstest.ThreeSeconds(), "pass": drill} {
		c := &collector{sent: map[string][]byte{}}
		server := httptest.NewServer(c)
		if err := otlp.Send(t.Context(), server.URL, r); err != nil {
			t.Fatal(err)
		}
		server.Close()
		var m metrics.ExportMetricsServiceRequest
		var tr traces.ExportTraceServiceRequest
		for path, message := range map[string]proto.Message{"/v1/metrics": &m, "/v1/traces": &tr} {
			if err := proto.Unmarshal(c.sent[path], message); err != nil {
				t.Fatal(err)
			}
		}
		b := new(strings.Builder)
		fmt.Fprintf(b, "resource%s\n", labels(m.GetResourceMetrics()[0].GetResource().GetAttributes()))
		for _, metric := range m.GetResourceMetrics()[0].GetScopeMetrics()[0].GetMetrics() {
			fmt.Fprintf(b, "%s in %s: %s\n", metric.GetName(), metric.GetUnit(), metric.GetDescription())
			for _, p := range metric.GetGauge().GetDataPoints() {
				fmt.Fprintf(b, "  %s %.6g%s\n", since(r, p.GetTimeUnixNano()), p.GetAsDouble(), labels(p.GetAttributes()))
			}
		}
		printSpans(b, r, tr.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans(), "", "")
		reportstest.Golden(t, *update, name+".txt", b.String())
	}
}

// printSpans writes the spans below one, each with those below it.
func printSpans(b *strings.Builder, r *reports.Result, all []*tracepb.Span, parent, indent string) {
	for _, s := range all {
		if string(s.GetParentSpanId()) != parent {
			continue
		}
		fmt.Fprintf(b, "%sspan %q %s to %s%s", indent, s.GetName(), since(r, s.GetStartTimeUnixNano()), since(r, s.GetEndTimeUnixNano()), labels(s.GetAttributes()))
		if status := s.GetStatus(); status.GetCode() != tracepb.Status_STATUS_CODE_UNSET {
			fmt.Fprintf(b, " %s %q", status.GetCode(), status.GetMessage())
		}
		b.WriteByte('\n')
		for _, e := range s.GetEvents() {
			fmt.Fprintf(b, "%s  event %q %s%s\n", indent, e.GetName(), since(r, e.GetTimeUnixNano()), labels(e.GetAttributes()))
		}
		printSpans(b, r, all, string(s.GetSpanId()), indent+"  ")
	}
}

// since is a moment since the run began.
func since(r *reports.Result, nanoseconds uint64) time.Duration {
	return time.Unix(0, int64(nanoseconds)).Sub(r.Began) //nolint:gosec // of this century
}

func labels(attributes []*common.KeyValue) string {
	b := new(strings.Builder)
	for _, a := range attributes {
		var v any
		switch value := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			v = fmt.Sprintf("%q", value.StringValue)
		case *common.AnyValue_IntValue:
			v = value.IntValue
		case *common.AnyValue_DoubleValue:
			v = fmt.Sprintf("%.6g", value.DoubleValue)
		}
		fmt.Fprintf(b, " %s=%v", a.GetKey(), v)
	}
	return b.String()
}
