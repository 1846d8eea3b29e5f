//go:build integration

package ledgertest

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

func accountURL(id int64) string { return fmt.Sprintf("/v2/accounts/%d", id) }

// TestServiceCorrelation follows a request by its correlation id, from the API
// process through the broker to the worker process.
func TestServiceCorrelation(t *testing.T) {
	api, worker := startAPI(t, nil).awaitReady(), startWorkerProcess(t, nil).awaitReady()
	c := newCore(t, coreOptions{})
	a := c.accounts(2)
	id := uuid.New()
	correlation := "corr-" + id.String()
	got := api.place(id, a[0], a[1], 5, http.Header{"X-Correlation-Id": {correlation}})
	if got.status != http.StatusCreated || got.header.Get("X-Correlation-ID") != correlation || got.header.Get("Ledger-Instance") != "api-1" {
		t.Fatalf("PUT = %d %s, correlation %q from %q; want 201, %s from api-1", got.status, got.text,
			got.header.Get("X-Correlation-ID"), got.header.Get("Ledger-Instance"), correlation)
	}
	eventually(t, "the transfer takes effect", func() bool { return c.effects(id) == once })
	field := `"correlation_id":"` + correlation + `"`
	if n := api.logs.count(field, `"msg":"request"`, `"instance":"api-1"`, `"status":201`); n != 1 {
		t.Errorf("the log of the API has %d lines of the request; want 1", n)
	}
	for _, queue := range []string{"settlement", "notifications", "projection"} {
		eventually(t, "the worker logged the "+queue, func() bool {
			return worker.logs.count(field, `"msg":"delivery took effect"`, `"instance":"worker-1"`, `"queue":"`+queue+`"`) == 1
		})
	}
}

// A traceCollector receives traces over OTLP.
type traceCollector struct {
	url string

	mu    sync.Mutex
	names map[string][]string // of spans, by trace
}

