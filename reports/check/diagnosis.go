package check

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// From when on what instances count about themselves is worth a finding. Each is
// far from what a sound service shows under its usual load.
const (
	pressedShare  = 0.10 // of looks at a pool, in which all of it was in use
	pressedLooks  = 10   // in calm, before anything is said of a pool
	waitedShare   = 0.20 // of connections that had to be waited for
	fewCounted    = 1000 // requests or reads, below which a ratio says nothing
	heldAfter     = 2 * time.Second
	heldLooks     = 3 // at a pool after the load, all of which saw connections held
	heldLeast     = 2 // connections, since one may be that of a health check
	heapBucket    = 10 * time.Second
	heapBuckets   = 60 // ten minutes: what grows for less may be warming up
	heapGrowth    = 1.5
	heapLeast     = 32 << 20 // bytes
	missedShare   = 0.50
	manyAttempts  = 10 // connections taken for a request
	bytesInAMega  = 1 << 20
	heapQuarters  = 4
	calmAfterHeal = 5 * time.Second // what has piled up while something was broken is worked off
)

// diagnosis looks for what is wrong with the system beside its promises, in what
// its instances and its databases count about themselves.
type diagnosis struct {
	fuse
	course *course
	faults *faults
	nodes  map[string]*vitals
	costs  costs
	calm   time.Duration // nothing is broken, and has not been for a while, from here on
	loadBy time.Duration // when the load of the drill ended, unseen while it goes on
}

// vitals are what is remembered of an instance.
type vitals struct {
	last  map[string]int64 // by counter
	sums  map[string]int64 // of what was counted in calm, by counter
	looks int              // at its pool, in calm
	full  int              // of these, with all of it in use
	used  int64            // the most connections in use at once

	quiet int           // looks at its pool after the load
	held  int64         // the fewest connections in use in them
	heap  []int64       // the least in each bucket, since the process began
	since time.Duration // of the latest bucket
}

func newDiagnosis(c *course, f *faults) *diagnosis {
	return &diagnosis{course: c, faults: f, nodes: map[string]*vitals{}, loadBy: unseen}
}

func (d *diagnosis) observe(e *history.Event) {
	switch {
	case e.By == history.ByRun && e.Op == history.RunDrill:
		d.loadBy = unseen
		for _, v := range d.nodes {
			v.quiet = 0
		}
	case e.By == history.ByRun && e.Op == history.RunLoadEnd:
		d.loadBy = e.At
	case e.By == history.ByProbe && e.Op == history.ProbeCounter && e.Kind != history.Fail:
		if d.faults.anyAt(e.At) {
			d.calm = e.At + calmAfterHeal
		}
		d.count(e)
	case e.By == history.ByAudit && (e.Op == history.AuditStatement || e.Op == history.AuditScan):
		d.costs.observe(e)
	}
}

// count takes a number that an instance counts about itself.
func (d *diagnosis) count(e *history.Event) {
	v := d.nodes[e.Node]
	if v == nil {
		v = &vitals{last: map[string]int64{}, sums: map[string]int64{}}
		d.nodes[e.Node] = v
	}
	was, known := v.last[e.Target]
	v.last[e.Target] = e.Value
	switch e.Target {
	case history.CounterPoolUsed:
		d.pool(v, e)
	case history.CounterHeap:
		v.grow(e)
	case history.CounterRequests, history.CounterAttempts, history.CounterPoolWaits, history.CounterCacheHits, history.CounterCacheMisses:
		if e.Value < was {
			was = 0
			v.heap = nil // it is another process
		}
		if known && d.loaded(e.At) {
			v.sums[e.Target] += e.Value - was
		}
	}
}

// loaded reports whether the load goes on and nothing is broken.
func (d *diagnosis) loaded(at time.Duration) bool { return d.loadBy == unseen && at >= d.calm }

// pool takes a look at a pool.
func (d *diagnosis) pool(v *vitals, e *history.Event) {
	switch {
	case d.loaded(e.At):
		v.looks++
		v.used = max(v.used, e.Value)
		most := v.last[history.CounterPoolMax]
		v.full += one(most > 0 && e.Value >= most)
	case d.loadBy != unseen && e.At >= d.loadBy+heldAfter && v.last[history.CounterInFlight] <= 1: // itself
		if v.quiet == 0 || e.Value < v.held {
			v.held = e.Value
		}
		v.quiet++
	}
}

// grow takes the size of a heap. The least in a while is what is in use, and
// little of it garbage.
func (v *vitals) grow(e *history.Event) {
	if n := len(v.heap); n > 0 && e.At < v.since+heapBucket {
		v.heap[n-1] = min(v.heap[n-1], e.Value)
		return
	}
	v.heap, v.since = append(v.heap, e.Value), e.At
}

