package check

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// maxIDs bounds the lists of ids in a result.
const maxIDs = 100

// A write is what the history says of one id. The same id may be sent more
// than once: that is one write, which happened if any of them was acknowledged.
//
// There may be millions of them: mind its size.
type write struct {
	invoked time.Duration // first seen
	acked   time.Duration // first acknowledged, or unseen
	amount  int64         // 0 if attempts differed
	stored  int64         // amount in the store
	seq     uint32        // of the attempt that counts, see [history.Event.Seq]

	drill   int32
	open    int32 // sent and not yet completed
	rows    int32 // found in the final reads of its drill
	effects int32 // on the books
	jobs    int32

	op, node, key, peer, session uint32 // see durability.words

	later laterRow

	unknown   bool // some attempt may have happened
	uncounted bool // it is there, and nobody knows how often
	attempted bool // false: refused by our own generator, or not ours at all
	read      bool // some client was shown it
}

// A laterRow is what the final reads of a later drill found of a write.
type laterRow struct {
	drill               int16 // 0: nothing
	rows, effects, jobs int16
}

// A durability compares what clients were told with what is in the store. It
// keeps one record for every write.
//
// The sets are Jepsen's: acknowledged writes are lost or found; writes of
// unknown outcome are recovered if they are found; what was refused, or never
// attempted, and is found is unexpected. Whatever clients were shown and is not
// found was observed, then lost, also if its own client never learned of it.
type durability struct {
	fuse
	course  *course
	writes  map[string]*write
	byDrill map[int][]*write
	words   words
	ids     arena
	slab    []write           // room for writes that are to come
	corrs   map[string]string // correlation ids that the workload chose, by the write's id
	reads   int               // that showed a write

	reread int    // the last drill after which the writes of all before it were read again
	unsure string // why they could not all be
}

// slabSize is how many writes are made room for at once.
const slabSize = 4096

// An arena keeps many short strings in few pieces of memory.
type arena struct{ piece strings.Builder }

// keep returns a copy of s.
func (a *arena) keep(s string) string {
	const size = 64 << 10
	if len(s) > size/16 {
		return strings.Clone(s)
	}
	if a.piece.Cap()-a.piece.Len() < len(s) {
		a.piece = strings.Builder{}
		a.piece.Grow(size)
	}
	from := a.piece.Len()
	a.piece.WriteString(s)
	return a.piece.String()[from:]
}

func newDurability(c *course) *durability {
	return &durability{course: c, writes: map[string]*write{}, byDrill: map[int][]*write{}, corrs: map[string]string{}}
}

func (d *durability) observe(e *history.Event) {
	switch {
	case e.By == history.ByLoad && !e.Write && e.Kind == history.OK:
		if w := d.writes[e.Key]; w != nil && !absent(e) { // the read was of a write's id
			w.read = true
			d.reads++
		}
	case e.By == history.ByAudit && e.Op == history.AuditEarlier:
		d.observeEarlier(e)
	case e.ID == "":
	case e.By == history.ByLoad && e.Write:
		d.observeWrite(e)
	case e.By == history.ByAudit && e.Op == history.AuditWrite && e.Kind != history.Fail:
		d.observeFound(e)
	}
}

func (d *durability) observeWrite(e *history.Event) {
	w := d.writes[e.ID]
	if w == nil {
		w = d.add(e)
		w.amount = e.Amount
		w.key, w.peer, w.session = d.words.number(e.Key), d.words.number(e.Peer), d.words.number(e.Session)
	}
	if e.Amount != w.amount {
		w.amount = 0
	}
	w.invoked = min(w.invoked, e.At)
	w.attempted = w.attempted || e.Kind != history.Fail
	if e.Kind == history.Invoke {
		w.open++
		return
	}
	w.open = max(0, w.open-1)
	w.unknown = w.unknown || e.Kind == history.Info
	if e.Kind == history.OK && (w.acked == unseen || e.At < w.acked) {
		w.acked = e.At
		w.node = 0
	}
	if w.node == 0 {
		w.node, w.seq = d.words.number(e.Node), uint32(e.Seq) //nolint:gosec // no drill has so many
		if e.Corr != "" {
			d.corrs[e.ID] = e.Corr
		}
	}
}

// absent reports whether an answer says that there is no such thing.
func absent(e *history.Event) bool {
	return e.Status == http.StatusNotFound || e.Status == http.StatusGone
}

// missed returns the id of the write that an operation needed and was told not
// to exist: the one that a read asked for, or that a write builds on. It is empty
// of all other operations. Whether the answer is right depends on whether that
// write is lost, which nobody knows before the final reads.
func missed(e *history.Event) string {
	switch {
	case e.Kind != history.Fail || !absent(e):
		return ""
	case e.Write:
		return e.Of
	}
	return e.Key
}

// correlation returns the correlation id of the attempt of a write that counts.
func (d *durability) correlation(r record) string {
	if chosen := d.corrs[r.id]; chosen != "" || r.seq == 0 {
		return chosen
	}
	return history.CorrelationID(r.number(), uint64(r.seq-1))
}

func (d *durability) add(e *history.Event) *write {
	if len(d.slab) == 0 {
		d.slab = make([]write, slabSize)
	}
	w := &d.slab[0]
	d.slab = d.slab[1:]
	drill := d.course.number(e)
	*w = write{drill: int32(drill), invoked: e.At, acked: unseen, op: d.words.number(e.Op)} //nolint:gosec // there are not so many
	d.writes[d.ids.keep(e.ID)] = w
	d.byDrill[drill] = append(d.byDrill[drill], w)
	return w
}

