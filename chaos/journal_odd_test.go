package chaos

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// writeJournal makes a journal of lines.
func writeJournal(t *testing.T, lines ...string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func armed(id, target string) string {
	return `{"id":"` + id + `","state":"armed","undo":{"kind":"fake","target":"` + target + `","data":{}},"at":"2026-01-01T00:00:00Z"}`
}

// TestJournalOdd has lines that do not fit the others: they keep nothing from
// being mended, and are told.
func TestJournalOdd(t *testing.T) {
	for _, tt := range []struct {
		name    string
		lines   []string
		pending []string
		odd     []string
	}{
		{"armed twice", []string{armed("1", "a"), armed("1", "a")}, []string{"a armed", "a armed"}, nil},
		{"one name for two", []string{armed("1", "a"), armed("1", "b"), `{"id":"1","state":"healed"}`}, []string{"a armed"}, nil},
		{"healed before", []string{`{"id":"1","state":"healed"}`, armed("1", "a")}, []string{"a armed"}, []string{`line 1: entry "1" cannot become "healed"`}},
		{"no undo", []string{`{"id":"1","state":"armed"}`, armed("2", "b")}, []string{"b armed"}, []string{`line 1: entry "1" cannot become "armed"`}},
		{"of a later version", []string{armed("1", "a"), `{"id":"1","state":"doubted"}`}, []string{"a armed"}, []string{`line 2: entry "1" cannot become "doubted"`}},
		{"damaged", []string{armed("1", "a"), "{\"id\"", armed("2", "b")}, []string{"a armed", "b armed"}, []string{"line 2: unexpected end of JSON input"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := writeJournal(t, tt.lines...)
			j := openJournal(t, file)
			if diff := cmp.Diff(tt.pending, targets(j)); diff != "" {
				t.Errorf("pending (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.odd, j.Odd()); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			if onDisk, err := ReadPending(file); err != nil || !cmp.Equal(onDisk, j.Pending()) {
				t.Errorf("another process reads %v, %v", onDisk, err)
			}
			arm(t, j, "z")
			var log []string
			if err := HealAll(t.Context(), fakeCatalog(&log, nil), nil, j); err != nil || len(log) != len(tt.pending)+1 {
				t.Errorf("healed %q, %v", log, err)
			}
			if left, err := ReadPending(file); err != nil || len(left) > 0 {
				t.Errorf("left after all was healed: %v, %v", left, err)
			}
		})
	}
}

// limitFiles has writes fail that make a file larger than that.
func limitFiles(t *testing.T, size uint64) (lift func()) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	set := func(l syscall.Rlimit) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
			t.Fatal(err)
		}
	}
	set(syscall.Rlimit{Cur: size, Max: old.Max})
	return func() { set(old) }
}

// TestJournalDiskFull writes a record by half. The next one is whole for whoever
// mends after this process, or nothing is injected.
func TestJournalDiskFull(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal")
	j := openJournal(t, file)
	arm(t, j, "a")
	before := size(t, file)
	for _, room := range []int{0, 20, 40} {
		lift := limitFiles(t, uint64(before+room)) //nolint:gosec // a size
		_, _, err := j.arm(Undo{Kind: "fake", Target: "b", Data: json.RawMessage(`{}`)}, unopposed)
		lift()
		if !errors.Is(err, syscall.EFBIG) {
			t.Fatalf("a disk with room for %d bytes: %v", room, err)
		}
	}
	arm(t, j, "c")
	if diff := cmp.Diff([]string{"a armed", "c armed"}, targets(openJournal(t, file))); diff != "" {
		t.Errorf("what another process finds (-want +got):\n%s", diff)
	}
}

// TestJournalNotDurable cannot know what is on the disk: nothing is injected from
// then on, what is mended is noted as well as can be, and no identifier comes again.
func TestJournalNotDurable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal")
	j := openJournal(t, file)
	id := arm(t, j, "a")
	r, w, err := os.Pipe() // takes what is written, and cannot be synced
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	good := j.file
	j.file = w
	if _, _, err := j.arm(Undo{Kind: "fake", Target: "b"}, unopposed); err == nil {
		t.Fatal("armed without a sync")
	}
	j.file = good
	if _, _, err := j.arm(Undo{Kind: "fake", Target: "c"}, unopposed); err == nil || !strings.Contains(err.Error(), "cannot be relied on") {
		t.Errorf("armed after a sync that failed: %v", err)
	}
	if err := j.mark(id, nil); err != nil || len(targets(openJournal(t, file))) > 0 {
		t.Errorf("what was mended: %v", err)
	}
	if j.given != 2 {
		t.Errorf("%d identifiers were given, want 2", j.given)
	}
}
