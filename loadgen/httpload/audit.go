package httpload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
)

const (
	// DefaultAudit bounds the lookups of one drill.
	DefaultAudit = 2 * time.Minute

	// defaultSettle is how long a write that is not found is asked for again,
	// where a file does not say.
	defaultSettle = 10 * time.Second

	lookupsAtOnce = 16
	lookupAgain   = 500 * time.Millisecond // between two rounds
)

// An AuditConfig says how to look up the writes of a drill.
type AuditConfig struct {
	Drill    int // from 1
	Recorder *history.Recorder

	// Earlier asks for the writes of all drills before it again.
	Earlier bool

	// Within bounds all lookups of the writes of one drill; zero is
	// [DefaultAudit].
	Within time.Duration
}

// Audit looks up every write of a drill that was acknowledged, those that may have
// happened and have a key that the client made, and those that were refused and
// have a key that nobody used before. Each that is found is
// recorded as [history.AuditWrite]; of one that is not found, an event of kind
// Fail says where it was looked for.
//
// Those of earlier drills are looked up again after that, if they are asked for;
// [history.AuditEarlier] says that all of them were. Then everything that has to
// add up is added up, and recorded as [history.AuditBooks].
//
// A write that is not found is asked for again until its lookup's within: has
// passed since the lookups began, because many systems show a write late. One that
// cannot be looked up, for example because the system answers with an error, is
// tried again until the end. The error says of how many nothing is known.
func (w *Workload) Audit(ctx context.Context, c AuditConfig) error {
	if c.Within == 0 {
		c.Within = DefaultAudit
	}
	a := &audit{AuditConfig: c, w: w}
	own := w.forget(c.Drill)
	err := a.lookUpAll(ctx, c.Drill, own)
	if c.Earlier {
		err = errors.Join(err, a.lookUpEarlier(ctx))
	}
	w.looked = append(w.looked, looked{c.Drill, own})
	ctx, cancel := context.WithTimeout(ctx, c.Within)
	defer cancel()
	return errors.Join(err, a.addUp(ctx))
}

// An audit is one in progress.
type audit struct {
	AuditConfig

	w     *Workload
	began time.Time // the lookups of a drill

	mu      sync.Mutex
	failure error // the last one
}

// lookUpEarlier looks up what was looked up after earlier drills.
func (a *audit) lookUpEarlier(ctx context.Context) error {
	var errs []error
	for _, l := range a.w.looked {
		errs = append(errs, a.lookUpAll(ctx, l.drill, l.writes))
	}
	err := errors.Join(errs...)
	event := history.Event{Kind: history.Info, By: history.ByAudit, Op: history.AuditEarlier, Drill: a.Drill}
	if err != nil {
		event.Kind, event.Text = history.Fail, err.Error()
	}
	a.Recorder.Record(event)
	return err
}

// lookUpAll looks up the writes of a drill, round by round. They stay in their
// spool, to be looked up once more after a later drill.
func (a *audit) lookUpAll(ctx context.Context, drill int, writes *spool) error {
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	a.began, a.failure = time.Now(), nil
	pending := writes
	for pending.count > 0 {
		again, err := a.round(ctx, pending)
		if pending != writes {
			pending.close()
		}
		pending = again
		if err != nil {
			pending.close()
			return fmt.Errorf("look up the writes of drill %d: %w", drill, err)
		}
		if pending.count > 0 && !loadgen.Wait(ctx, lookupAgain) {
			break
		}
	}
	if pending != writes {
		pending.close()
	}
	if pending.count == 0 {
		return nil
	}
	err := a.failure
	if err == nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("look up the writes of drill %d: %d of %d could not be looked up: %w", drill, pending.count, writes.count, err)
}

// round looks all of them up once, and returns those to look up again.
func (a *audit) round(ctx context.Context, pending *spool) (again *spool, err error) {
	again = newSpool(a.w.Dir, a.w.file.steps)
	var wg sync.WaitGroup
	work := make(chan written)
	for range min(lookupsAtOnce, pending.count) {
		wg.Go(func() {
			for e := range work {
				if a.lookUp(ctx, e) {
					a.mu.Lock()
					again.add(e)
					a.mu.Unlock()
				}
			}
		})
	}
	err = pending.each(func(e written) { work <- e })
	close(work)
	wg.Wait()
	return again, err
}

