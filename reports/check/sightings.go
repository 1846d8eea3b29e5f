package check

import (
	"slices"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// What sightings keep at most: of so many things, the latest versions.
const (
	maxSighted  = 200_000
	maxVersions = 16
)

// sightings remember which versions of things clients were shown, and when. A
// version that was seen exists, so that who asks later must not be shown an
// older one, within what staleness is allowed.
//
// Only answers of a database count, since a copy may be of what is gone. When
// another primary follows, it begins anew: whether what was seen before is still
// there is for others to say.
//
// A replica can show a version before its primary does, which waits for that
// replica to have it. Such a version is there for whoever may be shown an older
// one for a while, but has not been promised to anybody yet.
type sightings struct {
	fuse
	grain  time.Duration // versions of one thing that were seen closer together count as one
	newest map[string]*sighted
	full   bool // there were more things than are kept
}

// sighted is what was seen of one thing on one timeline.
type sighted struct {
	timeline int
	shown    versions // by any database
	strong   versions // by others than replicas
}

// versions of one thing, in ascending order.
type versions []version

type version struct {
	number int64
	at     time.Duration // when it was first seen
}

// newSightings remembers for so long at least how old an answer may be, however
// often a thing changes.
func newSightings(bound time.Duration) *sightings {
	return &sightings{grain: bound / (maxVersions/2 - 2), newest: map[string]*sighted{}}
}

// showed reports whether an event is the answer to a read.
func showed(e *history.Event) bool {
	return e.By == history.ByLoad && !e.Write && e.Kind == history.OK
}

// sees reports whether an event is a read that was shown a version.
func sees(e *history.Event) bool { return showed(e) && e.Value > 0 && e.Key != "" }

func (s *sightings) observe(e *history.Event) {
	if !showed(e) || e.Role == history.SourceCache {
		return
	}
	if sees(e) {
		s.see(e, e.Key, e.Value)
	}
	for key, number := range history.Sights(e.Saw) {
		s.see(e, key, number)
	}
}

func (s *sightings) see(e *history.Event, key string, number int64) {
	at := s.newest[key]
	switch {
	case at == nil && len(s.newest) == maxSighted:
		s.full = true
		return
	case at == nil || e.Timeline > at.timeline:
		at = &sighted{timeline: e.Timeline}
		s.newest[key] = at
	case e.Timeline < at.timeline:
		return
	}
	now := version{number, e.At}
	at.shown.add(now, s.grain)
	if e.Role != history.SourceReplica {
		at.strong.add(now, 0)
	}
}

// add adds a version. Of three that were seen within a grain the middle one is
// forgotten, so that those that are kept reach back far enough.
func (v *versions) add(now version, grain time.Duration) {
	n := len(*v)
	switch {
	case n > 0 && (*v)[n-1].number >= now.number:
		return
	case n > 1 && now.at-(*v)[n-2].at < grain:
		*v = (*v)[:n-1]
	case n == maxVersions:
		*v = slices.Delete(*v, 0, 1)
	}
	*v = append(*v, now)
}

// known reports whether anything is known of what a read asks for.
func (s *sightings) known(e *history.Event) bool {
	at := s.newest[e.Key]
	return at != nil && (e.Timeline == 0 || e.Timeline == at.timeline)
}

// missed returns the version that a read should have been shown, if it was shown
// an older one: the newest that somebody had seen by that long before the read
// was sent. Since is how long before it was sent that one was seen. With no bound
// what only replicas have shown does not count.
func (s *sightings) missed(e *history.Event, bound time.Duration) (want version, since time.Duration, is bool) {
	at := s.newest[e.Key]
	if at == nil || e.Timeline != 0 && e.Timeline != at.timeline {
		return version{}, 0, false
	}
	list := at.shown
	if bound == 0 {
		list = at.strong
	}
	for _, v := range slices.Backward(list) {
		if v.at <= e.Sent-bound {
			return v, e.Sent - v.at, v.number > e.Value
		}
	}
	return version{}, 0, false
}
