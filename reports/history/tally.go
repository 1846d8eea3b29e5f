package history

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// ClassShed is the class of operations that the load generator refused to send
// because too many were in flight.
const ClassShed = "shed"

// ClassNoToken is the class of operations that could not be sent because their
// client could not log in.
const ClassNoToken = "no_token"

// The classes of operations that reached the system, and whose client gave up
// before there was an answer, or before it began.
const (
	ClassTimeout       = "timeout"
	ClassHeaderTimeout = "header_timeout"
)

// ClassBadBody is the class of answers with a status that promises success and a
// body that does not.
const ClassBadBody = "bad_body"

// ClassOther is the class of what has none of its own.
const ClassOther = "other"

// MaxClasses bounds the classes of errors that are told apart in one place.
const MaxClasses = 16

// The range of latencies that a [Tally] tells apart. What lies outside is
// counted at the nearest end.
const (
	MinLatency = time.Microsecond
	MaxLatency = 10 * time.Minute
)

// A Tally counts the operations of a history by phase and op, with an
// HdrHistogram of latencies for each outcome. Its memory depends on the number
// of phases and ops, not on the number of operations: up to four histograms of
// 0.2 MB each.
//
// A Tally is not safe for concurrent use.
type Tally struct {
	cells map[cellKey]*Cell
	keys  []cellKey // in the order in which they were first seen
}

type cellKey struct{ phase, op string }

// A Cell is the operations of one op in one phase.
type Cell struct {
	Offered int64            // arrivals of the schedule, shed ones as well
	OK      int64            // the contract held
	Failed  int64            // did not happen; includes Shed
	Info    int64            // may have happened
	Shed    int64            // never sent
	ByClass map[string]int64 // those that are not OK, by class of the error

	latencies [3]*hdrhistogram.Histogram // in µs; nil: none
	lag       *hdrhistogram.Histogram
}

// NewTally returns an empty tally.
func NewTally() *Tally { return &Tally{cells: map[cellKey]*Cell{}} }

// Observe counts e if it is the completion of an operation; other events are
// passed over.
func (t *Tally) Observe(e *Event) {
	if e.By != ByLoad || outcome(e.Kind) < 0 {
		return
	}
	t.cell(cellKey{e.Phase, e.Op}).Observe(e)
}

// Merge adds all that o has counted. Merging is exact: it makes no difference
// which of two tallies saw an operation.
func (t *Tally) Merge(o *Tally) {
	for _, k := range o.keys {
		t.cell(k).Merge(o.cells[k])
	}
}

// Cell returns what was counted for one op in one phase. An empty phase or op
// stands for all of them. The cell is the caller's own.
func (t *Tally) Cell(phase, op string) *Cell {
	sum := NewCell()
	for _, k := range t.keys {
		if (phase == "" || k.phase == phase) && (op == "" || k.op == op) {
			sum.Merge(t.cells[k])
		}
	}
	return sum
}

// Phases lists the phases in which operations were seen, in that order.
func (t *Tally) Phases() []string {
	return t.distinct(func(k cellKey) string { return k.phase })
}

// Ops lists the ops that were seen, in alphabetical order.
func (t *Tally) Ops() []string {
	ops := t.distinct(func(k cellKey) string { return k.op })
	slices.Sort(ops)
	return ops
}

