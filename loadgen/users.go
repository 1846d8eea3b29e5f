package loadgen

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// users are the clients of the closed phases. Only the pacer calls them.
type users struct {
	phases []closedPhase // that are not over, on the recorder's clock
	share  Share
	seed   uint64
	done   chan ended // has room for all users
	ready  readyQueue // who thinks until when, in the first of phases
	in     bool       // the first of phases has begun
	busy   map[int]bool
	minds  map[int]*rand.Rand
}

// A closedPhase is a closed phase with its place in time.
type closedPhase struct {
	Users

	name       string
	start, end time.Duration
}

// An ended says when a user's operation has ended.
type ended struct {
	user int
	at   time.Duration
}

// newUsers returns the users of a schedule that begins at start, nil if it has
// no closed phases.
func newUsers(s *Schedule, start time.Duration, share Share) *users {
	u := &users{share: share, seed: s.seed, busy: map[int]bool{}, minds: map[int]*rand.Rand{}}
	most := 0
	for i := range s.phases {
		p := &s.phases[i]
		if p.Profile != Closed {
			continue
		}
		u.phases = append(u.phases, closedPhase{Users: p.Users, name: p.Name, start: start + p.start, end: start + p.start + p.For})
		most = max(most, p.Users.From, p.Users.To)
	}
	if len(u.phases) == 0 {
		return nil
	}
	u.done = make(chan ended, most)
	return u
}

// advance takes note of what has happened: operations that have ended, phases
// that have begun or are over by now, which is a moment of the schedule.
func (u *users) advance(now time.Duration) {
	for len(u.phases) > 0 && now >= u.phases[0].end {
		u.phases, u.in, u.ready = u.phases[1:], false, nil
	}
	for {
		select {
		case e := <-u.done:
			u.ended(e)
			continue
		default:
		}
		break
	}
	if u.in || len(u.phases) == 0 || now < u.phases[0].start {
		return
	}
	u.in = true
	p := &u.phases[0]
	for user := u.share.Index; user < max(p.From, p.To); user += u.share.Of {
		if !u.busy[user] {
			u.wake(user, p.start)
		}
	}
}

// ended has a user think.
func (u *users) ended(e ended) {
	delete(u.busy, e.user)
	if u.in {
		u.wake(e.user, e.at+u.think(e.user))
	}
}

// wake has a user ready at a moment, or when the user joins the phase if that
// is later.
func (u *users) wake(user int, at time.Duration) {
	p := &u.phases[0]
	join, _ := p.present(user)
	if at < join || at == p.start {
		// Who joins has been thinking for some time, so that not all send at once.
		at = join + time.Duration(u.mind(user).Float64()*float64(u.think(user)))
	}
	heap.Push(&u.ready, ended{user, at})
}

// later has the phases that are not over at a moment begin and end later, as far
// as they did not begin before.
func (u *users) later(from, by time.Duration) {
	for i := range u.phases {
		p := &u.phases[i]
		if p.start > from {
			p.start += by
		}
		if p.end > from {
			p.end += by
		}
	}
}

// present returns from when until when a user takes part in a phase. Their
// number goes evenly from that at its start to that at its end.
func (p *closedPhase) present(user int) (join, leave time.Duration) {
	join, leave = p.start, p.end
	change := float64(p.To - p.From)
	cross := p.start + time.Duration((float64(user)+0.5-float64(p.From))/change*float64(p.end-p.start))
	switch {
	case user >= max(p.From, p.To):
		return p.end, p.start
	case user >= p.From:
		join = cross
	case user >= p.To:
		leave = cross
	}
	return join, leave
}

// next takes the next user who is ready, if there is one by now, and who has not
// left the phase by then. Until hold it is known who leaves when.
func (u *users) next(now, hold time.Duration) (user int, at time.Duration, phase string, ok bool) {
	for len(u.ready) > 0 && u.ready[0].at <= now {
		e := heap.Pop(&u.ready).(ended) // nothing else is in it
		if _, leave := u.phases[0].present(e.user); leave <= e.at && leave <= hold {
			continue
		}
		u.busy[e.user] = true
		return e.user, e.at, u.phases[0].name, true
	}
	return 0, 0, "", false
}

// wakes returns when advance or next has something to do, if no operation ends
// before. The schedule stands still from hold on.
func (u *users) wakes(hold time.Duration) time.Duration {
	if len(u.phases) == 0 {
		return forever
	}
	at := u.phases[0].end
	if !u.in {
		at = u.phases[0].start
	}
	if at > hold {
		at = forever
	}
	if u.in && len(u.ready) > 0 {
		at = min(at, u.ready[0].at)
	}
	return at
}

// think returns how long a user thinks this time.
func (u *users) think(user int) time.Duration {
	p := &u.phases[0]
	spread := p.ThinkMost - p.ThinkLeast
	if spread == 0 {
		return p.ThinkLeast
	}
	return p.ThinkLeast + time.Duration(u.mind(user).Int64N(int64(spread)+1))
}

// mind returns the random numbers of a user, which depend on no other user.
func (u *users) mind(user int) *rand.Rand {
	if u.minds[user] == nil {
		u.minds[user] = rand.New(rand.NewPCG(u.seed, 1<<63|uint64(user))) //nolint:gosec // not negative
	}
	return u.minds[user]
}

// A readyQueue is a heap of users by when they are ready.
type readyQueue []ended

func (q readyQueue) Len() int { return len(q) }

func (q readyQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].user < q[j].user
}

func (q readyQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements [heap.Interface].
func (q *readyQueue) Push(x any) { *q = append(*q, x.(ended)) }

// Pop implements [heap.Interface].
func (q *readyQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