func newTraceCollector(t *testing.T) *traceCollector {
	t.Helper()
	c := &traceCollector{names: map[string][]string{}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req collector.ExportTraceServiceRequest
		body, err := io.ReadAll(r.Body)
		if err != nil || proto.Unmarshal(body, &req) != nil {
			t.Errorf("collector cannot read what it got: %v", err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, rs := range req.GetResourceSpans() {
			service := ""
			for _, a := range rs.GetResource().GetAttributes() {
				if a.GetKey() == "service.name" {
					service = a.GetValue().GetStringValue()
				}
			}
			for _, ss := range rs.GetScopeSpans() {
				for _, s := range ss.GetSpans() {
					id := hex.EncodeToString(s.GetTraceId())
					c.names[id] = append(c.names[id], service+": "+s.GetName())
				}
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(srv.Close)
	c.url = srv.URL
	return c
}

// of returns the names of the spans of a trace.
func (c *traceCollector) of(id string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.names[id]...)
}

// TestServiceTrace follows a trace of the client's from handler, cache and
// database through the broker to the worker. Other requests leave no trace.
func TestServiceTrace(t *testing.T) {
	traces := newTraceCollector(t)
	variables := map[string]string{"LEDGER_OTLP_ENDPOINT": traces.url, "LEDGER_TRACE_RATIO": "0"}
	api, worker := startAPI(t, variables).awaitReady(), startWorkerProcess(t, variables).awaitReady()
	c := newCore(t, coreOptions{})
	a := c.accounts(2)
	traceID := strings.ReplaceAll(uuid.NewString(), "-", "")
	header := http.Header{"Traceparent": {"00-" + traceID + "-b7ad6b7169203331-01"}}
	id := uuid.New()
	for _, got := range []reply{
		api.place(id, a[0], a[1], 5, header), api.send(http.MethodGet, accountURL(a[0]), "", header),
		api.place(uuid.New(), a[0], a[1], 5, nil),
	} {
		if got.status/100 != 2 {
			t.Fatalf("answer %d %s; want a success", got.status, got.text)
		}
	}
	eventually(t, "the transfer takes effect", func() bool { return c.effects(id) == once })
	for _, want := range []string{
		"ledger-api: PUT /v2/transfers/{id}", "ledger-api: GET /v2/accounts/{id}",
		"ledger-api: cache mark several", "ledger-api: cache get account", "ledger-api: cache put account",
		"ledger-api: BATCH SELECT place_transfer", "ledger-api: COMMIT", "ledger-api: SELECT accounts", "ledger-api: acquire connection",
		"ledger-worker: publish transfer.accepted",
		"ledger-worker: process settlement", "ledger-worker: process notifications", "ledger-worker: process projection",
	} {
		eventually(t, "span "+want+" arrives", func() bool { return slices.Contains(traces.of(traceID), want) })
	}
	if n := len(traces.names); n != 1 {
		t.Errorf("%d traces arrived; want 1", n)
	}
	if n := api.logs.count(`"trace_id":"`+traceID+`"`, `"msg":"request"`); n != 2 {
		t.Errorf("the log of the API has %d lines with the trace; want 2", n)
	}
	if got := worker.metric("ledger_trace_spans_exported_total"); got == "" || got == "0" {
		t.Errorf("ledger_trace_spans_exported_total = %q; want more", got)
	}
}

// TestServiceMetrics looks for the series of each part.
func TestServiceMetrics(t *testing.T) {
	api, worker := startAPI(t, nil).awaitReady(), startWorkerProcess(t, nil).awaitReady()
	c := newCore(t, coreOptions{})
	a := c.accounts(2)
	id := uuid.New()
	api.place(id, a[0], a[1], 5, nil)
	api.place(uuid.New(), a[0], a[0], 5, nil) // refused
	for range 2 {
		api.get(accountURL(a[0]))
	}
	eventually(t, "the transfer takes effect", func() bool { return c.effects(id) == once })
	common := []string{
		"ledger_ready", `ledger_dependency_up{dependency="database"}`, `ledger_dependency_up{dependency="replica"}`,
		`ledger_dependency_up{dependency="redis"}`, `ledger_breaker_state{dependency="database"}`,
		`ledger_breaker_state{dependency="replica"}`, `ledger_breaker_state{dependency="redis"}`,
		`ledger_db_pool_connections{pool="primary",state="idle"}`, `ledger_db_pool_connections_max{pool="replica"}`,
		`ledger_db_pool_acquires_total{pool="primary"}`, "go_goroutines", "process_resident_memory_bytes",
	}
	for _, tt := range []struct {
		of     *service
		series []string
	}{
		{api, append([]string{
			`ledger_http_requests_total{method="PUT",route="/v2/transfers/{id}",status="201"}`,
			`ledger_http_requests_total{method="PUT",route="/v2/transfers/{id}",status="422"}`,
			`ledger_http_request_duration_seconds_count{method="GET",route="/v2/accounts/{id}"}`, "ledger_http_requests_in_flight",
			`ledger_cache_gets_total{kind="account",result="hit"}`, `ledger_cache_gets_total{kind="account",result="miss"}`,
			"ledger_cache_owed_invalidations",
		}, common...)},
		{worker, append([]string{
			`ledger_breaker_state{dependency="broker"}`, `ledger_dependency_up{dependency="broker"}`,
			`ledger_jobs_settled_total{queue="settlement"}`, `ledger_jobs_settled_total{queue="notifications"}`,
			"ledger_jobs_relayed_total", "ledger_jobs_relay_lag_seconds", `ledger_jobs_connects_total{connection="publisher"}`,
			`ledger_jobs_queue_messages{queue="settlement"}`, `ledger_jobs_queue_messages{queue="settlement.dead"}`,
			"ledger_db_replication_lag_seconds", "ledger_db_replication_lag_bytes",
		}, common...)},
	} {
		for _, series := range tt.series {
			eventually(t, tt.of.url+" has "+series, func() bool { return tt.of.metric(series) != "" })
		}
	}
	for series, want := range map[string]string{
		`ledger_http_requests_total{method="PUT",route="/v2/transfers/{id}",status="201"}`: "1",
		`ledger_http_requests_total{method="PUT",route="/v2/transfers/{id}",status="422"}`: "1",
		`ledger_cache_gets_total{kind="account",result="hit"}`:                             "1",
	} {
		if got := api.metric(series); got != want {
			t.Errorf("%s = %q; want %s", series, got, want)
		}
	}
}

// TestServiceAlerts has a worker meet a message that it cannot do anything
// about: the webhook hears of a dead letter.
func TestServiceAlerts(t *testing.T) {
	hook := newWebhook(t)
	startWorkerProcess(t, map[string]string{"LEDGER_ALERT_WEBHOOK": hook.url}).awaitReady()
	for range 3 {
		bury(t, "not an event")
	}
	eventually(t, "the webhook heard", func() bool {
		hook.mu.Lock()
		defer hook.mu.Unlock()
		return len(hook.heard) == 1 && hook.heard[0].Message == "dead letter" && hook.heard[0].Correlation == "corr-poison" &&
			hook.heard[0].Attributes["queue"] == "settlement"
	})
}
