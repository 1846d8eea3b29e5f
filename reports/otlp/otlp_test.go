package otlp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/openmetrics"
	"github.com/proofload/proofload/reports/otlp"
	"github.com/proofload/proofload/reports/reportstest"
)

// A collector keeps what it is sent, by path.
type collector struct {
	mu   sync.Mutex
	sent map[string][]byte
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unpacked
	}
	data, err := io.ReadAll(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent[r.URL.Path] = data
}

func TestSend(t *testing.T) {
	c := &collector{sent: map[string][]byte{}}
	server := httptest.NewServer(c)
	defer server.Close()
	r := reportstest.FiveDrills()
	if err := otlp.Send(t.Context(), server.URL, r); err != nil {
		t.Fatal(err)
	}
	var m metrics.ExportMetricsServiceRequest
	if err := proto.Unmarshal(c.sent["/v1/metrics"], &m); err != nil {
		t.Fatal(err)
	}
	points := map[string]int{}
	for _, metric := range m.GetResourceMetrics()[0].GetScopeMetrics()[0].GetMetrics() {
		points[metric.GetName()] = len(metric.GetGauge().GetDataPoints())
	}
	for _, f := range openmetrics.Families(r) {
		if points[f.Name] != len(f.Samples) {
			t.Errorf("%s has %d points, want %d", f.Name, points[f.Name], len(f.Samples))
		}
	}
	if points["proofload_second_operations"] != 2*len(r.Series) {
		t.Errorf("%d points of %d seconds", points["proofload_second_operations"], len(r.Series))
	}
	var tr traces.ExportTraceServiceRequest
	if err := proto.Unmarshal(c.sent["/v1/traces"], &tr); err != nil {
		t.Fatal(err)
	}
	spans := tr.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()
	checkTree(t, spans)
	if kinds := kinds(spans); kinds["run"] != 1 || kinds["drill"] != 5 || kinds["phase"] != 20 || kinds["lose"] != 5 || kinds["stall"] != 5 {
		t.Errorf("spans: %v", kinds)
	}
}

// kinds counts spans by the first word of their names.
func kinds(spans []*tracepb.Span) map[string]int {
	counts := map[string]int{}
	for _, s := range spans {
		kind, _, _ := strings.Cut(s.GetName(), " ")
		counts[kind]++
	}
	return counts
}

// checkTree looks at who is below whom: run > drill > phase > fault.
func checkTree(t *testing.T, spans []*tracepb.Span) {
	t.Helper()
	below := map[string]string{"drill": "run", "phase": "drill", "lose": "phase", "stall": "phase", "start": "phase"}
	byID := map[string]*tracepb.Span{}
	for _, s := range spans {
		byID[string(s.GetSpanId())] = s
	}
	for _, s := range spans {
		kind, _, _ := strings.Cut(s.GetName(), " ")
		parent := ""
		if p := byID[string(s.GetParentSpanId())]; p != nil {
			parent, _, _ = strings.Cut(p.GetName(), " ")
			if s.GetStartTimeUnixNano() < p.GetStartTimeUnixNano() || s.GetStartTimeUnixNano() > p.GetEndTimeUnixNano() {
				t.Errorf("%s begins outside of %s", s.GetName(), p.GetName())
			}
		}
		if parent != below[kind] || s.GetEndTimeUnixNano() < s.GetStartTimeUnixNano() || !bytes.Equal(s.GetTraceId(), spans[0].GetTraceId()) {
			t.Errorf("%s is below %q", s.GetName(), parent)
		}
	}
}

// A collector that is there gets figures again and again; one that is away is
// spoken of once, until it was there in between.
func TestFollow(t *testing.T) {
	var away atomic.Bool
	sent := make(chan *metrics.ExportMetricsServiceRequest, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &collector{sent: map[string][]byte{}}
		c.ServeHTTP(w, r)
		m := new(metrics.ExportMetricsServiceRequest)
		if err := proto.Unmarshal(c.sent["/v1/metrics"], m); err != nil {
			t.Error(err)
		}
		if away.Load() {
			w.WriteHeader(http.StatusBadRequest)
		}
		sent <- m
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ticks, failed := make(chan time.Time), make(chan error, 10)
	asked := 0
	var following sync.WaitGroup
	following.Go(func() {
		otlp.Follow(ctx, server.URL, ticks, time.Minute, func(context.Context) *reports.Result {
			r := reportstest.Pass()
			r.Verdict, r.TookMS = "", 1000*float64(asked)
			asked++
			if asked == 1 {
				return nil // nothing is known yet
			}
			return r
		}, func(err error) { failed <- err })
	})
	ticks <- time.Time{}
	var times []uint64
	for _, refused := range []bool{false, true, true, false, true, false} {
		away.Store(refused)
		ticks <- time.Time{} // taken once the one before is over
		list := (<-sent).GetResourceMetrics()[0].GetScopeMetrics()[0].GetMetrics()
		times = append(times, list[0].GetGauge().GetDataPoints()[0].GetTimeUnixNano())
	}
	cancel()
	following.Wait()
	if !slices.IsSorted(times) || len(slices.Compact(times)) != 6 {
		t.Errorf("the times are %v", times)
	}
	if n := len(failed); n != 2 {
		t.Errorf("%d failures are told of, want the first of each row", n)
	}
}

func TestSendSaysWhatIsWrong(t *testing.T) {
	for _, address := range []string{"127.0.0.1:4318", "ftp://x", ""} {
		if err := otlp.Send(t.Context(), address, reportstest.Pass()); err == nil || !strings.Contains(err.Error(), "want a URL") {
			t.Errorf("Send(%q): %v", address, err)
		}
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := otlp.Send(ctx, server.URL, reportstest.Pass())
	if err == nil || !strings.Contains(err.Error(), "send metrics") || !strings.Contains(err.Error(), "send trace") {
		t.Errorf("a collector that is none: %v", err)
	}
}
