package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/proofload/proofload/reports/history"
)

// maxMetrics bounds what is read of one answer.
const maxMetrics = 8 << 20

// metrics asks a node what it counts, in the text format of Prometheus.
type metrics struct {
	url    string
	names  map[string]string // of the metric, by that of the counter
	client *http.Client
	seen   []counter // by the last observation
}

type counter struct {
	name  string
	value int64
}

func newMetrics(t Target) *metrics {
	return &metrics{url: t.URL, names: t.Counters, client: &http.Client{Transport: &http.Transport{Proxy: nil}}}
}

func (m *metrics) observe(ctx context.Context, _ *history.Event) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.url, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask for metrics: %w", err)
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return fmt.Errorf("ask for metrics: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask for metrics: the answer is %s", resp.Status)
	}
	sums, err := sumMetrics(io.LimitReader(resp.Body, maxMetrics))
	if err != nil {
		return fmt.Errorf("read metrics: %w", err)
	}
	m.seen = m.seen[:0]
	for _, name := range slices.Sorted(maps.Keys(m.names)) {
		if sum, ok := sums[m.names[name]]; ok {
			m.seen = append(m.seen, counter{name, int64(sum)})
		}
	}
	if len(m.seen) == 0 {
		return errors.New("none of the metrics that were asked for is there")
	}
	return nil
}

func (m *metrics) close(context.Context) { m.client.CloseIdleConnections() }

// sumMetrics reads metrics and adds up those that differ in their labels alone;
// beside, under names such as name{label="value"}, those that have a label in
// common.
func sumMetrics(in io.Reader) (map[string]float64, error) {
	sums := map[string]float64{}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), 1<<20)
	for lines.Scan() {
		name, labels, value, ok := sample(lines.Text())
		if !ok {
			continue
		}
		sums[name] += value
		for label := range strings.SplitSeq(labels, `",`) {
			if label != "" {
				sums[name+"{"+strings.TrimSuffix(label, `"`)+`"}`] += value
			}
		}
	}
	return sums, lines.Err()
}

// sample reads one line: a name, labels in braces if it has any, a value and
// perhaps a timestamp.
func sample(line string) (name, labels string, value float64, ok bool) {
	if strings.HasPrefix(line, "#") {
		return "", "", 0, false
	}
	end := strings.IndexAny(line, "{ ")
	if end <= 0 {
		return "", "", 0, false
	}
	name, rest := line[:end], line[end:]
	if rest[0] == '{' {
		closing := strings.LastIndexByte(rest, '}')
		if closing < 0 {
			return "", "", 0, false
		}
		labels = strings.Trim(rest[1:closing], " ,")
		rest = rest[closing+1:]
	}
	fields := strings.Fields(rest)
	if len(fields) == 0 || len(fields) > 2 {
		return "", "", 0, false
	}
	value, err := strconv.ParseFloat(fields[0], 64)
	return name, labels, value, err == nil && value == value && value < 1<<53 && value > -1<<53
}
