// Package httpload loads any HTTP system, as a workload file says.
//
// A workload file (workload/v1) has requests with weights, journeys of several
// requests, data from files, a login, and what to expect of each answer. Where a
// request says how its write is acknowledged and looked up again, the writes of
// any system can be counted after a drill, with no access to its database.
package httpload

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"

	"github.com/proofload/proofload/loadgen"
)

// MaxDrills is how many drills have ids of their own.
const MaxDrills = 1<<12 - 1

// A Config says what a [File] is carried out with.
type Config struct {
	Seed  uint64
	Nonce [6]byte // tells the ids of this run from those of others

	BaseURL    string   // of the system; paths are appended to it
	AllowHosts []string // other than loopback; see [loadgen.Config]

	TLS      *tls.Config      // of logins and lookups; see [loadgen.Config]
	Timeouts loadgen.Timeouts // of the same

	// Endpoint returns the address of an endpoint of the target, as
	// sut.Environment does. Nil: it has none.
	Endpoint func(name string) (url string, ok bool)

	// NoAudit says that the writes of a drill will not be looked up, so that
	// nothing has to be remembered of them.
	NoAudit bool

	// Dir is where the writes of a drill are kept until they are looked up.
	// Empty is the system's directory for temporary files.
	Dir string
}

// A Workload is the load of one run, made from a [File]. It implements
// [loadgen.Workload].
//
// The same seed gives the same operations, except for what the system answers:
// which of its recent writes are asked for, and what is extracted. Until
// something was acknowledged that a request wants to ask for, the request that
// makes it is sent in its place.
type Workload struct {
	Config

	file   *File
	client *http.Client // for logins and final reads
	logins *logins      // nil: there is no login
	feeds  []*cursor    // one for each feed of the file
	pools  []*pool      // one for each step of the file, by its index
	notes  *notes

	endpoints []opened        // those of the file
	life      context.Context //nolint:containedctx // of what outlives the operation that began it
	end       context.CancelFunc
	tasks     sync.WaitGroup

	expected []*big.Rat // what each sum of the file has to be; nil until the first drill

	looked []looked // what was looked up after each drill so far

	mu     sync.Mutex
	writes map[int]*spool // of each drill, to be looked up
}

// A looked is the writes of a drill that were looked up after it.
type looked struct {
	drill  int
	writes *spool
}

// New returns the workload of one run. Close must be called when it is over;
// ctx bounds what goes on beside the operations until then.
func New(ctx context.Context, f *File, c Config) (*Workload, error) {
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	settings := loadgen.Config{BaseURL: c.BaseURL, AllowHosts: c.AllowHosts, TLS: c.TLS, Timeouts: c.Timeouts}
	w := &Workload{
		Config: c, file: f, client: settings.Client(), notes: newNotes(f.Path, len(f.steps)), writes: map[int]*spool{},
	}
	w.life, w.end = context.WithCancel(ctx)
	for _, feed := range f.feeds {
		w.feeds = append(w.feeds, &cursor{feed: feed})
	}
	for range f.steps {
		w.pools = append(w.pools, &pool{})
	}
	if err := w.openEndpoints(ctx, settings); err != nil {
		w.Close()
		return nil, fmt.Errorf("make workload %s: %w", f.Name, err)
	}
	if f.auth != nil {
		if err := f.auth.allowed(settings); err != nil {
			w.Close()
			return nil, fmt.Errorf("make workload %s: %w", f.Name, err)
		}
		w.logins = newLogins(w, f.auth)
	}
	return w, nil
}

// Close ends what goes on beside the operations.
func (w *Workload) Close() {
	w.end()
	w.tasks.Wait()
	w.client.CloseIdleConnections()
	for _, e := range w.endpoints {
		e.end()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.writes {
		s.close()
	}
	for _, l := range w.looked {
		l.writes.close()
	}
}

// Ready logs every virtual client in, takes what has to add up as it is before the
// first drill, and returns when operations can be sent.
func (w *Workload) Ready(ctx context.Context) error {
	if w.logins != nil {
		if err := w.logins.ready(ctx); err != nil {
			return err
		}
	}
	return w.begin(ctx)
}

// Ops implements [loadgen.Workload].
func (w *Workload) Ops() []string { return w.file.Ops() }

// Next implements [loadgen.Workload].
func (w *Workload) Next(drill int, seq uint64) loadgen.Operation {
	v := w.visit(drill, seq)
	v.journey = w.choose(v.rng.Uint64N(w.file.weight))
	v.begin()
	return v.operation()
}

// Observe implements [loadgen.Workload]. Operations know themselves what comes
// of them.
func (*Workload) Observe(*loadgen.Operation, bool) {}

// choose returns the journey at a point of the weights, or the one that has to
// come first.
func (w *Workload) choose(at uint64) *journey {
	var j *journey
	for _, j = range w.file.journeys {
		if at < j.weight {
			break
		}
		at -= j.weight
	}
	for range w.file.journeys { // no further than there are journeys
		source := w.missing(j)
		if source == nil {
			break
		}
		j = source
	}
	return j
}

// missing returns the journey that makes what j wants to ask for, if there is
// nothing of it yet.
func (w *Workload) missing(j *journey) *journey {
	for _, s := range j.wants {
		if w.pools[s.index].empty() {
			return s.journey
		}
	}
	return nil
}

// keptWrites is how many acknowledged writes of each request are remembered to be
// asked for.
const keptWrites = 1024

// A pool is the latest acknowledged writes of one request.
type pool struct {
	mu   sync.Mutex
	kept []kept // a ring, once it is full
	next int
}

// A kept is an acknowledged write: its id in the history, and what the system
// knows it by.
type kept struct {
	id  string
	key value
}

func (p *pool) empty() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.kept) == 0
}

func (p *pool) add(k kept) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.kept) < keptWrites {
		p.kept = append(p.kept, k)
		return
	}
	p.kept[p.next] = k
	p.next = (p.next + 1) % keptWrites
}

// pick returns one of the writes, or none.
func (p *pool) pick(rng *rand.Rand) kept {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.kept) == 0 {
		return kept{}
	}
	return p.kept[rng.IntN(len(p.kept))]
}

// remember keeps a write to be looked up.
func (w *Workload) remember(drill int, e written) {
	if w.NoAudit {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.writes[drill] == nil {
		w.writes[drill] = newSpool(w.Dir, w.file.steps)
	}
	w.writes[drill].add(e)
}

// forget returns the writes of a drill, once, and leaves them to the caller.
func (w *Workload) forget(drill int) *spool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.writes[drill]
	delete(w.writes, drill)
	if s == nil {
		s = &spool{}
	}
	return s
}