// observeFound takes a row of the final reads.
func (d *durability) observeFound(e *history.Event) {
	drill := d.course.number(e)
	w := d.writes[e.ID]
	if w == nil {
		w = d.add(e)
	}
	if w.number() != drill {
		w.later.add(int16(drill), e) //nolint:gosec // there are not so many
		return
	}
	w.rows++
	w.jobs += few(e.Jobs)
	w.stored = e.Amount
	if e.Count == history.Uncounted {
		w.uncounted = true
		w.effects = max(1, w.effects)
		return
	}
	w.effects += few(e.Count)
}

// few is a count of effects: whether there are a thousand or a million too many
// makes no difference.
func few(n int64) int32 { return int32(min(max(n, -1000), 1000)) }

// number is that of its drill.
func (w *write) number() int { return int(w.drill) }

func (w *write) acknowledged() bool  { return w.acked != unseen }
func (w *write) indeterminate() bool { return !w.acknowledged() && (w.unknown || w.open > 0) }
func (w *write) found() bool         { return w.effects > 0 }
func (w *write) duplicated() bool    { return w.found() && (w.rows > 1 || w.effects > 1 || w.jobs > 1) }
func (w *write) unexpected() bool    { return w.found() && !w.acknowledged() && !w.indeterminate() }
func (w *write) undone() bool        { return w.acknowledged() && w.found() && w.jobs < 1 }

// unsettled reports whether a write is there, and nobody knows how often.
func (w *write) unsettled() bool { return w.uncounted && !w.duplicated() }

// altered reports whether the store has another amount than was acknowledged.
func (w *write) altered() bool {
	return w.acknowledged() && w.found() && w.amount != 0 && w.stored != 0 && w.amount != w.stored
}

// lost reports whether an acknowledged write is gone. Nothing is lost as long
// as the final reads of its drill are not complete: it may not have been
// reached.
func (d *durability) lost(w *write) bool {
	return w.acknowledged() && !w.found() && d.course.unread(w.number()) == ""
}

// isLost reports whether there was a write of that id, acknowledged and then
// lost.
func (d *durability) isLost(id string) bool {
	w := d.writes[id]
	return id != "" && w != nil && d.lost(w)
}

// observedThenLost reports whether a write that some client was shown is gone,
// acknowledged or not.
func (d *durability) observedThenLost(w *write) bool {
	return w.read && !w.found() && d.course.unread(w.number()) == ""
}

// at is the moment a write is counted at when it is assigned to an event.
func (w *write) at() time.Duration {
	if w.acknowledged() {
		return w.acked
	}
	return w.invoked
}

// A record is a write with its id.
type record struct {
	id string
	*write
}

// which returns the writes that fit, oldest first.
func (d *durability) which(fit func(*write) bool) []record {
	var list []record
	for id, w := range d.writes {
		if fit(w) {
			list = append(list, record{id, w})
		}
	}
	slices.SortFunc(list, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.at(), b.at()), cmp.Compare(a.id, b.id))
	})
	return list
}

// how counts the writes that fit.
func (d *durability) how(fit func(*write) bool) int {
	n := 0
	for _, w := range d.writes {
		if fit(w) {
			n++
		}
	}
	return n
}

// acknowledged counts the acknowledged writes of all drills.
func (d *durability) acknowledged() int { return d.how((*write).acknowledged) }

// uncounted says why nobody knows of all writes that fit how often they are there,
// empty if somebody does.
func (d *durability) uncounted(fit func(*write) bool) string {
	n := d.how(func(w *write) bool { return w.unsettled() && fit(w) })
	if n == 0 {
		return ""
	}
	return were(n, "write") + " found by a lookup that does not say how often it is there: give the lookup a count:"
}

// unfinished counts writes whose completion is not in the history.
func (d *durability) unfinished() int {
	return d.how(func(w *write) bool { return w.open > 0 })
}

// totals accounts for every write of the run. The given function returns when
// the first fault with a recovery objective in a drill was certainly in place.
func (d *durability) totals(cut func(drill int) (time.Duration, bool)) Writes {
	var total Writes
	for _, w := range d.writes {
		total.Attempted += one(w.attempted)
		total.Acknowledged += one(w.acknowledged())
		total.Found += one(w.acknowledged() && w.found() && !d.vanished(w))
		total.Duplicated += one(w.duplicated() || w.doubledLater())
		total.Indeterminate += one(w.indeterminate())
		total.Recovered += one(w.indeterminate() && w.found())
		total.Unexpected += one(w.unexpected())
		total.ObservedThenLost += one(d.observedThenLost(w) || w.read && d.vanished(w))
		if !d.gone(w) {
			continue
		}
		total.Lost++
		total.LostAmount += w.amount
		if at, ok := cut(w.number()); ok && w.acked >= at && d.lost(w) {
			total.LostAfterT0++
		}
	}
	total.LostIDs = ids(d.which(d.gone))
	total.DuplicatedIDs = ids(d.which(func(w *write) bool { return w.duplicated() || w.doubledLater() }))
	return total
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

// ids returns the ids of the first writes of a list.
func ids(list []record) []string {
	var out []string
	for _, r := range list[:min(len(list), maxIDs)] {
		out = append(out, r.id)
	}
	return out
}
