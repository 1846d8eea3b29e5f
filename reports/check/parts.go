package check

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/proofload/proofload/reports/history"
)

// The parts of the time that an operation takes. Service is from sending to the
// end of the answer, of operations that are ok: beside the latency, which counts
// from when they were due, it tells how much of that was waiting to be sent. The
// others are of the attempts of which the history has them: dns, connect and tls
// of those that made a connection, and the first byte of those and of one in 16
// of the others.
const (
	PartService   = "service"
	PartDNS       = "dns"
	PartConnect   = "connect"
	PartTLS       = "tls"
	PartFirstByte = "first_byte"
)

// A Part says how long one part of operations took.
type Part struct {
	Part  string  `json:"part"`
	Count int64   `json:"count"` // of how many operations it is known
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// parts are the histograms of the parts, in µs; nil: none.
type parts [5]*hdrhistogram.Histogram

// partNames are in the order of parts.
func partNames() []string {
	return []string{PartService, PartDNS, PartConnect, PartTLS, PartFirstByte}
}

// partDigits is how exact the parts are: to a hundredth, which takes 20 KB each.
const partDigits = 2

func (p *parts) add(e *history.Event) {
	if e.Kind == history.OK {
		p.record(0, max(time.Microsecond, e.At-e.Sent))
	}
	for i, took := range []time.Duration{e.DNS, e.Connect, e.TLS, e.FirstByte} {
		if took > 0 { // otherwise it is not known
			p.record(1+i, took)
		}
	}
}

func (p *parts) record(i int, took time.Duration) {
	if p[i] == nil {
		p[i] = hdrhistogram.New(history.MinLatency.Microseconds(), history.MaxLatency.Microseconds(), partDigits)
	}
	us := min(max(took, history.MinLatency), history.MaxLatency).Microseconds()
	_ = p[i].RecordValue(us) // cannot fail within the range
}

// list lists those that there are.
func (p *parts) list() []Part {
	var list []Part
	for i, name := range partNames() {
		h := p[i]
		if h == nil {
			continue
		}
		at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1e3 }
		list = append(list, Part{Part: name, Count: h.TotalCount(), P50: at(50), P99: at(99), Max: at(100)})
	}
	return list
}
