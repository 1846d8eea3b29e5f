package history

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

// FileName is the name of the history in a run directory: one JSON object a
// line, compressed with Zstandard.
const FileName = "history.ndjson.zst"

// flushEvery is how much of the latest past a crash of the process may cost.
const flushEvery = time.Second

// ErrClosed is the error of a recorder that was given an event after Close.
var ErrClosed = errors.New("recorder is closed")

// A Recorder writes a history. It is safe for concurrent use and its memory
// does not grow with the number of events.
//
// At least once a second it ends a compression block and hands it to the
// operating system, so that after a crash the file is readable up to the last
// whole record of the last full second. What is done to the system and to the
// run is handed over at once: no crash may hide what had been broken.
type Recorder struct {
	base time.Time
	file *os.File // nil if the writer is not ours

	mu      sync.Mutex
	enc     *zstd.Encoder
	event   Event // scratch space of Record, as is line
	line    []byte
	dirty   bool // something was written since the last flush
	closed  bool
	err     error
	taps    []tap
	hide    func(string) string // nil: nothing is hidden
	nextTap int

	stop chan struct{} // closed by Close
	done chan struct{} // closed when the flusher has returned
}

type tap struct {
	id int
	fn func(*Event)
}

// Create makes a history file, which must not exist, and a recorder that
// writes it. Its clock begins now.
func Create(path string) (*Recorder, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create history: %w", err)
	}
	r, err := NewRecorder(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r.file = f
	return r, nil
}

// NewRecorder makes a recorder that writes to w. Its clock begins now. Close
// does not close w.
func NewRecorder(w io.Writer) (*Recorder, error) {
	enc, err := zstd.NewWriter(w,
		zstd.WithEncoderConcurrency(1), // no goroutines, and Flush is done when it returns
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(512<<10),
		zstd.WithZeroFrames(true)) // a history of no events is not the same as none
	if err != nil {
		return nil, fmt.Errorf("create history: %w", err)
	}
	r := &Recorder{
		base: time.Now(),
		enc:  enc,
		line: make([]byte, 0, 512),
		stop: make(chan struct{}),
		done: make(chan struct{}),
	}
	go r.flusher()
	return r, nil
}

// Base returns the moment at which the recorder's clock began. It carries the
// monotonic clock reading.
func (r *Recorder) Base() time.Time { return r.base }

// Now returns the time on the recorder's clock: monotonic, since it was made.
func (r *Recorder) Now() time.Duration { return time.Since(r.base) }

// Record writes one event. A zero At is set to Now. What goes wrong with the
// writer is kept for Err, and later events are dropped; taps go on.
func (r *Recorder) Record(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.At == 0 {
		e.At = r.Now()
	}
	if r.hide != nil {
		for _, text := range []*string{&e.Text, &e.ID, &e.Of, &e.Key, &e.Node, &e.Session} {
			if *text != "" {
				*text = r.hide(*text)
			}
		}
	}
	r.event = e // not the argument, or each one would be allocated
	for _, t := range r.taps {
		t.fn(&r.event)
	}
	if r.closed && r.err == nil {
		r.err = ErrClosed
	}
	if r.err != nil {
		return
	}
	r.line = appendEvent(r.line[:0], &r.event)
	r.dirty = true
	if _, err := r.enc.Write(r.line); err != nil {
		r.err = fmt.Errorf("write history: %w", err)
		return
	}
	if e.By == ByFault || e.By == ByRun { // they are few
		_ = r.flush() // kept for Err
	}
}

// Tap has fn called with every event from now on, until remove is called. The
// calls are made one at a time while the recorder is locked: fn must be quick,
// must not call the recorder and must not keep the event.
func (r *Recorder) Tap(fn func(*Event)) (remove func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := r.nextTap
	r.nextTap++
	r.taps = append(r.taps, tap{id: id, fn: fn})
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.taps = slices.DeleteFunc(r.taps, func(t tap) bool { return t.id == id })
	}
}

// Hide has fn take out of every event from now on what must be seen by nobody: out
// of what a system said of itself, and what a workload file made up.
func (r *Recorder) Hide(fn func(string) string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hide = fn
}

// Err returns the first error of the underlying writer, or ErrClosed if an
// event came after Close.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Flush ends a compression block and hands everything recorded so far to the
// operating system.
func (r *Recorder) Flush() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flush()
}

func (r *Recorder) flush() error {
	if !r.dirty || r.closed || r.err != nil {
		return r.err
	}
	r.dirty = false
	if err := r.enc.Flush(); err != nil {
		r.err = fmt.Errorf("flush history: %w", err)
	}
	return r.err
}

// Sync flushes and waits until the disk has it. Where the writer is not a file
// of the recorder's own, it only flushes.
func (r *Recorder) Sync() error {
	if err := r.Flush(); err != nil || r.file == nil {
		return err
	}
	if err := r.file.Sync(); err != nil {
		return fmt.Errorf("sync history: %w", err)
	}
	return nil
}

// Close completes the file and returns the first error of the recorder's life.
// Closing twice is not an error.
func (r *Recorder) Close() error {
	r.mu.Lock()
	if r.closed {
		defer r.mu.Unlock()
		return r.err
	}
	r.closed = true
	err := r.enc.Close()
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("close history: %w", err)
	}
	err = r.err
	r.mu.Unlock()

	close(r.stop)
	<-r.done
	if r.file == nil {
		return err
	}
	return errors.Join(err, r.file.Sync(), r.file.Close())
}

// flusher flushes once a period until the recorder is closed.
func (r *Recorder) flusher() {
	defer close(r.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_ = r.Flush() // kept for Err
		case <-r.stop:
			return
		}
	}
}
