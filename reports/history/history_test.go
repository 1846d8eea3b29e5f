package history

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// full has every field set, with what needs escaping.
func full() Event {
	return Event{
		At: 1, Kind: OK, By: ByLoad, Op: "create-transfer", ID: "id\"\\\n\x01ü", Drill: 2, Phase: "steady",
		Write: true, Sched: 3, Sent: 4, Status: 201, Class: "c", Amount: -5, Key: "account/1",
		Peer: "account/2", Of: "w-0", Seq: 8, Corr: "mine", Session: "s-1", Promise: PromiseStrong, Saw: "a=1 b=2",
		DNS: 10, Connect: 11, TLS: 12, FirstByte: 13, Step: 7, Node: "api-1",
		Timeline: 6, Verb: "stall", Target: "link:replication", Carries: "replication", Role: "primary",
		Value: math.MaxInt64, Count: math.MinInt64, Jobs: 9, Text: "a </b> \u2028 c",
	}
}

func collect(events iter.Seq2[*Event, error]) (all []Event, err error) {
	for e, err := range events {
		if err != nil {
			return all, err
		}
		all = append(all, *e)
	}
	return all, nil
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	rec, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []Event{full(), sample(1), sample(2)}
	for _, e := range want {
		rec.Record(e)
	}
	if err = errors.Join(rec.Sync(), rec.Close(), rec.Close()); err != nil {
		t.Fatal(err)
	}
	events, closeFile, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := collect(events)
	if err = errors.Join(err, closeFile()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if _, err := Create(path); err == nil {
		t.Error("Create over an existing history succeeded")
	}
	rec.Record(full())
	if !errors.Is(rec.Err(), ErrClosed) {
		t.Errorf("Err after Record after Close = %v, want %v", rec.Err(), ErrClosed)
	}
}

func TestRecordStampsTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var buf bytes.Buffer
		rec, err := NewRecorder(&buf)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(1500 * time.Millisecond)
		rec.Record(Event{Kind: Info, By: ByRun, Op: RunNote})
		rec.Record(Event{Kind: Info, By: ByRun, Op: RunNote, At: 7})
		if err = rec.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := collect(Read(&buf))
		if err != nil || len(got) != 2 || got[0].At != 1500*time.Millisecond || got[1].At != 7 {
			t.Errorf("Read = %v, %v; want events at 1.5s and 7ns", got, err)
		}
	})
}

func TestFlushedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var buf bytes.Buffer
		rec, err := NewRecorder(&buf)
		if err != nil {
			t.Fatal(err)
		}
		defer rec.Close()
		want := full()
		rec.Record(want)
		<-time.After(flushEvery + time.Millisecond)
		synctest.Wait()
		got, err := collect(Read(bytes.NewReader(buf.Bytes())))
		if !errors.Is(err, ErrTorn) {
			t.Errorf("error of an unfinished history = %v, want %v", err, ErrTorn)
		}
		if diff := cmp.Diff([]Event{want}, got); diff != "" {
			t.Errorf("read of an unfinished history (-want +got):\n%s", diff)
		}
	})
}

