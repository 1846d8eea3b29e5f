package check

import (
	"cmp"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// verbHeal ends a fault, with which the history has what comes of it.
const verbHeal = "heal"

// A fault is what the history says of one entry of the timeline in one drill.
// Moments that are not in the history are [unseen].
type fault struct {
	name, verb, target, carries string
	drill                       int
	t0                          time.Duration // the inject call was about to be made
	called                      time.Duration // and returned
	settled                     time.Duration // seen in effect
	recover                     time.Duration // the recover call was about to be made
	recovered                   time.Duration // seen to be gone
	proof                       string        // that it was in effect
	failed                      string        // which step failed, and why
}

// breaks reports whether the entry is a fault rather than an operation or a
// note, which have no effect that could be observed or be undone.
func (f *fault) breaks() bool { return breaks(f.verb) }

func breaks(verb string) bool {
	switch verb {
	case "start", verbHeal, "backup", "restore", "scale", "sql", "exec", "http", "mark", "note", "gate":
		return false
	}
	return true
}

// ended returns when the fault stopped to be in effect for certain: from the
// recover call on, it may be gone at any moment.
func (f *fault) ended() time.Duration {
	if f.recover != unseen {
		return f.recover
	}
	return f.recovered
}

// healed is the end of a fault as an entry of its own, nil if there is none.
func (f *fault) healed(name string) *fault {
	if f == nil || f.recover == unseen {
		return nil
	}
	return &fault{
		name: name, verb: verbHeal, target: f.target, drill: f.drill, failed: f.failed, proof: f.proof,
		t0: f.recover, called: f.recovered, settled: f.recovered, recover: unseen, recovered: unseen,
	}
}

// cut returns when the fault was certainly in place. An acknowledgement between
// T0 and then is no sign of an old primary that went on: the call is not done
// in an instant.
func (f *fault) cut() time.Duration {
	if f.called != unseen {
		return f.called
	}
	return f.t0
}

type faultKey struct {
	drill int
	name  string
}

// faults follows the timeline.
type faults struct {
	fuse
	spec   *Spec
	course *course
	all    []*fault // in the order of injection
	byKey  map[faultKey]*fault
}

func newFaults(spec *Spec, c *course) *faults {
	return &faults{spec: spec, course: c, byKey: map[faultKey]*fault{}}
}

func (fs *faults) observe(e *history.Event) {
	if e.By != history.ByFault {
		return
	}
	key := faultKey{fs.course.number(e), e.ID}
	f := fs.byKey[key]
	if f == nil {
		f = &fault{
			name: e.ID, drill: key.drill, verb: e.Verb, target: e.Target,
			t0: unseen, called: unseen, settled: unseen, recover: unseen, recovered: unseen,
		}
		fs.byKey[key] = f
		fs.all = append(fs.all, f)
	}
	f.carries = cmp.Or(f.carries, e.Carries)
	if e.Kind == history.Fail || e.Op == history.FaultFailed {
		f.failed = cmp.Or(f.failed, e.Text, "no reason given")
		return
	}
	switch e.Op {
	case history.FaultInject:
		f.verb, f.target = cmp.Or(e.Verb, f.verb), cmp.Or(e.Target, f.target)
		first(&f.t0, e.At)
	case history.FaultInjected:
		first(&f.called, e.At)
	case history.FaultSettled:
		first(&f.settled, e.At)
		f.proof = cmp.Or(f.proof, e.Text)
	case history.FaultRecover:
		first(&f.recover, e.At)
	case history.FaultRecovered:
		first(&f.recovered, e.At)
	}
}

// first remembers the first moment at which something was seen.
func first(at *time.Duration, now time.Duration) {
	if *at == unseen {
		*at = now
	}
}

// get returns the fault of that name, nil if it was not injected. Of a heal it
// returns what the history says of it with the fault that it ended.
func (fs *faults) get(drill int, name string) *fault {
	f := fs.byKey[faultKey{drill, name}]
	if f == nil {
		if entry, _ := fs.spec.entry(name); entry.Verb == verbHeal {
			f = fs.byKey[faultKey{drill, entry.Target}].healed(name)
		}
	}
	if f == nil || f.t0 == unseen {
		return nil
	}
	return f
}

// firstIn returns when something was first broken in a drill.
func (fs *faults) firstIn(drill int) (time.Duration, bool) {
	at, ok := unseen, false
	for _, f := range fs.all {
		if f.drill == drill && f.t0 != unseen && (!ok || f.t0 < at) {
			at, ok = f.t0, true
		}
	}
	return at, ok
}

// disturb reports whether a moment lies in a fault window of its drill: from
// the inject call to the end of that phase, because a system needs time to
// come to itself after a fault is gone; or until the fault is seen to be gone,
// if that is later. In a fault window the load generator may lag or shed: it
// does so because the system is slow.
func (fs *faults) disturb(drill int, at time.Duration) bool {
	for _, f := range fs.all {
		if f.drill != drill || f.t0 == unseen || at < f.t0 {
			continue
		}
		open := f.breaks() && (f.recovered == unseen || at < f.recovered)
		if open || at < fs.course.phaseEnd(drill, f.t0) {
			return true
		}
	}
	return false
}

// windows lists the faults for the report.
func (fs *faults) windows() []FaultWindow {
	list := []FaultWindow{}
	for _, f := range fs.all {
		if f.t0 == unseen {
			continue
		}
		w := FaultWindow{
			Name: f.name, Verb: f.verb, Target: f.target, Drill: f.drill,
			From: ms(f.t0), Settled: msOrUnseen(f.settled), To: msOrUnseen(f.recovered),
			Proof: f.proof, Open: f.breaks() && f.recovered == unseen,
		}
		if !f.breaks() && f.recovered == unseen {
			w.To = w.Settled // an operation is over when its effect was seen
		}
		list = append(list, w)
	}
	return list
}
