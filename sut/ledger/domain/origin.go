package domain

import (
	"fmt"
	"strconv"
	"strings"
)

// A Source says what kind of store answered.
type Source string

// The sources of an answer.
const (
	Primary Source = "primary"
	Replica Source = "replica"
	Cache   Source = "cache"
)

// An Origin says where an answer came from. Timeline is the Postgres timeline
// of the node that gave it, 0 if no database took part.
type Origin struct {
	Source   Source
	Timeline int

	// Position is set by changes: a replica that has come this far has them.
	Position Position
}

// A Position is a place in the history of the database. The zero value is
// before everything.
type Position struct {
	Timeline int
	LSN      uint64 // bytes of write-ahead log
}

// IsZero reports whether the position is before everything.
func (p Position) IsZero() bool { return p == Position{} }

// String writes a position as clients carry it, for example "2-0/3000060".
func (p Position) String() string {
	return fmt.Sprintf("%d-%X/%X", p.Timeline, p.LSN>>32, uint32(p.LSN)) //nolint:gosec // the lower half is meant
}

// ParsePosition reads what [Position.String] wrote.
func ParsePosition(s string) (Position, error) {
	timeline, lsn, ok1 := strings.Cut(s, "-")
	high, low, ok2 := strings.Cut(lsn, "/")
	t, err1 := strconv.ParseUint(timeline, 10, 31)
	h, err2 := strconv.ParseUint(high, 16, 32)
	l, err3 := strconv.ParseUint(low, 16, 32)
	if !ok1 || !ok2 || err1 != nil || err2 != nil || err3 != nil {
		return Position{}, fmt.Errorf("%q is not a position such as 2-0/3000060", s)
	}
	return Position{Timeline: int(t), LSN: h<<32 | l}, nil
}

// A Consistency is what a reader asks for.
type Consistency string

// The consistencies of a read. Default reads the cache, then the primary, and
// may be as old as an invalidation takes to reach the cache; Strong reads the
// primary; Follower reads a replica and may be as old as replication lags, but
// not older than the position the reader brings along.
const (
	Default  Consistency = ""
	Strong   Consistency = "strong"
	Follower Consistency = "replica"
)

// A Reading says how fresh a read has to be.
type Reading struct {
	Want  Consistency
	After Position // for Follower: what the answer has to include
}
