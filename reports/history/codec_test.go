package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEveryFieldIsCovered(t *testing.T) {
	v := reflect.ValueOf(full())
	for field, value := range v.Fields() {
		if value.IsZero() {
			t.Errorf("field %s is not set in full()", field.Name)
		}
	}
}

// plain returns e as encoding/json would have it: UTF-8 only.
func plain(e *Event) Event {
	p := *e
	v := reflect.ValueOf(&p).Elem()
	for _, f := range v.Fields() {
		if f.Kind() == reflect.String {
			f.SetString(strings.ToValidUTF8(f.String(), "\uFFFD"))
		}
	}
	return p
}

func TestLineIsReadableByEncodingJSON(t *testing.T) {
	same := func(e Event) bool {
		var got Event
		if err := json.Unmarshal(appendEvent(nil, &e), &got); err != nil {
			t.Log(err)
			return false
		}
		// Runs of bad bytes become one or several U+FFFD; how many is of no interest.
		diff := cmp.Diff(squeeze(plain(&e)), squeeze(got))
		if diff != "" {
			t.Log(diff)
		}
		return diff == ""
	}
	if !same(full()) || !same(Event{}) || !same(Event{Text: "\xff\xfe ok \xc3"}) {
		t.Error("json.Unmarshal(appendEvent(e)) differs from e")
	}
	if err := quick.Check(same, &quick.Config{MaxCount: 500}); err != nil {
		t.Error(err)
	}
}

func squeeze(e Event) Event {
	v := reflect.ValueOf(&e).Elem()
	for _, f := range v.Fields() {
		if f.Kind() == reflect.String {
			s := f.String()
			for strings.Contains(s, "\uFFFD\uFFFD") {
				s = strings.ReplaceAll(s, "\uFFFD\uFFFD", "\uFFFD")
			}
			f.SetString(s)
		}
	}
	return e
}

func TestLineOfEncodingJSONIsReadable(t *testing.T) {
	same := func(e Event) bool {
		line, err := json.Marshal(plain(&e))
		if err != nil {
			t.Fatal(err)
		}
		got, err := collect(Read(bytes.NewReader(append(line, '\n'))))
		return err == nil && len(got) == 1 && cmp.Equal(plain(&e), got[0])
	}
	if !same(full()) {
		t.Error("an event with all fields is not read back")
	}
	if err := quick.Check(same, &quick.Config{MaxCount: 500}); err != nil {
		t.Error(err)
	}
}

func TestNamesAreThoseOfTheTags(t *testing.T) {
	e := full()
	var got, want map[string]any
	ref, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(json.Unmarshal(appendEvent(nil, &e), &got), json.Unmarshal(ref, &want)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("line differs from encoding/json's (-want +got):\n%s", diff)
	}
}

func TestCanonicalLinesTakeTheFastPath(t *testing.T) {
	for i := range 200 {
		e := sample(uint64(i))
		d := decoder{words: map[string]string{}}
		line := bytes.TrimSuffix(appendEvent(nil, &e), []byte("\n"))
		if !d.fast(line) {
			t.Fatalf("fast(%s) = false", line)
		}
		if diff := cmp.Diff(e, d.event); diff != "" {
			t.Fatalf("fast(%s) (-want +got):\n%s", line, diff)
		}
	}
}

// sample is an event as a run has them by the million.
func sample(n uint64) Event {
	r := rand.New(rand.NewPCG(n, 1))
	return Event{
		At: time.Duration(r.Int64N(1e12)), Kind: OK, By: ByLoad, Op: "create-transfer", Phase: "steady", Drill: 1,
		ID: fmt.Sprintf("%08x-7c1f-8000-8000-%012x", r.Uint32(), n), Write: true, Status: 201,
		Sched: time.Duration(r.Int64N(1e12)), Sent: time.Duration(r.Int64N(1e12)), Amount: r.Int64N(1e6),
		Key: strconv.Itoa(r.IntN(1000)), Node: "api-1", Timeline: 1,
	}
}

// FuzzRead has any bytes read without a crash, and no line read otherwise than
// encoding/json reads it.
func FuzzRead(f *testing.F) {
	e := full()
	f.Add(appendEvent(nil, &e))
	f.Add([]byte(`{"t_ns":1,"type":"ok","by":"load","op":"read"}` + "\n" + `{"T_NS":-0,"text":"\ud800"}` + "\n"))
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := collect(Read(bytes.NewReader(in)))
		if bytes.HasPrefix(in, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
			return
		}
		i := 0
		for line := range bytes.Lines(in) {
			var want Event
			jsonErr := json.Unmarshal(line, &want)
			if i == len(got) {
				if jsonErr == nil && line[len(line)-1] == '\n' && err == nil {
					t.Errorf("line %d %q is missing", i, line)
				}
				return
			}
			if jsonErr != nil {
				t.Fatalf("line %d %q was read, encoding/json says %v", i, line, jsonErr)
			}
			if diff := cmp.Diff(want, got[i]); diff != "" {
				t.Fatalf("line %d (-encoding/json +got):\n%s", i, diff)
			}
			i++
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	rec, err := NewRecorder(io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	defer rec.Close()
	events := make([]Event, 256)
	for i := range events {
		events[i] = sample(uint64(i))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		rec.Record(events[i%len(events)])
	}
}

// BenchmarkRead prints how many times faster a history is read than with
// encoding/json, in the same run.
func BenchmarkRead(b *testing.B) {
	const n = 2000
	var buf bytes.Buffer
	for i := range n {
		e := sample(uint64(i))
		buf.Write(appendEvent(nil, &e))
	}
	var ours, theirs time.Duration
	for b.Loop() {
		began := time.Now()
		for _, err := range Read(bytes.NewReader(buf.Bytes())) {
			if err != nil {
				b.Fatal(err)
			}
		}
		ours += time.Since(began)
		began = time.Now()
		for line := range bytes.Lines(buf.Bytes()) {
			var e Event
			if err := json.Unmarshal(line, &e); err != nil {
				b.Fatal(err)
			}
		}
		theirs += time.Since(began)
	}
	b.ReportMetric(float64(theirs)/float64(ours), "times-faster")
	b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N*n), "ns/event")
}