// list returns the findings: of instances by node, then of databases.
func (d *diagnosis) list() []Diagnosis {
	var list []Diagnosis
	for _, node := range slices.Sorted(maps.Keys(d.nodes)) {
		v := d.nodes[node]
		for _, look := range []func() (Diagnosis, bool){v.saturated, v.holding, v.growing, v.missing, v.asking} {
			if found, ok := look(); ok {
				found.Node = node
				found.Text = node + " " + found.Text
				list = append(list, found)
			}
		}
	}
	return append(list, d.costs.list()...)
}

// saturated looks for a pool that is too small for the load.
func (v *vitals) saturated() (Diagnosis, bool) {
	waits, taken := v.sums[history.CounterPoolWaits], v.sums[history.CounterAttempts]
	full := v.looks >= pressedLooks && float64(v.full) >= pressedShare*float64(v.looks)
	waited := taken >= fewCounted && float64(waits) >= waitedShare*float64(taken)
	return Diagnosis{
		Sign: "pool-saturated",
		Text: fmt.Sprintf("has too few connections to its database: all %d were in use in %d of %d looks while nothing was broken", v.last[history.CounterPoolMax], v.full, v.looks),
		Evidence: []string{
			fmt.Sprintf("%s had to be waited for, of %s taken", many(waits, "connection"), count(taken)),
			fmt.Sprintf("at most %d in use at once, of %d", v.used, v.last[history.CounterPoolMax]),
		},
		Next: "see which statements hold connections longest; then more connections, up to what the pooler and the database allow, or less work for each",
	}, full || waited
}

// holding looks for connections that are not given back.
func (v *vitals) holding() (Diagnosis, bool) {
	return Diagnosis{
		Sign: "connections-held",
		Text: fmt.Sprintf("holds %s though nobody asks it for anything: they were not given back", many(v.held, "connection")),
		Evidence: []string{
			fmt.Sprintf("no fewer than %d in use in %s after the load", v.held, many(v.quiet, "look")),
			fmt.Sprintf("at most %d in use at once while nothing was broken, of %d", v.used, v.last[history.CounterPoolMax]),
		},
		Next: "look for rows, transactions or connections that are not closed where a request fails or is given up; load it for longer, and see the number rise",
	}, v.quiet >= heldLooks && v.held >= heldLeast
}

// growing looks for a heap that grows as long as the load goes on.
func (v *vitals) growing() (Diagnosis, bool) {
	if len(v.heap) < heapBuckets {
		return Diagnosis{}, false
	}
	var least [heapQuarters]int64
	var evidence []string
	n := len(v.heap) / heapQuarters
	rising, before := true, int64(-1)
	for i := range least {
		least[i] = slices.Min(v.heap[i*n : (i+1)*n])
		rising, before = rising && least[i] > before, least[i]
		evidence = append(evidence, fmt.Sprintf("at least %d MiB in quarter %d of %s", least[i]/bytesInAMega, i+1, span(time.Duration(len(v.heap))*heapBucket)))
	}
	first, last := least[0], least[heapQuarters-1]
	return Diagnosis{
		Sign:     "heap-grows",
		Text:     fmt.Sprintf("needs more and more memory: from %d MiB to %d MiB after each collection", first/bytesInAMega, last/bytesInAMega),
		Evidence: evidence,
		Next:     "take two heap profiles some minutes apart and compare what is in use; maps and caches without a bound, and goroutines that never end, are the usual causes",
	}, rising && last-first >= heapLeast && float64(last) >= heapGrowth*float64(first)
}

// missing looks for a cache that is not worth its round trips.
func (v *vitals) missing() (Diagnosis, bool) {
	hits, missed := v.sums[history.CounterCacheHits], v.sums[history.CounterCacheMisses]
	all := hits + missed
	return Diagnosis{
		Sign:     "cache-missed",
		Text:     fmt.Sprintf("finds %s of what it asks its cache for", value(unitPercent, 100*float64(hits)/float64(max(1, all)))),
		Evidence: []string{fmt.Sprintf("%s and %s while nothing was broken", many(hits, "hit"), misses(missed))},
		Next:     "see whether keys repeat at all, whether copies live long enough, and whether one change invalidates more than it concerns",
	}, all >= fewCounted && float64(missed) >= missedShare*float64(all)
}

func misses(n int64) string {
	if n == 1 {
		return "1 miss"
	}
	return count(n) + " misses"
}

// asking looks for requests that ask the database many times.
func (v *vitals) asking() (Diagnosis, bool) {
	taken, requests := v.sums[history.CounterAttempts], v.sums[history.CounterRequests]
	ratio := float64(taken) / float64(max(1, requests))
	return Diagnosis{
		Sign:     "many-queries",
		Text:     fmt.Sprintf("asks its database %s times for each request", digits(ratio)),
		Evidence: []string{fmt.Sprintf("%s taken for %s while nothing was broken", many(taken, "connection"), many(requests, "request"))},
		Next:     "look for a query in a loop over the rows of another (N+1), and read them all with one",
	}, requests >= fewCounted && ratio >= manyAttempts
}