// TestFlushedAtOnce reads a history whose writer may be killed at any moment:
// what was done to the system and to the run is there, and all before it.
func TestFlushedAtOnce(t *testing.T) {
	for _, by := range []string{ByFault, ByRun} {
		var buf bytes.Buffer
		rec, err := NewRecorder(&buf)
		if err != nil {
			t.Fatal(err)
		}
		want := []Event{{At: 1, Kind: OK, By: ByLoad, Op: "read"}, {At: 2, Kind: Info, By: by, Op: "x"}}
		for _, e := range want {
			rec.Record(e)
		}
		got, err := collect(Read(bytes.NewReader(buf.Bytes())))
		if !errors.Is(err, ErrTorn) {
			t.Errorf("error of an unfinished history = %v, want %v", err, ErrTorn)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("read right after an event by %s (-want +got):\n%s", by, diff)
		}
		if err := rec.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTruncated cuts a history at every byte: what is read is a prefix of what
// was recorded, nothing that was flushed before the cut is missing, and the
// end is reported.
func TestTruncated(t *testing.T) {
	var buf bytes.Buffer
	rec, err := NewRecorder(&buf)
	if err != nil {
		t.Fatal(err)
	}
	const n = 24
	safe := make([]int, n) // file size at which the event is safe
	for i := range n {
		rec.Record(sample(uint64(i)))
		if i%6 == 5 {
			if err := rec.Flush(); err != nil {
				t.Fatal(err)
			}
			for j := i - 5; j <= i; j++ {
				safe[j] = buf.Len()
			}
		}
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	for size := range buf.Len() {
		got, err := collect(Read(bytes.NewReader(buf.Bytes()[:size])))
		if !errors.Is(err, ErrTorn) {
			t.Fatalf("cut at %d of %d: error %v, want %v", size, buf.Len(), err, ErrTorn)
		}
		for i, e := range got {
			if diff := cmp.Diff(sample(uint64(i)), e); diff != "" {
				t.Fatalf("cut at %d: event %d (-want +got):\n%s", size, i, diff)
			}
		}
		if len(got) < n && safe[len(got)] <= size {
			t.Fatalf("cut at %d: %d events read, but the next was flushed at %d", size, len(got), safe[len(got)])
		}
	}
	if got, err := collect(Read(bytes.NewReader(buf.Bytes()))); err != nil || len(got) != n {
		t.Errorf("whole file: %d events, %v; want %d, nil", len(got), err, n)
	}
}

func TestReadOddInput(t *testing.T) {
	tests := []struct {
		name, in string
		want     []Event
		torn     bool
		bad      bool
	}{
		{name: "empty", torn: true},
		{name: "unknown fields", in: `{"t_ns":1,"type":"ok","new":{"a":[1]},"write":true}` + "\n", want: []Event{{At: 1, Kind: OK, Write: true}}},
		{name: "spaces", in: "{ \"t_ns\" : 1 }\r\n", want: []Event{{At: 1}}},
		{name: "smallest number", in: `{"t_ns":-9223372036854775808}` + "\n", want: []Event{{At: math.MinInt64}}},
		{name: "cut line", in: `{"t_ns":1}` + "\n" + `{"t_ns":2}`, want: []Event{{At: 1}}, torn: true},
		{name: "no object", in: "[]\n", bad: true},
		{name: "overflow", in: `{"t_ns":9223372036854775808}` + "\n", bad: true},
		{name: "leading zero", in: `{"t_ns":01}` + "\n", bad: true},
		{name: "bare control character", in: "{\"text\":\"\x01\"}\n", bad: true},
		{name: "long line", in: `{"text":"` + strings.Repeat("x", 200_000) + `"}` + "\n", want: []Event{{Text: strings.Repeat("x", 200_000)}}},
		{name: "too long line", in: strings.Repeat("x", maxLine+70_000), bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := collect(Read(strings.NewReader(tt.in)))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Read (-want +got):\n%s", diff)
			}
			if errors.Is(err, ErrTorn) != tt.torn || (err != nil) != (tt.torn || tt.bad) {
				t.Errorf("Read error = %v, want torn %t, bad %t", err, tt.torn, tt.bad)
			}
		})
	}
}

func TestReadStopsEarly(t *testing.T) {
	n := 0
	for range Read(strings.NewReader("{\"t_ns\":1}\n{\"t_ns\":2}\n")) {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d events after break, want 1", n)
	}
}

func TestHistoryOfNothing(t *testing.T) {
	var buf bytes.Buffer
	rec, err := NewRecorder(&buf)
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := collect(Read(&buf)); err != nil || len(got) != 0 {
		t.Errorf("Read of a closed, empty history = %v, %v; want none, nil", got, err)
	}
}

func TestTaps(t *testing.T) {
	rec, err := NewRecorder(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var a, b int64
	removeA := rec.Tap(func(e *Event) { a += e.Count })
	removeB := rec.Tap(func(e *Event) { b += e.Count })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				rec.Record(Event{Kind: Info, Count: 1})
			}
		})
	}
	wg.Wait()
	removeA()
	removeA()
	rec.Record(Event{Kind: Info, Count: 1})
	removeB()
	if a != 800 || b != 801 {
		t.Errorf("taps counted %d and %d events, want 800 and 801", a, b)
	}
	if err := rec.Close(); err != nil {
		t.Error(err)
	}
}

type badWriter struct{}

var errDiskFull = errors.New("no space left")

func (badWriter) Write([]byte) (int, error) { return 0, errDiskFull }

func TestWriteErrorIsKept(t *testing.T) {
	rec, err := NewRecorder(badWriter{})
	if err != nil {
		t.Fatal(err)
	}
	rec.Record(full())
	if err := rec.Flush(); !errors.Is(err, errDiskFull) {
		t.Errorf("Flush = %v, want %v", err, errDiskFull)
	}
	rec.Record(full())
	if err := rec.Err(); !errors.Is(err, errDiskFull) {
		t.Errorf("Err = %v, want %v", err, errDiskFull)
	}
	if err := rec.Close(); !errors.Is(err, errDiskFull) {
		t.Errorf("Close = %v, want %v", err, errDiskFull)
	}
}
