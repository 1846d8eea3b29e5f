package cache

import (
	"cmp"
	"fmt"
	"strconv"
)

// A Version orders the states of one thing. The timeline comes first: after a
// failover that lost writes, numbers are given a second time, and what was
// written on the old timeline must give way even if its number is higher.
type Version struct {
	Timeline int
	Number   int64
}

// Compare is negative if v is older than w, positive if newer, 0 if the same.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Timeline, w.Timeline), cmp.Compare(v.Number, w.Number))
}

const encodedVersion = 8 + 16

// encode writes a version so that the order of the bytes is the order of the
// versions, which lets the scripts in Redis compare them as strings.
func (v Version) encode() string {
	return fmt.Sprintf("%08x%016x", uint32(v.Timeline), uint64(v.Number)) //nolint:gosec // both are never negative
}

// decode splits a cached value into version and payload. An empty payload is
// the mark of an invalidation.
func decode(value string) (v Version, payload string, ok bool) {
	if len(value) < encodedVersion {
		return Version{}, "", false
	}
	timeline, err1 := strconv.ParseUint(value[:8], 16, 31)
	number, err2 := strconv.ParseUint(value[8:encodedVersion], 16, 63)
	if err1 != nil || err2 != nil {
		return Version{}, "", false
	}
	return Version{Timeline: int(timeline), Number: int64(number)}, value[encodedVersion:], true
}
