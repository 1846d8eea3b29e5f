package chaos

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	Undone JournalState = "undone" // mended by who injected it, and not seen to be gone yet
	Healed JournalState = "healed" // mended, and seen to be
	Failed JournalState = "failed" // mending failed, and may be tried again
)

// An Entry is what the journal last said of a fault.
type Entry struct {
	ID    string       `json:"id"` // unique in its journal
	State JournalState `json:"state"`
	Undo  *Undo        `json:"undo,omitempty"` // in the first record of an entry only
	Began time.Time    `json:"-"`              // when its first record was written
	At    time.Time    `json:"at"`             // wall clock, UTC
}

// Until is when the time to live of a fault ends, by the wall clock in UTC.
func (e Entry) Until() time.Time {
	if e.Undo == nil || e.Undo.TTL <= 0 {
		return e.Began.Add(DefaultTTL)
	}
	return e.Began.Add(e.Undo.TTL)
}

// A Journal is a file that says what was broken and how to mend it. A fault is
// in it, on the disk, before it is injected, so that another process can mend
// what this one left behind if it dies, whenever that is.
//
// The file has one JSON record a line and only grows. A record that is not
// whole was being written when its writer died, or when the disk was full; nothing
// was done on the strength of it, so it is passed over. So is one that does not
// fit those before it, which never keeps the others from being mended: see Odd.
type Journal struct {
	mu      sync.Mutex
	file    *os.File
	entries []Entry // in the order they were armed
	odd     []string
	given   int   // identifiers, also of records that could not be written
	torn    bool  // the last line may have no end
	failed  error // why nothing can be relied on to be on the disk any more
	permits []Permit
	observe func(action string, u Undo, detail string) error
}

// A Permit says whether a fault may be injected while others are pending. It is
// asked right before the inject call.
type Permit func(pending []Entry, next Undo) error

// Require adds a permit that every further injection needs.
func (j *Journal) Require(p Permit) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.permits = append(j.permits, p)
}

// Observe has every action on a fault of this journal, and each that is noted,
// told to a function. Where it fails to keep that a fault is armed, nothing is
// injected.
func (j *Journal) Observe(observe func(action string, u Undo, detail string) error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.observe = observe
}

// permit asks all permits.
func (j *Journal) permit(pending []Entry, next Undo) error {
	j.mu.Lock()
	permits := slices.Clone(j.permits)
	j.mu.Unlock()
	for _, p := range permits {
		if err := p(pending, next); err != nil {
			return err
		}
	}
	return nil
}

// Note tells the observer of an action on a target that is on no fault of the
// journal, such as a statement, or what stopped a run.
func (j *Journal) Note(action, target, detail string) { j.note(action, Undo{Target: target}, detail) }

// note tells the observer of an action that was done, whatever becomes of that.
func (j *Journal) note(action string, u Undo, detail string) { _ = j.tell(action, u, detail) }

// tell tells the observer of an action.
func (j *Journal) tell(action string, u Undo, detail string) error {
	j.mu.Lock()
	observe := j.observe
	j.mu.Unlock()
	if observe == nil {
		return nil
	}
	return observe(action, u, detail)
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

// read replays the file. If it ends within a record, the next one begins a line
// of its own.
func (j *Journal) read() error {
	data, err := io.ReadAll(j.file)
	if err != nil {
		return err
	}
	j.replay(data)
	j.torn = len(data) > 0 && !bytes.HasSuffix(data, []byte("\n"))
	return nil
}

// replay takes all records into account that can be.
func (j *Journal) replay(data []byte) {
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var e Entry
		err := json.Unmarshal(line, &e)
		if err == nil {
			err = j.apply(e)
		}
		if err != nil {
			j.odd = append(j.odd, fmt.Sprintf("line %d: %v", n, err))
		}
	}
	j.given = n // at least as many as were given
}

// Odd lists the lines of the file that were passed over when it was opened, and
// why: of what they said nothing is known.
func (j *Journal) Odd() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.odd)
}

