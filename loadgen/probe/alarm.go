package probe

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// alarmTimeout bounds how long a fault keeps the pace up, for faults after
// which nobody is promoted.
const alarmTimeout = time.Minute

// A Pace says how often a target is asked.
type Pace struct {
	Calm  time.Duration
	Alarm time.Duration // from a fault until the next primary is seen; zero: no other than when calm
}

// An alarm says when to look closely: from the moment at which something is
// done to one of the nodes, or to a link of one, until another primary follows.
type alarm struct {
	nodes    []string
	timeline int          // the newest of any primary; observe alone uses it
	until    atomic.Int64 // on the recorder's clock
}

// observe is told all events.
func (a *alarm) observe(e *history.Event) {
	switch {
	case e.By == history.ByFault && e.Op == history.FaultInject && e.Verb != "start" && a.concerns(e.Target):
		a.until.Store(int64(e.At + alarmTimeout))
	case e.By == history.ByProbe && e.Op == history.ProbeDatabase && e.Role == Primary && e.Timeline > a.timeline:
		a.timeline = e.Timeline
		a.until.Store(0)
	}
}

// concerns reports whether the target of a fault names one of the nodes, or a
// link of one.
func (a *alarm) concerns(target string) bool {
	return slices.ContainsFunc(a.nodes, func(node string) bool { return strings.Contains(target, node) })
}

func (a *alarm) on(now time.Duration) bool { return now < time.Duration(a.until.Load()) }
