package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/sut"
)

// The files of a target's directory. It lies in the system's temporary
// directory, because a stack is one for the whole machine, whatever directory
// a run is begun in, and because socket paths must be short.
const (
	fileOwner  = "owner.json"
	fileHeld   = "lock"
	fileSocket = "guard.sock"
)

// errInUse is wrapped by errors that say that a target is held by a process that
// lives.
var errInUse = errors.New("it is in use")

// guardPatience is how long a start waits for the guard of a run that died.
const guardPatience = 30 * time.Second

// An owner says who breaks things in a target.
type owner struct {
	Run   string    `json:"run"`
	Dir   string    `json:"dir"` // of its journal, absolute
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
}

func (o owner) String() string {
	return fmt.Sprintf("%s (process %d, since %s, in %s)", o.Run, o.PID, o.Since.Format(time.DateTime), o.Dir)
}

// A holding is the right to break things in a target, which one process has at
// a time, and its guard after it.
type holding struct {
	dir      string
	lock     *os.File // the kernel releases it when the last process that has it ends
	previous owner    // who had it before
}

// socket is where the guard of the holder listens.
func (h *holding) socket() string { return filepath.Join(h.dir, fileSocket) }

// holdID names what is held of a target: its stack, or its target file, which
// is one for the whole machine too. Found is by what the target is found again, see
// [reports.Manifest]. It is empty for a target that lives in this process, and for
// an address, of which nothing can be broken.
func holdID(target, found string) string {
	switch {
	case strings.HasPrefix(target, stackPrefix):
		return found
	case !isFile(target):
		return ""
	}
	sum := sha256.Sum256([]byte(found))
	return "target-" + hex.EncodeToString(sum[:6])
}

// holdingsRoot is where the directories of targets are.
func holdingsRoot() string {
	return filepath.Join(os.TempDir(), "proofload-"+strconv.Itoa(os.Getuid()))
}

// release gives the target back.
func (h *holding) release() error {
	if h == nil {
		return nil
	}
	if err := h.lock.Close(); err != nil {
		return fmt.Errorf("release target: %w", err)
	}
	return nil
}

// forget gives a target back that is no more.
func (h *holding) forget() error {
	if h == nil {
		return nil
	}
	return errors.Join(os.RemoveAll(h.dir), h.release())
}

// holdTarget takes the right to break things in a target, or says who has it.
// Where that is a process that is gone, its guard is mending: it is waited for.
func (a *app) holdTarget(ctx context.Context, id string) (*holding, error) {
	h := &holding{dir: filepath.Join(holdingsRoot(), id)}
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return nil, fmt.Errorf("hold %s: %w", id, err)
	}
	lock, err := os.OpenFile(filepath.Join(h.dir, fileHeld), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("hold %s: %w", id, err)
	}
	h.lock = lock
	ctx, cancel := context.WithTimeout(ctx, guardPatience)
	defer cancel()
	told := false
	var taken error
	err = chaos.Watch(ctx, func(context.Context) error {
		busy := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		h.previous = h.readOwner()
		if busy == nil {
			return nil
		}
		if !errors.Is(busy, syscall.EWOULDBLOCK) || alive(h.previous.PID) {
			taken = fmt.Errorf("%w by %s", errInUse, h.previous)
			return nil
		}
		if !told {
			fmt.Fprintf(a.stderr, "waiting for the guard of %s to mend what it left\n", h.previous)
			told = true
		}
		return fmt.Errorf("the guard of %s is still mending", h.previous)
	})
	if err = errors.Join(taken, err); err != nil {
		return nil, errors.Join(fmt.Errorf("hold %s: %w", id, err), lock.Close())
	}
	return h, nil
}

// own writes down whose journal speaks of the target from now on.
func (h *holding) own(run string, dir reports.Directory) error {
	path, err := filepath.Abs(dir.Path)
	if err != nil {
		return fmt.Errorf("hold target: %w", err)
	}
	data, err := json.Marshal(owner{Run: run, Dir: path, PID: os.Getpid(), Since: time.Now()})
	if err != nil {
		return fmt.Errorf("hold target: %w", err)
	}
	return reports.Directory{Path: h.dir}.Write(fileOwner, data)
}

// readOwner reads who had the target last; nobody, if that cannot be read.
func (h *holding) readOwner() owner {
	data, err := os.ReadFile(filepath.Join(h.dir, fileOwner))
	if err != nil {
		return owner{}
	}
	var o owner
	if json.Unmarshal(data, &o) != nil {
		return owner{}
	}
	return o
}

// alive reports whether there is a process of that number.
func alive(pid int) bool {
	return pid > 0 && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// sweep mends what the last one to hold the target left, wherever its journal
// is.
func (a *app) sweep(ctx context.Context, h *holding) error {
	if h.previous.Dir == "" {
		return nil
	}
	dir := reports.Directory{Path: h.previous.Dir}
	pending, err := chaos.ReadPending(dir.File(reports.FileJournal))
	if err != nil || len(pending) == 0 {
		return err
	}
	m, err := dir.ReadManifest()
	if err != nil {
		return fmt.Errorf("%w: what %s left cannot be mended without it; by hand it can, and then remove %s%s",
			err, h.previous.Run, dir.File(reports.FileJournal), byHand(dir))
	}
	if err := a.healFrom(ctx, dir, m, chaos.HealAll); err != nil {
		return fmt.Errorf("heal run %s: %w%s", m.Run, err, byHand(dir))
	}
	return nil
}

// marked wants a system that was up before to have nothing that a fault left in it of
// which no journal is known any more: who breaks it anew would not know what is what.
func marked(ctx context.Context, env sut.Environment) ([]chaos.Undo, error) {
	left := catalog().Marks(ctx, env)
	if len(left) == 0 {
		return nil, nil
	}
	var b strings.Builder
	for _, u := range left {
		fmt.Fprintf(&b, "\n%s %s may still be in effect", u.Kind, u.Target)
		for _, command := range u.Manual {
			b.WriteString("\n  by hand: " + command)
		}
	}
	return left, fmt.Errorf("something was left broken by a run whose journal is gone: mend it first%s", b.String())
}

// auditFile is the audit log of all that is done from a working directory.
var auditFile = filepath.Join(".proofload", "audit.ndjson") //nolint:gochecknoglobals // a constant that the language has no form for

// audited returns what writes the actions on a run's faults to the audit log. What
// is not in there is known when the process ends: see [app.main].
func (a *app) audited(run, target string) func(action string, u chaos.Undo, detail string) error {
	return func(action string, u chaos.Undo, detail string) error {
		err := os.MkdirAll(filepath.Dir(auditFile), 0o755) // what was broken elsewhere is mended from here
		if err == nil {
			err = chaos.AppendAudit(auditFile, chaos.Audit{
				Who: a.who(), Run: run, System: target, Action: action, Kind: u.Kind, Target: u.Target, Detail: a.secrets.hide(detail),
			})
		}
		if err != nil {
			fmt.Fprintln(a.stderr, err)
			a.unaudited.Store(true)
		}
		return err
	}
}

// who names this process.
func (a *app) who() string {
	user, _ := a.lookup("USER")
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s@%s/%d", user, host, os.Getpid())
}
