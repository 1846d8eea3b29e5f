package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/proofload/proofload/reports/history"
)

// What a checker of snapshots keeps at most: so many lists of things, and of each
// the snapshots that have seen the most.
const (
	maxLists     = 4096
	maxSnapshots = 4096
)

// oneOrder checks for long forks: of two answers that show several things at one
// moment, each may not lack what the other shows. What they show must be states
// of one history, so that one of them is the later of everything.
//
// Only answers of the same kind of store are compared. PostgreSQL makes commits
// visible on a primary in another order than it writes them to its log, which
// replicas follow: between the two a fork is how it works, and happens in calm.
// Copies in a cache are of any age.
type oneOrder struct {
	lists  map[listKey]*orderedSnapshots
	asked  int // snapshots with another to compare with
	forked int
	full   bool
	wrongs wrongs
}

// A listKey names what is comparable: the same things, from the same kind of
// store, in the same history of the database.
type listKey struct {
	things, source string
	timeline       int
}

// orderedSnapshots are different ones of the same things, each later than the one
// before.
type orderedSnapshots struct{ chain []snapshot }

type snapshot struct {
	versions []int64 // in the order of the things
	sum      int64
	event    string // what showed it, for people
}

func newOneOrder() *oneOrder { return &oneOrder{lists: map[listKey]*orderedSnapshots{}} }

// Name returns "snapshots-in-order".
func (*oneOrder) Name() string { return nameOneOrder }

// Observe takes answers that show at least two things.
func (o *oneOrder) Observe(e *history.Event) {
	if e.By != history.ByLoad || e.Write || e.Kind != history.OK || e.Saw == "" || e.Role == history.SourceCache {
		return
	}
	things, s := readSnapshot(e)
	if len(s.versions) < 2 {
		return
	}
	key := listKey{things, e.Role, e.Timeline}
	list := o.lists[key]
	switch {
	case list == nil && len(o.lists) == maxLists:
		o.full = true
		return
	case list == nil:
		o.lists[key] = &orderedSnapshots{chain: []snapshot{s}}
		return
	}
	o.asked++
	if other, forks := list.add(s); forks {
		o.fork(e, things, s, other)
	}
}

// readSnapshot returns the things that an answer shows, sorted, and their
// versions. A thing that is there twice counts as it was shown first.
func readSnapshot(e *history.Event) (things string, s snapshot) {
	type sight struct {
		key     string
		version int64
	}
	var all []sight
	for key, version := range history.Sights(e.Saw) {
		all = append(all, sight{key, version})
	}
	slices.SortStableFunc(all, func(a, b sight) int { return cmp.Compare(a.key, b.key) })
	all = slices.CompactFunc(all, func(a, b sight) bool { return a.key == b.key })
	keys := make([]string, 0, len(all))
	for _, one := range all {
		keys = append(keys, one.key)
		s.versions = append(s.versions, one.version)
		s.sum += one.version
	}
	s.event = fmt.Sprintf("%s sent at %.3f s", e.Op, e.Sent.Seconds())
	return strings.Join(keys, " "), s
}

// add puts a snapshot in its place among the others, or returns one that it
// forks from. Where all are in one order, that of their sums is it, so that its
// two neighbours are the only ones to look at.
func (l *orderedSnapshots) add(s snapshot) (other snapshot, forks bool) {
	i, same := slices.BinarySearchFunc(l.chain, s, func(a, b snapshot) int { return cmp.Compare(a.sum, b.sum) })
	switch {
	case same && !slices.Equal(l.chain[i].versions, s.versions):
		return l.chain[i], true
	case same:
		return snapshot{}, false
	case i > 0 && !s.after(l.chain[i-1]):
		return l.chain[i-1], true
	case i < len(l.chain) && !l.chain[i].after(s):
		return l.chain[i], true
	}
	l.chain = slices.Insert(l.chain, i, s)
	if len(l.chain) > maxSnapshots {
		l.chain = slices.Delete(l.chain, 0, 1)
	}
	return snapshot{}, false
}

// after reports whether nothing in s is older than in o.
func (s snapshot) after(o snapshot) bool {
	for i, v := range s.versions {
		if v < o.versions[i] {
			return false
		}
	}
	return true
}

// fork notes that two snapshots each lack what the other shows.
func (o *oneOrder) fork(e *history.Event, things string, s, other snapshot) {
	o.forked++
	text := s.event + " and " + other.event + ": " + differences(things, s, other)
	if len(o.wrongs.examples) < maxExamples {
		o.wrongs.examples = append(o.wrongs.examples, text)
	}
	o.wrongs.groups.add(caught{op: e.Op, id: e.Saw, node: e.Node, corr: e.Correlation(), at: e.At, text: func() string { return text }})
}

// differences names one thing of which the first snapshot shows more than the
// second, and one of which it shows less.
func differences(things string, s, other snapshot) string {
	var more, less string
	i := 0
	for key := range strings.FieldsSeq(things) {
		switch a, b := s.versions[i], other.versions[i]; {
		case a > b && more == "":
			more = fmt.Sprintf("the first shows version %d of %s and the second only %d", a, key, b)
		case a < b && less == "":
			less = fmt.Sprintf("%s version %d and %d", key, a, b)
		}
		i++
	}
	return more + "; of " + less
}

// Verdict fails if snapshots are in no order.
func (o *oneOrder) Verdict() Verdict {
	doubt := ""
	switch {
	case o.asked == 0:
		doubt = "no two answers showed the same things at one moment"
	case o.full:
		doubt = "answers showed more than " + many(maxLists, "different list")
	}
	if o.forked > 0 {
		o.wrongs.say(fmt.Sprintf("%d of %s forked: it lacks what another shows, and shows what that one lacks", o.forked, many(o.asked, "snapshot")))
	}
	return o.wrongs.verdict(o.Name(), doubt, many(o.asked, "snapshot")+" of several things, all in one order")
}
