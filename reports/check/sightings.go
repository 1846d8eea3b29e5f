package check

import (
	"slices"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// What sightings keep at most: of so many things, the latest versions.
const (
	maxSighted  = 200_000
	maxVersions = 8
)

// sightings remember which versions of things clients were shown, and when. A
// version that was seen exists, so that who asks later must not be shown an
// older one, within what staleness is allowed.
//
// Only answers of a database count, since a copy may be of what is gone. When
// another primary follows, it begins anew: whether what was seen before is still
// there is for others to say.
type sightings struct {
	fuse
	newest map[string]*sighted
	full   bool // there were more things than are kept
}

// sighted is what was seen of one thing on one timeline, in ascending order.
type sighted struct {
	timeline int
	versions []version
}

type version struct {
	number int64
	at     time.Duration // when it was first seen
}

func newSightings() *sightings { return &sightings{newest: map[string]*sighted{}} }

// sees reports whether an event is a read that was shown a version.
func sees(e *history.Event) bool {
	return e.By == history.ByLoad && !e.Write && e.Kind == history.OK && e.Value > 0 && e.Key != ""
}

func (s *sightings) observe(e *history.Event) {
	if !sees(e) || e.Role == history.SourceCache {
		return
	}
	at := s.newest[e.Key]
	if at == nil {
		if len(s.newest) == maxSighted {
			s.full = true
			return
		}
		at = &sighted{timeline: e.Timeline}
		s.newest[e.Key] = at
	}
	at.add(e)
}

func (s *sighted) add(e *history.Event) {
	switch {
	case e.Timeline < s.timeline:
		return
	case e.Timeline > s.timeline:
		s.timeline, s.versions = e.Timeline, nil
	}
	if n := len(s.versions); n > 0 && s.versions[n-1].number >= e.Value {
		return
	}
	if len(s.versions) == maxVersions {
		s.versions = slices.Delete(s.versions, 0, 1)
	}
	s.versions = append(s.versions, version{e.Value, e.At})
}

// known reports whether anything is known of what a read asks for.
func (s *sightings) known(e *history.Event) bool {
	at := s.newest[e.Key]
	return at != nil && (e.Timeline == 0 || e.Timeline == at.timeline)
}

// missed returns the version that a read should have been shown, if it was shown
// an older one: the newest that somebody had seen by that long before the read
// was sent. Since is how long before it was sent that one was seen.
func (s *sightings) missed(e *history.Event, bound time.Duration) (want version, since time.Duration, is bool) {
	at := s.newest[e.Key]
	if at == nil || e.Timeline != 0 && e.Timeline != at.timeline {
		return version{}, 0, false
	}
	for _, v := range slices.Backward(at.versions) {
		if v.at <= e.Sent-bound {
			return v, e.Sent - v.at, v.number > e.Value
		}
	}
	return version{}, 0, false
}
