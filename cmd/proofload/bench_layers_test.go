//go:build integration

package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	otlp "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/proofload/proofload/loadgen/ledgerload"
)

// What a request may cost in round trips to the database.
const (
	maxTransferTrips = 4
	maxCachedTrips   = 0
)

// A clientCall is an operation as its client saw it.
type clientCall struct {
	op   string
	took time.Duration // from when it was sent to the end of the answer
	ok   bool          // its contract held
}

// A layerSplit says where the time of a kind of operation went, in ms on
// average. The layers add up to the client's time.
type layerSplit struct {
	Op       string  `json:"op"`
	Cached   bool    `json:"cached"` // answered from the cache
	Traces   int64   `json:"traces"`
	Client   float64 `json:"client_ms"`   // from when it was sent to the end of the answer
	Balancer float64 `json:"balancer_ms"` // all outside of the handler: the load balancer, the network, the client itself
	Handler  float64 `json:"handler_ms"`  // the rest of the handler's time
	Cache    float64 `json:"cache_ms"`    // calls of Redis, with the network
	Pool     float64 `json:"pool_ms"`     // waiting for a connection of the instance's pool
	Pooler   float64 `json:"pooler_ms"`   // round trips to the database without what PostgreSQL takes: PgBouncer, router, network
	Postgres float64 `json:"postgres_ms"` // what PostgreSQL takes
	Commit   float64 `json:"commit_ms"`   // of that, for COMMIT: until disk and standby have it

	Trips     float64 `json:"round_trips"`
	MaxTrips  int     `json:"round_trips_max"`
	Unmatched int64   `json:"round_trips_not_timed"` // in PostgreSQL: their time is all the pooler's
}

// name is the kind of operation in a table.
func (l *layerSplit) name() string {
	if l.Cached {
		return l.Op + ", cached"
	}
	return l.Op
}

// A splitter adds up the layers of traces.
type splitter struct {
	calls  map[string]clientCall // by correlation id
	server statementTimes
	kinds  map[string]*layerSplit // sums until done
}

// splitLayers splits the time of the operations that were traced.
func splitLayers(traces map[string][]span, calls map[string]clientCall, server statementTimes) []*layerSplit {
	s := splitter{calls: calls, server: server, kinds: map[string]*layerSplit{}}
	for _, spans := range traces {
		for _, root := range spans {
			if call, ok := calls[root.correlation]; ok && root.kind == otlp.Span_SPAN_KIND_SERVER {
				s.add(call, root, below(root, spans))
			}
		}
	}
	var result []*layerSplit
	for _, l := range s.kinds {
		n := float64(l.Traces)
		for _, sum := range []*float64{
			&l.Client, &l.Balancer, &l.Handler, &l.Cache, &l.Pool, &l.Pooler, &l.Postgres, &l.Commit, &l.Trips,
		} {
			*sum /= n
		}
		result = append(result, l)
	}
	slices.SortFunc(result, func(a, b *layerSplit) int { return cmp.Compare(a.name(), b.name()) })
	return result
}

// below returns the spans of calls that a handler made. What workers do about
// the request later is below it, too, and is not meant.
func below(root span, spans []span) []span {
	var found []span
	parents := map[string]bool{root.id: true}
	for grew := true; grew; {
		grew = false
		for _, s := range spans {
			later := s.kind == otlp.Span_SPAN_KIND_CONSUMER || s.kind == otlp.Span_SPAN_KIND_PRODUCER
			if parents[s.parent] && !parents[s.id] && !later {
				parents[s.id], grew = true, true
				found = append(found, s)
			}
		}
	}
	return found
}

// add splits one trace.
func (s *splitter) add(call clientCall, root span, spans []span) {
	var all, cache, pool, database []span
	hit, trips, unmatched, server, commit := false, 0, int64(0), 0.0, 0.0
	for _, c := range spans {
		all = append(all, c)
		switch c.system {
		case "redis":
			cache = append(cache, c)
			hit = hit || c.hit
		case "postgresql":
			database = append(database, c)
			trips++
			ms, ok := s.server.of(c.statements)
			server += ms
			if strings.HasPrefix(c.statements, "COMMIT") {
				commit += ms
			}
			if !ok {
				unmatched++
			}
		default:
			pool = append(pool, c)
		}
	}
	key := fmt.Sprint(call.op, hit)
	l := s.kinds[key]
	if l == nil {
		l = &layerSplit{Op: call.op, Cached: hit}
		s.kinds[key] = l
	}
	handler := root.end - root.begin
	l.Traces++
	l.Client += milliseconds(call.took)
	l.Balancer += milliseconds(call.took - handler)
	l.Handler += milliseconds(handler - covered(root, all))
	l.Cache += milliseconds(covered(root, cache))
	l.Pool += milliseconds(covered(root, pool))
	l.Pooler += milliseconds(covered(root, database)) - server
	l.Postgres += server
	l.Commit += commit
	l.Trips += float64(trips)
	l.MaxTrips = max(l.MaxTrips, trips)
	l.Unmatched += unmatched
}

// covered returns for how long at least one of the spans lasted, within root.
func covered(root span, spans []span) time.Duration {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.begin, b.begin) })
	var sum time.Duration
	until := root.begin
	for _, s := range spans {
		begin, end := max(s.begin, until), min(s.end, root.end)
		if end > begin {
			sum += end - begin
			until = end
		}
	}
	return sum
}

// printLayers prints the split as a table, and whether requests cost no more
// round trips than they may.
func printLayers(w io.Writer, layers []*layerSplit) {
	if len(layers) == 0 {
		fmt.Fprintln(w, "no trace of an operation has come")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "ms on average\ttraces\tclient\tbalancer\thandler\tcache\tpool wait\tpooler\tpostgres\tits commit\tround trips\tmost\t")
	for _, l := range layers {
		fmt.Fprintf(t, "%s\t%d\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%d\t\n",
			l.name(), l.Traces, l.Client, l.Balancer, l.Handler, l.Cache, l.Pool, l.Pooler, l.Postgres, l.Commit, l.Trips, l.MaxTrips)
	}
	_ = t.Flush() // w takes all
	for _, l := range layers {
		switch {
		case l.Op == ledgerload.CreateTransfer:
			printLimit(w, "round trips of a transfer", float64(l.MaxTrips), maxTransferTrips, "")
		case l.Op == ledgerload.ReadAccount && l.Cached:
			printLimit(w, "round trips of a cached account read", float64(l.MaxTrips), maxCachedTrips, "")
		}
	}
	var unmatched []string
	for _, l := range layers {
		if l.Unmatched > 0 {
			unmatched = append(unmatched, fmt.Sprintf("%d of %s", l.Unmatched, l.name()))
		}
	}
	if unmatched != nil {
		fmt.Fprintf(w, "PostgreSQL noted no time of some round trips, which is counted as the pooler's: %s\n", strings.Join(unmatched, ", "))
	}
}

// printLimit prints a figure beside its limit.
func printLimit(w io.Writer, what string, got, most float64, unit string) {
	verdict := "holds"
	if got > most {
		verdict = "DOES NOT HOLD"
	}
	fmt.Fprintf(w, "  %-38s %8.4g%s, at most %g%s: %s\n", what, got, unit, most, unit, verdict)
}
