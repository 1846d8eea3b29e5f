// Package obs makes the service observable: structured logs with correlation
// ids that follow a request through every component, metrics for Prometheus,
// traces over OTLP, and notifications of critical errors to a webhook.
//
// Nothing here can hurt a request. Spans and notifications wait in queues that
// are bounded; what does not fit, or cannot be delivered, is dropped and
// counted.
//
// # Metrics
//
// Metrics are served at /metrics. Beside those of the Go runtime (go_*) and of
// the process (process_*) this package, resilience and server have these; label
// values come from small fixed sets:
//
//	ledger_http_requests_total{method,route,status}       requests by route pattern and status code, "aborted" for those cut off
//	ledger_http_request_duration_seconds{method,route}    histogram of the time until the handler returned
//	ledger_http_requests_in_flight                        requests being served
//	ledger_trace_spans_exported_total                     spans that the collector took
//	ledger_trace_spans_dropped_total{reason}              spans lost: queue_full, export_failed
//	ledger_alerts_sent_total                              notifications that the webhook took
//	ledger_alerts_dropped_total{reason}                   notifications not sent: duplicate, rate_limited, queue_full, send_failed, shutdown
//	ledger_breaker_state{dependency}                      0 closed, 1 half-open, 2 open
//	ledger_breaker_refused_total{dependency}              calls that a breaker refused
//	ledger_breaker_opened_total{dependency}               times that a breaker opened
//	ledger_ready                                          1 while the instance is ready
//	ledger_dependency_up{dependency}                      1 if the last check went well
//	ledger_dependency_checked_timestamp_seconds{dependency}  Unix time of the last check
//	ledger_dependency_check_failures_total{dependency}    checks that failed
//
// A method other than the usual ones is "other", a request without a route
// "unmatched".
//
// # Notifications
//
// What is logged at [LevelCritical] is sent to the webhook: a breaker that
// opens, a dead letter, a panic or another bug. See [Notification] for what is
// posted.
//
// # Traces
//
// Contexts carry the trace. It enters with the W3C traceparent header of a
// request, crosses the outbox and the broker as [Traceparent] and
// [WithTraceparent], and leaves with [Inject]. Who begins a trace decides
// whether it is recorded, and all others follow: a client may so have its
// request traced whatever the ratio is.
package obs
