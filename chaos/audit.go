package chaos

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// An Audit is one line of the audit log: something that was done to a target.
type Audit struct {
	Seq    int       `json:"seq"` // from 1
	At     time.Time `json:"at"`  // wall clock, UTC
	Who    string    `json:"who"` // user, host and process
	Run    string    `json:"run,omitempty"`
	System string    `json:"system,omitempty"` // the target of the run
	Action string    `json:"action"`
	Kind   string    `json:"kind,omitempty"`   // of the fault
	Target string    `json:"target,omitempty"` // of the fault: nodes or links
	Detail string    `json:"detail,omitempty"` // evidence, or what went wrong
	Prev   string    `json:"prev"`             // Hash of the line before; empty in the first
	Hash   string    `json:"hash"`             // SHA-256 of this line without it, in hex
}

// sum is the hash of a line.
func (a Audit) sum() (string, error) {
	a.Hash = ""
	data, err := json.Marshal(a)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// AppendAudit adds a line to the audit log in a file, or begins one, and
// returns when it is on the disk. It fills in Seq, At, Prev and Hash. Several
// processes may do so at a time.
//
// Each line carries the hash of the one before, so that none can be changed or
// taken out without [VerifyAudit] seeing it; that lines are missing at the end
// only somebody sees who knows the last hash.
func AppendAudit(file string, a Audit) (err error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("open audit log: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }() // releases the lock
	if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock audit log %s: %w", file, err)
	}
	end, last, err := lastAudit(f)
	if err != nil {
		return fmt.Errorf("read audit log %s: %w", file, err)
	}
	a.Seq, a.Prev, a.At = last.Seq+1, last.Hash, time.Now().UTC()
	if a.Hash, err = a.sum(); err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	line, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	if _, err := f.WriteAt(append(line, '\n'), end); err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	return nil
}

// auditTail is more than a line has.
const auditTail = 1 << 20

// lastAudit reads the last whole line, and says where it ends. What follows it
// was being written when its writer died; it is written over.
func lastAudit(f *os.File) (end int64, last Audit, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, last, err
	}
	from := max(0, info.Size()-auditTail)
	tail, err := io.ReadAll(io.NewSectionReader(f, from, auditTail))
	if err != nil {
		return 0, last, err
	}
	whole := tail[:bytes.LastIndexByte(tail, '\n')+1]
	end = from + int64(len(whole))
	if end < info.Size() {
		if err := f.Truncate(end); err != nil {
			return 0, last, err
		}
	}
	if len(whole) == 0 {
		return end, last, nil
	}
	line := whole[bytes.LastIndexByte(whole[:len(whole)-1], '\n')+1:]
	if err := json.Unmarshal(line, &last); err != nil {
		return 0, last, fmt.Errorf("its last line: %w", err)
	}
	return end, last, nil
}

// VerifyAudit reads an audit log, gives each line to see, if that is not nil,
// and returns the hash of the last. The error names the first line that was
// changed, or before which one is missing.
func VerifyAudit(r io.Reader, see func(Audit)) (head string, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, auditTail)
	n := 0
	for lines.Scan() {
		n++
		var a Audit
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return head, fmt.Errorf("line %d of the audit log is not one: %w", n, err)
		}
		sum, err := a.sum()
		again, againErr := json.Marshal(a)
		err = errors.Join(err, againErr)
		switch {
		case err != nil:
			return head, fmt.Errorf("line %d of the audit log: %w", n, err)
		case a.Seq != n || a.Prev != head:
			return head, fmt.Errorf("line %d of the audit log does not follow the one before: a line is missing, or was changed", n)
		case a.Hash != sum || !bytes.Equal(again, lines.Bytes()):
			return head, fmt.Errorf("line %d of the audit log was changed", n)
		}
		head = a.Hash
		if see != nil {
			see(a)
		}
	}
	if err := lines.Err(); err != nil {
		return head, fmt.Errorf("read audit log: %w", err)
	}
	return head, nil
}