// lookUp looks a write up, and reports whether it must be looked up again.
func (a *audit) lookUp(ctx context.Context, e written) bool {
	found, where, err := a.find(ctx, e)
	l := e.step.ack.lookup
	switch {
	case err != nil:
		a.mu.Lock()
		defer a.mu.Unlock()
		if ctx.Err() == nil || a.failure == nil {
			pos := l.place.Pos()
			a.failure = fmt.Errorf("%s:%d:%d: %s: %w", a.w.file.Path, pos.Line, pos.Col, e.step.op, err)
		}
		return true
	case found == 0 && e.refused: // as it was told
		return false
	case found == 0 && time.Since(a.began) < l.within:
		return true
	}
	event := history.Event{
		Kind: history.Info, By: history.ByAudit, Op: history.AuditWrite, Drill: a.Drill, ID: e.id, Key: e.key, Count: int64(found),
	}
	if found == 0 {
		event.Kind, event.Text = history.Fail, "not found at "+where
	}
	a.Recorder.Record(event)
	return false
}

// bare returns the error of a request without its address, in which there may be
// secrets.
func bare(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// errLookup is why a lookup says nothing.
var errLookup = errors.New("the lookup was not answered as expected")

// find returns how many times a write is there, [history.Uncounted] if it is and
// its lookup does not count, and where it was looked for.
func (a *audit) find(ctx context.Context, e written) (count int, where string, err error) {
	l := e.step.ack.lookup
	v := &visit{w: a.w, locals: []value{text(e.key)}}
	if l.query != nil {
		return a.query(ctx, l.query, v)
	}
	got, where, err := a.w.fetch(ctx, v, fetching{path: l.path, headers: l.headers, login: l.login, limit: limitOf(e.step)})
	switch {
	case err != nil:
		return 0, where, err
	case l.absent.has(got.status):
		return 0, where, nil
	case !l.found.has(got.status):
		return 0, where, fmt.Errorf("%w: the answer is %d %s", errLookup, got.status, http.StatusText(got.status))
	case l.count == nil:
		return history.Uncounted, where, nil
	}
	count, err = l.count.from.count(got)
	if err != nil {
		err = fmt.Errorf("%w: %s counts in JSON, and the answer is none", errLookup, l.count.place.Text())
	}
	return count, where, err
}

// query returns how many rows of a database have a write.
func (a *audit) query(ctx context.Context, st *statement, v *visit) (count int, where string, err error) {
	ctx, cancel := context.WithTimeout(ctx, loadgen.DefaultTotalTimeout)
	defer cancel()
	where = a.w.file.endpoints[st.endpoint].name
	rows, o := a.w.endpoints[st.endpoint].database.Do(ctx, st.make(v, 0))
	switch {
	case o.Err != nil:
		return 0, where, bare(o.Err)
	case o.Answer != loadgen.Done:
		return 0, where, fmt.Errorf("%w: %s says %s", errLookup, where, o.Class)
	}
	return int(rows.Affected), where, nil
}

// A fetching is a read beside the load.
type fetching struct {
	path    template
	headers []header
	login   bool
	limit   int64 // of the answer, in bytes
}

// fetch reads something beside the load, and says where it was read.
func (w *Workload) fetch(ctx context.Context, v *visit, f fetching) (a *answer, where string, err error) {
	path := pathOf(f.path.render(v))
	where, _, _ = strings.Cut(path, "?") // there may be secrets in the query
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.BaseURL+path, http.NoBody)
	if err != nil {
		return nil, where, fmt.Errorf("%w: its address is no URL", errLookup)
	}
	for _, h := range f.headers {
		req.Header.Set(h.name, h.value.render(v))
	}
	if f.login && w.logins != nil {
		token, tokenErr := w.logins.token(ctx, 0)
		if tokenErr != nil {
			return nil, where, tokenErr
		}
		token.set(req.Header)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, where, bare(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, f.limit+1))
	switch {
	case err != nil:
		return nil, where, err
	case int64(len(body)) > f.limit:
		return nil, where, fmt.Errorf("%w: the answer is longer than %d bytes", errLookup, f.limit)
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: body}, where, nil
}
