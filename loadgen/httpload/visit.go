package httpload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
)

// A visit is one client that goes through a journey. It is on one goroutine at a
// time: the schedule's for its first request, and then its own.
type visit struct {
	w       *Workload
	journey *journey
	drill   int
	seq     uint64
	rng     *rand.Rand
	rows    []int // of each feed of the file
	locals  []value
	recents map[int]kept // by slot
	cookies []*http.Cookie
	open    *channel // nil: none
	own     string   // id of the latest write that was acknowledged to it

	at     int       // index of its step
	key    value     // what the system knows its write by, once it is known
	token  *loggedIn // that its request was sent with
	broken error     // why its request cannot be made
}

// begin takes the rows that the journey uses.
func (v *visit) begin() {
	v.locals = make([]value, v.journey.locals)
	if len(v.journey.feeds) == 0 {
		return
	}
	v.rows = make([]int, len(v.w.feeds))
	for _, i := range v.journey.feeds {
		row, err := v.w.feeds[i].row(v.rng)
		if err != nil {
			v.broken = err
		}
		v.rows[i] = row
	}
}

// recent returns the write of another request that this visit asks for.
func (v *visit) recent(slot int, source *step) kept {
	k, ok := v.recents[slot]
	if !ok {
		k = v.w.pools[source.index].pick(v.rng)
		if v.recents == nil {
			v.recents = map[int]kept{}
		}
		v.recents[slot] = k
	}
	return k
}

// operation makes the request that the visit has come to.
func (v *visit) operation() loadgen.Operation {
	s := v.journey.steps[v.at]
	v.key, v.token = value{}, nil
	if s.channel == heldKind {
		return v.hold(s)
	}
	for _, a := range s.set {
		if a.whole != nil {
			v.locals[a.slot] = a.whole(v)
			continue
		}
		v.locals[a.slot] = text(a.value.render(v))
	}
	if s.ack != nil && s.ack.made != nil {
		v.key = text(s.ack.made.render(v))
	}
	op := loadgen.Operation{
		Op: s.op, ID: v.id(s), Write: s.writes(), Method: s.method, Judge: v.judge,
		Extras: loadgen.Extras{Timeout: s.timeout, MaxBody: s.maxBody, Then: v.then},
	}
	if s.statement != nil || s.message != nil {
		op.Run = v.carryOut(s)
	} else {
		v.request(s, &op)
	}
	for _, slot := range s.recents {
		op.Key = v.recents[slot].id
	}
	v.promise(s, &op)
	if v.broken != nil || s.login && v.w.logins != nil {
		op.Prepare = v.prepare
	}
	return op
}

// request makes the request of a step.
func (v *visit) request(s *step, op *loadgen.Operation) {
	op.Path, op.Header = pathOf(s.path.render(v)), v.header(s)
	if s.body != nil {
		op.Body = []byte(s.body.render(v))
	}
	if s.channel != "" {
		op.Do = v.connect
	}
}

// id returns the id of the write of a step in the history: its key, where the
// client makes it. A write that cannot be looked up has none, for nobody could
// say that it is lost.
func (v *visit) id(s *step) string {
	switch {
	case s.ack == nil || s.ack.lookup == nil:
		return ""
	case s.ack.made != nil:
		return v.key.text
	}
	return fmt.Sprintf("%s-%d-%d", s.op, v.drill, v.seq)
}

// header makes the header of a step.
func (v *visit) header(s *step) http.Header {
	h := make(http.Header, len(s.headers)+1)
	if s.kind != "" {
		h.Set("Content-Type", s.kind)
	}
	for _, f := range s.headers {
		text := f.value.render(v)
		if !httpguts.ValidHeaderFieldValue(text) {
			v.broken = fmt.Errorf("the value of header %s cannot be sent: it has a line break or another control character", f.name)
			continue
		}
		h.Set(f.name, text)
	}
	if len(v.cookies) > 0 && h.Get("Cookie") == "" {
		pairs := make([]string, len(v.cookies))
		for i, c := range v.cookies {
			pairs[i] = c.Name + "=" + c.Value
		}
		h.Set("Cookie", strings.Join(pairs, "; "))
	}
	return h
}

// keepCookies takes the cookies of an answer, as a browser would for the rest of
// the journey. All of it goes to one system, so they are sent whatever their
// domain and path.
func (v *visit) keepCookies(header http.Header) {
	if len(header["Set-Cookie"]) == 0 || v.at+1 == len(v.journey.steps) {
		return
	}
	for _, c := range (&http.Response{Header: header}).Cookies() {
		v.cookies = slices.DeleteFunc(v.cookies, func(o *http.Cookie) bool { return o.Name == c.Name })
		if !deletes(c) {
			v.cookies = append(v.cookies, c)
		}
	}
}

// deletes reports whether a cookie says only that it is no more: its life is
// over as it comes. Max-Age wins over Expires.
func deletes(c *http.Cookie) bool {
	return c.MaxAge < 0 || c.MaxAge == 0 && !c.Expires.IsZero() && !c.Expires.After(time.Now())
}

