package check

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/proofload/proofload/reports/history"
)

// A smallWorld makes short histories of one account, and asks Porcupine about
// them, which knows nothing of sweeps, versions that order reads or moves that
// commute.
type smallWorld struct {
	rng    *rand.Rand
	events []history.Event
	ops    []porcupine.Operation // the writes, as far as they happened
	reads  []*strongRead
	points []point
	moved  int64
}

// A point is when something takes effect.
type point struct {
	at float64
	do func(*linearState)
}

// The moments of a small history are whole seconds, so that many are the same.
const smallTicks = 24

func tick(n int) time.Duration { return time.Duration(1+n) * time.Second }

// write adds a write of one attempt or two that takes effect at some moment, if
// it does.
func (w *smallWorld) write(n, spread int) {
	id, by := fmt.Sprintf("w%d", n), []int64{-1, 1, 1, 2, 3, 7}[w.rng.IntN(6)]
	sent := w.rng.IntN(smallTicks)
	end := sent + w.rng.IntN(spread)
	attempt := func(sent, end int, kind history.Kind) {
		e := history.Event{At: tick(sent), By: history.ByLoad, Kind: history.Invoke, Op: "pay", Write: true, ID: id, Amount: by, Key: "other", Peer: "x"}
		w.events = append(w.events, e)
		e.Kind, e.At = kind, tick(end)
		w.events = append(w.events, e)
	}
	certain := w.rng.IntN(5) > 0
	again := sent
	if !certain || w.rng.IntN(4) == 0 {
		attempt(sent, end, history.Info)
		again = end
		end += w.rng.IntN(spread)
	}
	done, last := int64(tick(end)), end
	if certain {
		attempt(again, end, history.OK)
	} else {
		done, last = int64(tick(10*smallTicks)), smallTicks+5
		if w.rng.IntN(3) == 0 {
			return // it never happened
		}
	}
	row := stored(id, 1, 1)
	row.Amount, row.At = by, tick(20*smallTicks)
	w.events = append(w.events, row)
	w.ops = append(w.ops, porcupine.Operation{Input: linearInput{by: by, id: id}, Call: int64(tick(sent)), Output: linearState{}, Return: done})
	w.at(sent, last, func(s *linearState) { *s = linearState{s.balance + by, s.version + 1} })
	w.moved += by
}

// read adds a strong read.
func (w *smallWorld) read(spread int) {
	sent := w.rng.IntN(smallTicks)
	end := sent + w.rng.IntN(spread)
	r := &strongRead{sent: tick(sent), at: tick(end)}
	w.reads = append(w.reads, r)
	w.at(sent, end, func(s *linearState) { r.balance, r.version = s.balance, s.version })
}

// at has something take effect at a random moment between two.
func (w *smallWorld) at(from, to int, do func(*linearState)) {
	w.points = append(w.points, point{float64(from) + w.rng.Float64()*float64(to-from), do})
}

// spoil changes what a read was shown, or when it was: as a defect would.
func (w *smallWorld) spoil() {
	r, other := w.reads[w.rng.IntN(len(w.reads))], w.reads[w.rng.IntN(len(w.reads))]
	switch w.rng.IntN(5) {
	case 0:
		r.balance += int64(w.rng.IntN(5) - 2)
	case 1:
		r.version += int64(w.rng.IntN(3) - 1)
	case 2:
		r.balance, r.version = other.balance, other.version // it is stale, or early
	case 3:
		r.sent, r.at = other.sent, other.at
	case 4: // a lost update, of which a later read tells
		for _, later := range w.reads {
			if later.sent >= r.sent {
				later.balance++
			}
		}
	}
}

// history takes what was made to events, and to operations for Porcupine.
func (w *smallWorld) history() ([]history.Event, []porcupine.Operation) {
	events, ops := w.events, w.ops
	for _, r := range w.reads {
		e := strongly(sawOf(0, "", "x", history.SourcePrimary, 1, r.version), r.balance)
		e.Sent, e.At = r.sent, r.at
		events = append(events, e)
		ops = append(ops, porcupine.Operation{
			Input: linearInput{read: true}, Call: int64(r.sent), Output: linearState{r.balance, r.version}, Return: int64(r.at),
		})
	}
	for i := range ops {
		ops[i].ClientId = i
	}
	slices.SortStableFunc(events, func(a, b history.Event) int { return cmp.Compare(a.At, b.At) })
	return events, ops
}

func newSmallWorld(seed uint64) *smallWorld {
	w := &smallWorld{rng: rand.New(rand.NewPCG(seed, 1))}
	spread := []int{2, 4, 12}[w.rng.IntN(3)] // a calm account, a busy one, and one that is never at rest
	for n := range 1 + w.rng.IntN(7) {
		w.write(n, spread)
	}
	for range 2 + w.rng.IntN(6) {
		w.read(spread)
	}
	for range w.rng.IntN(4) { // slow ones
		w.read(smallTicks)
	}
	slices.SortFunc(w.points, func(a, b point) int { return cmp.Compare(a.at, b.at) })
	state := linearState{100, 5}
	for _, p := range w.points {
		p.do(&state)
	}
	return w
}

// TestLinearizableAgreesWithPorcupine judges small histories, lawful ones and
// spoilt ones, and asks plain Porcupine about the same.
func TestLinearizableAgreesWithPorcupine(t *testing.T) {
	const histories = 8000
	const first = 12_000 // among those that follow are some on which each part of the search depends
	said := map[string]int{}
	for i := range uint64(histories) {
		seed := first + i
		w := newSmallWorld(seed)
		spoilt := seed%3 > 0
		if spoilt {
			w.spoil()
		}
		events, ops := w.history()
		c := newCourse(nil)
		d := newDurability(c)
		l := newLinearizable(c, d)
		for _, e := range join(drillNo(0, 1), events, read(history.AuditDone)) {
			c.observe(&e)
			d.observe(&e)
			l.Observe(&e)
		}
		steps := 1 << 30
		lawful := porcupine.CheckOperations(model(&steps), ops)
		v := l.Verdict()
		if !spoilt && !lawful {
			t.Fatalf("history %d is lawful, and Porcupine says that it is not", seed)
		}
		if v.Outcome == Inconclusive && len(w.ops) == 0 && lawful { // nothing was written
			continue
		}
		if want := map[bool]Outcome{true: Pass, false: Fail}[lawful]; v.Outcome != want {
			t.Fatalf("history %d: %s (%s %v), and Porcupine says %s", seed, v.Outcome, v.Reason, v.Examples, want)
		}
		said[fmt.Sprint(v.Outcome, " ", spoilt)]++
		accounts, _ := l.accounts()
		for _, a := range accounts {
			a.sort()
			e := a.judge(&patience{once: 1, all: 1 << 20}) // which is given up again and again
			if lawful && e.text != "" {
				t.Fatalf("history %d: %s, once the search was given up, and Porcupine says that it is lawful", seed, e.text)
			}
			if e.text == "" && e.judged+e.unjudged != len(w.reads) {
				t.Fatalf("history %d: %d reads judged and %d not, of %d", seed, e.judged, e.unjudged, len(w.reads))
			}
			said["given up"] += one(e.unjudged > 0)
		}
	}
	if said["pass false"] < histories/4 || said["fail true"] < histories/8 || said["pass true"] < histories/20 || said["given up"] < histories/20 {
		t.Errorf("too few of a kind to show anything: %v", said)
	}
}
