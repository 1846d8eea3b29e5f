package check

import (
	"fmt"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// cacheCoherent checks that copies in a cache are no older than they may be: not
// older than what a database had shown that much earlier.
type cacheCoherent struct {
	sightings *sightings
	bound     time.Duration
	asked     int // reads of what was known
	stale     staleReads
}

// Name returns "cache-coherent".
func (*cacheCoherent) Name() string { return nameCoherent }

// Observe takes reads that a cache has answered.
func (c *cacheCoherent) Observe(e *history.Event) {
	if !sees(e) || e.Role != history.SourceCache || !c.sightings.known(e) {
		return
	}
	c.asked++
	c.stale.look(c.sightings, e, c.bound)
}

// Verdict fails if a copy was older than allowed.
func (c *cacheCoherent) Verdict() Verdict {
	doubt := ""
	switch {
	case c.sightings.blown != "":
		doubt = c.sightings.blown
	case c.asked == 0:
		doubt = "no read was answered from a cache of what a database had shown"
	case c.sightings.full:
		doubt = fmt.Sprintf("more than %s were read", many(maxSighted, "thing"))
	}
	return c.stale.verdict(c.Name(), c.asked, doubt, "allowed are "+span(c.bound))
}
