package check

import (
	"time"

	"github.com/proofload/proofload/reports/history"
)

// lateRead fits reads of accounts, long after all have been read.
func lateRead(source string) func(*history.Event) bool {
	return func(e *history.Event) bool {
		return e.By == history.ByLoad && e.Role == source && e.Kind == history.OK && e.Sched > 60*time.Second && e.Value > 20
	}
}

func countedSince(node, name string, from time.Duration) func(*history.Event) bool {
	return func(e *history.Event) bool {
		return e.Op == history.ProbeCounter && e.Node == node && e.Target == name && e.At >= from
	}
}

// backInTime has one session be shown by a replica what is a little older than it
// has seen before.
func backInTime(es []history.Event) []history.Event {
	type key struct{ session, key string }
	seen := map[key]history.Event{}
	var older int64
	return edit(es, func(e *history.Event) bool {
		if !sees(e) || e.Session == "" {
			return false
		}
		k := key{e.Session, e.Key}
		was, ok := seen[k]
		seen[k] = *e
		if !ok || e.Role != history.SourceReplica || was.Timeline != e.Timeline || e.Sched < 5*time.Second {
			return false
		}
		older = was.Value - 1
		return true
	}, func(e *history.Event) { e.Value = older })
}