func (t *Tally) distinct(of func(cellKey) string) []string {
	var list []string
	for _, k := range t.keys {
		if v := of(k); !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}

func (t *Tally) cell(k cellKey) *Cell {
	c := t.cells[k]
	if c == nil {
		c = NewCell()
		t.cells[k] = c
		t.keys = append(t.keys, k)
	}
	return c
}

// NewCell returns a cell that has counted nothing.
func NewCell() *Cell { return &Cell{ByClass: map[string]int64{}} }

// outcome returns the index of a completion's histogram, and a negative number
// for other kinds of event.
func outcome(k Kind) int { return slices.Index([]Kind{OK, Fail, Info}, k) }

// Observe counts the completion of an operation.
func (c *Cell) Observe(e *Event) {
	c.Offered++
	switch e.Kind {
	case OK:
		c.OK++
	case Fail:
		c.Failed++
	default:
		c.Info++
	}
	if e.Kind != OK {
		c.ByClass[cmp.Or(e.Class, string(e.Kind))]++
	}
	record(&c.lag, max(0, e.Sent-e.Sched))
	if e.Class == ClassShed {
		c.Shed++
		return // it was answered by nobody
	}
	record(&c.latencies[outcome(e.Kind)], e.At-e.Sched)
}

// Merge adds what o has counted.
func (c *Cell) Merge(o *Cell) {
	c.Offered += o.Offered
	c.OK += o.OK
	c.Failed += o.Failed
	c.Info += o.Info
	c.Shed += o.Shed
	for class, n := range o.ByClass {
		c.ByClass[class] += n
	}
	merge(&c.lag, o.lag)
	for i := range c.latencies {
		merge(&c.latencies[i], o.latencies[i])
	}
}

// Errors returns how many operations were not answered as their contract says.
func (c *Cell) Errors() int64 { return c.Offered - c.OK }

// Classes returns the operations that are not OK by class of the error, with at
// most [MaxClasses]: the rarest are counted as [ClassOther]. A tally itself keeps
// all, since what was folded could not be merged exactly.
func (c *Cell) Classes() map[string]int64 {
	names := slices.SortedFunc(maps.Keys(c.ByClass), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.ByClass[b], c.ByClass[a]), strings.Compare(a, b))
	})
	if len(names) > MaxClasses { // ClassOther is one of those that are left
		names = slices.DeleteFunc(names, func(name string) bool { return name == ClassOther })[:MaxClasses-1]
	}
	classes := make(map[string]int64, len(names)+1)
	rest := c.Errors()
	for _, name := range names {
		classes[name] = c.ByClass[name]
		rest -= c.ByClass[name]
	}
	if rest > 0 {
		classes[ClassOther] += rest
	}
	return classes
}

// Latency returns a quantile, from 0 to 1, of the time from the scheduled
// moment to the completion of operations with that outcome, to three digits.
// It is 0 if there are none.
func (c *Cell) Latency(outcomeOf Kind, q float64) time.Duration {
	i := outcome(outcomeOf)
	if i < 0 {
		return 0
	}
	return quantile(c.latencies[i], q)
}

// Lag returns a quantile, from 0 to 1, of the send lag: how long after its
// scheduled moment an operation was sent.
func (c *Cell) Lag(q float64) time.Duration { return quantile(c.lag, q) }

// HDR returns the histogram of latencies of operations with that outcome, in
// µs, in HdrHistogram's compressed V2 encoding as base64. It is empty if there
// are none.
func (c *Cell) HDR(outcomeOf Kind) (string, error) {
	i := outcome(outcomeOf)
	if i < 0 || c.latencies[i] == nil {
		return "", nil
	}
	enc, err := c.latencies[i].Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return "", fmt.Errorf("encode histogram: %w", err)
	}
	return string(enc), nil
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(MinLatency.Microseconds(), MaxLatency.Microseconds(), 3)
}

func record(h **hdrhistogram.Histogram, d time.Duration) {
	if *h == nil {
		*h = newHistogram()
	}
	_ = (*h).RecordValue(min(max(d, MinLatency), MaxLatency).Microseconds()) // cannot fail within the range
}

func merge(h **hdrhistogram.Histogram, from *hdrhistogram.Histogram) {
	if from == nil {
		return
	}
	if *h == nil {
		*h = newHistogram()
	}
	(*h).Merge(from)
}

func quantile(h *hdrhistogram.Histogram, q float64) time.Duration {
	if h == nil {
		return 0
	}
	return time.Duration(h.ValueAtQuantile(100*q)) * time.Microsecond
}
