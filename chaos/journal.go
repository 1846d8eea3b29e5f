package chaos

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A JournalState says what is known of a fault in the journal.
type JournalState string

// The states of a fault in the journal. Only healed is final.
const (
	Armed  JournalState = "armed"  // about to be injected, or injected
	Healed JournalState = "healed" // mended
	Failed JournalState = "failed" // mending failed, and may be tried again
)

// An Entry is what the journal last said of a fault.
type Entry struct {
	ID    string       `json:"id"` // unique in its journal
	State JournalState `json:"state"`
	Undo  *Undo        `json:"undo,omitempty"` // in the first record of an entry only
	At    time.Time    `json:"at"`             // wall clock, UTC
}

// A Journal is a file that says what was broken and how to mend it. A fault is
// in it, on the disk, before it is injected, so that another process can mend
// what this one left behind if it dies, whenever that is.
//
// The file has one JSON record a line and only grows. A record that is not
// whole was being written when its writer died; nothing had been done on the
// strength of it yet, so it is passed over.
type Journal struct {
	mu      sync.Mutex
	file    *os.File
	entries []Entry // in the order they were armed
}

// OpenJournal opens the journal in a file, or makes one, and reads what it
// says so far.
func OpenJournal(file string) (*Journal, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{file: f}
	if err := errors.Join(j.read(), syncDir(filepath.Dir(file))); err != nil {
		return nil, errors.Join(fmt.Errorf("open journal %s: %w", file, err), f.Close())
	}
	return j, nil
}

// syncDir makes a new file's name durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// read replays the file. If it ends within a record, it ends that line, so
// that the next record has one to itself.
func (j *Journal) read() error {
	data, err := io.ReadAll(j.file)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(data) {
		var e Entry
		if json.Unmarshal(line, &e) != nil {
			continue
		}
		err = j.apply(e)
		if err != nil {
			return err
		}
	}
	if len(data) > 0 && !bytes.HasSuffix(data, []byte("\n")) {
		_, err = j.file.WriteString("\n")
	}
	return err
}

// apply takes a record into account.
func (j *Journal) apply(e Entry) error {
	i := slices.IndexFunc(j.entries, func(old Entry) bool { return old.ID == e.ID })
	switch {
	case e.State == Armed && e.Undo != nil && i < 0:
		j.entries = append(j.entries, e)
	case (e.State == Healed || e.State == Failed) && i >= 0:
		j.entries[i].State, j.entries[i].At = e.State, e.At
	default:
		return fmt.Errorf("entry %q cannot become %q", e.ID, e.State)
	}
	return nil
}

// write appends a record and returns when it is on the disk.
func (j *Journal) write(e Entry) error {
	e.At = time.Now().UTC()
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return j.apply(e)
}

// arm notes that a fault is about to be injected and returns the entry's id.
func (j *Journal) arm(u Undo) (id string, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	id = strconv.Itoa(len(j.entries) + 1)
	return id, j.write(Entry{ID: id, State: Armed, Undo: &u})
}

// mark notes how mending an entry ended. Once healed, it stays healed.
func (j *Journal) mark(id string, mending error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := slices.IndexFunc(j.entries, func(e Entry) bool { return e.ID == id })
	if i >= 0 && j.entries[i].State == Healed {
		return nil
	}
	state := Healed
	if mending != nil {
		state = Failed
	}
	return j.write(Entry{ID: id, State: state})
}

// Pending returns the entries that are not healed, in the order they were
// armed. The faults that they describe may be in effect.
func (j *Journal) Pending() []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(j.entries), func(e Entry) bool { return e.State == Healed })
}

// Close closes the file. What it says stays.
func (j *Journal) Close() error {
	if err := j.file.Close(); err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}
