//go:build integration

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/proofload/proofload/sut/stack"
)

const sampleTimeout = 5 * time.Second

// A sample is what one instance takes at a moment. Counts and bytes.
type sample struct {
	At                  time.Duration `json:"at_ns"` // since the warm-up
	Resident            float64       `json:"resident_bytes"`
	Container           float64       `json:"container_bytes"`
	HeapLive            float64       `json:"heap_live_bytes"` // found in use by the latest garbage collection
	Goroutines          float64       `json:"goroutines"`
	DatabaseConnections float64       `json:"database_connections"`
	CacheConnections    float64       `json:"cache_connections"`
	OpenFiles           float64       `json:"open_files"` // connections among them
}

// A measure is a column of a sample.
type measure struct {
	name string
	of   func(sample) float64
	unit float64 // in which it is printed
	flat bool    // has to be
}

func measures() []measure {
	const mib = 1 << 20
	return []measure{
		{"resident MiB", func(s sample) float64 { return s.Resident }, mib, true},
		{"container MiB", func(s sample) float64 { return s.Container }, mib, true},
		{"live heap MiB", func(s sample) float64 { return s.HeapLive }, mib, true},
		{"goroutines", func(s sample) float64 { return s.Goroutines }, 1, false},
		{"database connections", func(s sample) float64 { return s.DatabaseConnections }, 1, false},
		{"cache connections", func(s sample) float64 { return s.CacheConnections }, 1, false},
		{"open files", func(s sample) float64 { return s.OpenFiles }, 1, false},
	}
}

// most returns the greater of each.
func (s sample) most(o sample) sample {
	return sample{
		Resident: max(s.Resident, o.Resident), Container: max(s.Container, o.Container), HeapLive: max(s.HeapLive, o.HeapLive),
		Goroutines: max(s.Goroutines, o.Goroutines), DatabaseConnections: max(s.DatabaseConnections, o.DatabaseConnections),
		CacheConnections: max(s.CacheConnections, o.CacheConnections), OpenFiles: max(s.OpenFiles, o.OpenFiles),
	}
}

// isBack reports whether nothing of a load is left.
func (s sample) isBack(baseline sample) bool {
	return s.Goroutines <= baseline.Goroutines+spareGoroutines &&
		s.DatabaseConnections <= baseline.DatabaseConnections+spareConnections
}

// takeSample asks an instance for its metrics, and the engine for the memory
// of its container.
func takeSample(ctx context.Context, st *stack.Stack, instance string) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	usage, err := st.Usage(ctx, instance)
	if err != nil {
		return sample{}, err
	}
	base, _ := st.Endpoint("http/" + instance)
	metrics, err := scrape(ctx, base+"/metrics")
	if err != nil {
		return sample{}, fmt.Errorf("read metrics of %s: %w", instance, err)
	}
	return sample{
		Resident: metrics["process_resident_memory_bytes"], Container: float64(usage.Memory), HeapLive: metrics["go_gc_heap_live_bytes"],
		Goroutines: metrics["go_goroutines"], DatabaseConnections: metrics["ledger_db_pool_connections"],
		CacheConnections: metrics["ledger_cache_connections"], OpenFiles: metrics["process_open_fds"],
	}, nil
}

// scrape returns the sums of the series of each metric.
func scrape(ctx context.Context, url string) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Close = true // a connection that is kept would be one more in every sample
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered %s", resp.Status)
	}
	return readMetrics(resp.Body)
}

// readMetrics reads the text format of Prometheus as far as the service makes
// use of it.
func readMetrics(text io.Reader) (map[string]float64, error) {
	sums := map[string]float64{}
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		line := lines.Text()
		series, value, ok := cutLast(line, " ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("read metric %q: %w", line, err)
		}
		name, _, _ := strings.Cut(series, "{")
		sums[name] += v
	}
	return sums, lines.Err()
}

// cutLast cuts at the last separator.
func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}