// pathOf returns what is below the base URL. What an answer gave may be a whole
// URL: load goes to the system alone, whatever its answers say.
func pathOf(path string) string {
	if !strings.Contains(path, "://") {
		if !strings.HasPrefix(path, "/") {
			return "/" + path
		}
		return path
	}
	u, err := url.Parse(path)
	if err != nil || u.Host == "" || !strings.HasPrefix(path, u.Scheme+"://") {
		return path
	}
	return u.RequestURI()
}

// prepare gives the request its token.
func (v *visit) prepare(ctx context.Context, header http.Header) error {
	s := v.journey.steps[v.at]
	if v.broken != nil {
		v.w.notes.add(s.place, s, true, v.broken.Error())
		return v.broken
	}
	token, err := v.w.logins.token(ctx, v.seq)
	if err != nil {
		// Not grave: whether a login that fails leaves the question open depends
		// on whether something was broken then, which the history says.
		v.w.notes.add(v.w.file.auth.place, s, false, "could not be sent: "+err.Error())
		return fmt.Errorf("%w: %w", loadgen.ErrNoToken, err)
	}
	v.token = token
	token.set(header)
	return nil
}

// judge classifies an answer: by its status first, then by what else is
// expected of it and taken from it.
func (v *visit) judge(status int, header http.Header, body []byte) loadgen.Answer {
	s := v.journey.steps[v.at]
	switch {
	case s.expect.status.has(status):
	case status/100 == 4:
		return loadgen.Refused
	default:
		if status/100 != 5 { // which says itself what is wrong
			v.w.notes.add(s.place, s, false, fmt.Sprintf("the status %d was not what is expected", status))
		}
		return loadgen.Broken
	}
	v.keepCookies(header)
	return v.meets(s, &answer{status: status, header: header, body: body})
}

// meets classifies an answer that may be a good one, and takes what is wanted
// from it.
func (v *visit) meets(s *step, a *answer) loadgen.Answer {
	if c := s.expect.count; c != nil && (a.count < c.from || a.count > c.to) {
		v.w.notes.add(c.place, s, false, fmt.Sprintf("%s: %d was not what is expected", c.key.Text(), a.count))
		return loadgen.Broken
	}
	if c := s.expect.unmet(v, a); c != nil {
		v.w.notes.add(c.place, s, false, c.part+" was not what is expected"+a.encoded())
		return loadgen.Broken
	}
	whole := true
	for _, x := range s.extract {
		got, ok := x.from.find(a)
		if !ok {
			v.w.notes.add(x.place, s, false, x.place.Text()+" found nothing in the answer"+a.encoded())
			whole = false
		}
		v.locals[x.slot] = got
	}
	if s.ack != nil && s.ack.given != nil {
		got, ok := s.ack.given.from.find(a)
		if !ok || got.text == "" { // nothing can be looked up by an empty key
			v.w.notes.add(s.ack.given.place, s, false, s.ack.given.place.Text()+" found no key in the answer"+a.encoded())
			whole = false
		}
		v.key = got
	}
	if !whole {
		return loadgen.Broken
	}
	return loadgen.Done
}

// then takes note of how the request ended, and makes the next one.
func (v *visit) then(end loadgen.End) (*loadgen.Operation, time.Duration) {
	s := v.journey.steps[v.at]
	v.w.notes.ended(s, end)
	if end.Class == loadgen.ClassTooLarge {
		v.w.notes.add(s.place, s, false, fmt.Sprintf("an answer was longer than %d bytes", limitOf(s)))
	}
	if end.Status == http.StatusUnauthorized && v.token != nil {
		v.token.refused()
	}
	v.acknowledge(s, end)
	if end.Kind != history.OK || v.at+1 == len(v.journey.steps) {
		v.leave()
		return nil, 0
	}
	v.at++
	next := v.journey.steps[v.at]
	if next.channel != heldKind {
		v.leave()
	}
	think := next.thinkFrom
	if spread := next.thinkTo - next.thinkFrom; spread > 0 {
		think += time.Duration(v.rng.Int64N(int64(spread)))
	}
	op := v.operation()
	return &op, think
}

// acknowledge remembers a write: one that was acknowledged, to be asked for and
// looked up, and one that may have happened or was refused, to be looked up if its
// key is known.
func (v *visit) acknowledge(s *step, end loadgen.End) {
	if s.ack == nil || v.key.text == "" {
		return
	}
	id := v.id(s)
	if end.Kind == history.OK {
		v.own = id
		v.w.pools[s.index].add(kept{id: id, key: v.key})
	}
	refused := end.Kind == history.Fail && end.Status != 0
	if s.ack.lookup != nil && (end.Kind == history.OK || end.Kind == history.Info || refused && s.ack.fresh) {
		v.w.remember(v.drill, written{step: s, id: id, key: v.key.text, refused: refused})
	}
}

// defaultMaxBody is the engine's limit of an answer, in bytes.
const defaultMaxBody = 1 << 20

func limitOf(s *step) int64 {
	if s.maxBody == 0 {
		return defaultMaxBody
	}
	return s.maxBody
}
