package check

import (
	"fmt"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// The verbs of the timeline that backups are about.
const (
	verbBackup  = "backup"
	verbRestore = "restore"
)

// clockSlack is how far the clock of a run and that of a database may be apart,
// where a restore goes back to a moment that only the run knows.
const clockSlack = 100 * time.Millisecond

// restoredWrites checks that each restored copy of the database holds a prefix of
// what had happened: all that was acknowledged up to where the copy has to go,
// nothing later without all that was acknowledged before it, nothing from after
// the moment that it goes back to, and nothing that was never written.
//
// A write that was lost from the database itself is missing in its copy with
// good reason, and other checks say so.
type restoredWrites struct {
	course     *course
	faults     *faults
	durability *durability
	copies     map[faultKey]*restoredCopy
}

// A restoredCopy is what one restore brought back.
type restoredCopy struct {
	rows    map[*write]restoredRow
	unknown []string // ids that nobody ever sent
	whole   bool     // all of it was read
	all     time.Duration
	until   time.Duration // 0: as far as the log goes
}

// A restoredRow is one write in a copy.
type restoredRow struct{ amount, effects int64 }

func newRestoredWrites(c *course, fs *faults, d *durability) *restoredWrites {
	return &restoredWrites{course: c, faults: fs, durability: d, copies: map[faultKey]*restoredCopy{}}
}

// Name returns "restored-writes".
func (*restoredWrites) Name() string { return nameRestored }

// Observe takes what was read from restored copies.
func (r *restoredWrites) Observe(e *history.Event) {
	if e.By != history.ByAudit || e.Op != history.AuditRestored {
		return
	}
	key := faultKey{r.course.number(e), r.durability.words.of(r.durability.words.number(e.Target))}
	c := r.copies[key]
	if c == nil {
		c = &restoredCopy{rows: map[*write]restoredRow{}}
		r.copies[key] = c
	}
	w := r.durability.writes[e.ID]
	switch {
	case e.ID == "":
		c.whole, c.all, c.until = true, time.Duration(e.Value), time.Duration(e.Amount)
	case w != nil && w.number() == key.drill:
		c.rows[w] = restoredRow{e.Amount, e.Count}
	case w == nil:
		c.unknown = append(c.unknown, r.durability.ids.keep(e.ID))
	}
}

// Verdict fails if a copy holds anything else than a prefix, or if there is none
// although one was asked for.
func (r *restoredWrites) Verdict() Verdict {
	if r.durability.blown != "" {
		return Verdict{Check: r.Name(), Outcome: Inconclusive, Reason: r.durability.blown}
	}
	var w wrongs
	doubt, pass := "", ""
	for _, f := range r.faults.all {
		if f.verb != verbRestore || f.t0 == unseen {
			continue
		}
		c := r.copies[faultKey{f.drill, f.name}]
		switch {
		case f.failed != "":
			w.say(fmt.Sprintf("%s failed in drill %d and brought back none of %s acknowledged until %.3f s: %s",
				f.name, f.drill, many(r.ackedUntil(f.drill, f.t0), "write"), f.t0.Seconds(), f.failed))
		case c == nil || !c.whole:
			doubt = fmt.Sprintf("%s was not done when the load of drill %d ended", f.name, f.drill)
		default:
			held, acked := r.judge(&w, f, c)
			if acked == 0 {
				doubt = fmt.Sprintf("no write was acknowledged before what %s brings back in drill %d", f.name, f.drill)
				continue
			}
			pass = fmt.Sprintf("%s holds %s of %s that were acknowledged in drill %d, all of the %s until %.3f s among them, and none without those before it",
				f.name, count(held), many(r.ackedUntil(f.drill, unbounded), "write"), f.drill, count(acked), r.due(f, c).Seconds())
		}
	}
	if doubt == "" && pass == "" {
		doubt = "nothing was restored"
	}
	return w.verdict(r.Name(), doubt, pass)
}

// unbounded is later than everything.
const unbounded = time.Duration(1<<63 - 1)

// due is the moment up to which all that was acknowledged has to be in a copy:
// what the restore had archived, or at least what was there when the newest
// finished backup began.
func (r *restoredWrites) due(f *fault, c *restoredCopy) time.Duration {
	due := c.all
	for _, b := range r.faults.all {
		if b.verb == verbBackup && b.drill == f.drill && b.t0 != unseen && b.settled != unseen && b.settled <= f.t0 {
			due = max(due, b.t0)
		}
	}
	if c.until > 0 {
		due = min(due, c.until-clockSlack)
	}
	return due
}

// ackedUntil counts the writes of a drill that were acknowledged by a moment and
// are not lost from the database itself.
func (r *restoredWrites) ackedUntil(drill int, until time.Duration) int {
	return r.durability.how(func(w *write) bool {
		return w.number() == drill && w.acknowledged() && w.acked <= until && !r.durability.lost(w)
	})
}

// judge says what is wrong with one copy, and returns how many acknowledged
// writes it holds and how many it has to.
func (r *restoredWrites) judge(w *wrongs, f *fault, c *restoredCopy) (held, acked int) {
	d, due := r.durability, r.due(f, c)
	newest := time.Duration(0)
	for row := range c.rows {
		newest = max(newest, row.invoked)
		held += one(row.acknowledged())
	}
	kind := func(fit func(*write, restoredRow, bool) bool, clause, also string) {
		list := d.which(func(w *write) bool {
			row, in := c.rows[w]
			return w.number() == f.drill && fit(w, row, in)
		})
		if len(list) > 0 {
			say := func(*write) string { return ", " + also + " " + f.name }
			w.say(were(len(list), "write")+" "+fmt.Sprintf(clause, f.name), describeAll(list, say)...)
			d.blameAll(w, list, say)
		}
	}
	gone := func(w *write, in bool) bool { return !in && w.acknowledged() && !d.lost(w) }
	kind(func(w *write, _ restoredRow, in bool) bool { return gone(w, in) && w.acked <= due },
		fmt.Sprintf("acknowledged until %.3f s and missing in %%s, which has to have them", due.Seconds()), "missing in")
	kind(func(w *write, _ restoredRow, in bool) bool { return gone(w, in) && w.acked > due && w.acked < newest },
		"acknowledged and missing in %s, though later ones are there", "missing in")
	kind(func(w *write, _ restoredRow, in bool) bool {
		return in && c.until > 0 && w.invoked > c.until+clockSlack
	}, fmt.Sprintf("sent after %.3f s and present in %%s, which goes back to then", c.until.Seconds()), "present in")
	kind(func(w *write, _ restoredRow, in bool) bool { return in && !w.acknowledged() && !w.indeterminate() },
		"refused or never attempted, and present in %s", "present in")
	kind(func(_ *write, row restoredRow, in bool) bool { return in && row.effects < 1 },
		"present by half in %s", "by half in")
	kind(func(w *write, row restoredRow, in bool) bool {
		return in && w.acknowledged() && w.amount != 0 && row.amount != 0 && row.amount != w.amount
	}, "altered in %s", "altered in")
	if n := len(c.unknown); n > 0 {
		w.say(fmt.Sprintf("%s never sent and present in %s", were(n, "write"), f.name), c.unknown[:min(n, maxExamples)]...)
	}
	return held, r.ackedUntil(f.drill, due)
}