// ReadPending returns what is pending in the journal of a process that may be
// writing it still, and changes nothing. A file that is not there has nothing.
func ReadPending(file string) ([]Entry, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	j := &Journal{}
	j.replay(data)
	return j.Pending(), nil
}

// apply takes a record into account.
func (j *Journal) apply(e Entry) error {
	i := j.index(e.ID)
	switch {
	case e.State == Armed && e.Undo != nil:
		if i >= 0 { // two faults of one name: neither may be lost
			j.entries[i].ID += "@" + strconv.Itoa(len(j.entries))
		}
		e.Began = e.At
		j.entries = append(j.entries, e)
	case (e.State == Undone || e.State == Healed || e.State == Failed) && i >= 0:
		j.entries[i].State, j.entries[i].At = e.State, e.At
	default:
		return fmt.Errorf("entry %q cannot become %q", e.ID, e.State)
	}
	return nil
}

// index returns where an entry is, or -1.
func (j *Journal) index(id string) int {
	return slices.IndexFunc(j.entries, func(e Entry) bool { return e.ID == id })
}

// write appends a record and returns when it is on the disk. If that fails, what
// is there of it does not become a part of the next one.
func (j *Journal) write(e Entry) error {
	e.At = time.Now().UTC()
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	line = append(line, '\n')
	if j.torn {
		line = append([]byte{'\n'}, line...)
	}
	if _, err := j.file.Write(line); err != nil {
		j.torn = true
		return fmt.Errorf("write journal: %w", err)
	}
	j.torn = false
	if err := j.file.Sync(); err != nil {
		// What the disk has is not known from here on, not even after a Sync
		// that succeeds: the kernel tells of a loss but once.
		j.failed = fmt.Errorf("write journal: %w", err)
		return j.failed
	}
	return j.apply(e)
}

// arm notes that a fault is about to be injected, unless check speaks against
// that, and returns the entry's id and what is in effect beside it. Nothing else is
// armed between the check and the note, so that of two that are armed at the same
// moment one sees the other.
func (j *Journal) arm(u Undo, check func(pending []Entry) error) (id string, beside []Entry, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return "", nil, fmt.Errorf("the journal cannot be relied on any more: %w", j.failed)
	}
	beside = slices.DeleteFunc(j.pending(), func(e Entry) bool { return e.State == Undone })
	err = check(beside)
	if err != nil {
		return "", nil, err
	}
	j.given++
	id = strconv.Itoa(j.given)
	return id, beside, j.write(Entry{ID: id, State: Armed, Undo: &u})
}

// mark notes how mending an entry ended.
func (j *Journal) mark(id string, mending error) error {
	if mending != nil {
		return j.markAs(id, Failed, mending.Error())
	}
	return j.markAs(id, Healed, "")
}

// markAs notes what became of an entry. Once healed, it stays healed.
func (j *Journal) markAs(id string, state JournalState, detail string) error {
	undo, err := j.change(id, state)
	if undo != nil {
		j.note(string(state), *undo, detail)
	}
	return err
}

// change writes the state of an entry and returns whose that is, or nil if it was
// healed before.
func (j *Journal) change(id string, state JournalState) (*Undo, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := j.index(id)
	if i < 0 || j.entries[i].State == Healed {
		return nil, nil
	}
	return j.entries[i].Undo, j.write(Entry{ID: id, State: state})
}

// Pending returns the entries that are not healed, in the order they were
// armed. The faults that they describe may be in effect, or what they broke is not
// whole yet.
func (j *Journal) Pending() []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.pending()
}

func (j *Journal) pending() []Entry {
	return slices.DeleteFunc(slices.Clone(j.entries), func(e Entry) bool { return e.State == Healed })
}

// All returns every entry, in the order they were armed.
func (j *Journal) All() []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

// Close closes the file. What it says stays.
func (j *Journal) Close() error {
	if err := j.file.Close(); err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}
