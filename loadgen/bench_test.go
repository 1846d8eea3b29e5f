package loadgen

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// ops is a workload made of a function.
type ops struct {
	next func(seq uint64) Operation

	mu       sync.Mutex
	observed map[string]bool
}

func (*ops) Ops() []string { return []string{"read", "write"} }

func (w *ops) Next(_ int, seq uint64) Operation { return w.next(seq) }

func (w *ops) Observe(op *Operation, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.observed == nil {
		w.observed = map[string]bool{}
	}
	w.observed[op.ID] = ok
}

func reads(uint64) Operation { return Operation{Op: "read", Method: http.MethodGet, Path: "/"} }

func writes(seq uint64) Operation {
	id := fmt.Sprint("w", seq)
	return Operation{Op: "write", Write: true, ID: id, Key: "k", Amount: 5, Method: http.MethodPut, Path: "/" + id, Body: []byte("{}")}
}

// pipeNet is a network in memory, so that a test can run in a bubble with a
// clock of its own.
type pipeNet struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeNet() *pipeNet {
	return &pipeNet{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (p *pipeNet) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipeNet) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipeNet) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipeNet) Addr() net.Addr { return &net.IPAddr{} }

// pause is the work of a server: it takes d, or until the server is closed.
func pause(r *http.Request, d time.Duration) { wait(r.Context().Done(), d) }

// A bench is a server in memory and a recorder.
type bench struct {
	Config

	file   bytes.Buffer
	server *http.Server
}

func newBench(t *testing.T, handler http.HandlerFunc) *bench {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	b := &bench{server: &http.Server{
		Handler: handler, BaseContext: func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: time.Minute,
	}}
	network := newPipeNet()
	var serving sync.WaitGroup
	serving.Go(func() { _ = b.server.Serve(network) })
	t.Cleanup(func() {
		cancel()
		_ = b.server.Close()
		serving.Wait()
	})
	rec, err := history.NewRecorder(&b.file)
	if err != nil {
		t.Fatal(err)
	}
	b.Config = Config{
		BaseURL:  "http://127.0.0.1/",
		Phases:   []Phase{{Name: "steady", For: time.Second, From: 10, To: 10}},
		Drill:    1,
		Workload: &ops{next: reads},
		Recorder: rec,
		dial:     network.dial,
	}
	return b
}

// events closes the recorder and returns what it has recorded.
func (b *bench) events(t *testing.T) []history.Event {
	t.Helper()
	if err := b.Recorder.Close(); err != nil {
		t.Fatal(err)
	}
	var all []history.Event
	for e, err := range history.Read(bytes.NewReader(b.file.Bytes())) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, *e)
	}
	return all
}

func (b *bench) drive(ctx context.Context, t *testing.T) Stats {
	t.Helper()
	stats, err := Drive(ctx, b.Config)
	if err != nil {
		t.Fatal(err)
	}
	return stats
}
