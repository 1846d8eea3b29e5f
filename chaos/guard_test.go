package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// watched runs a guard over a pipe and returns the run's end of it, and what
// the guard did by the time it ended.
func watched(t *testing.T, g *Guard) (run net.Conn, ended func() ([]string, error)) {
	t.Helper()
	run, end := net.Pipe()
	var did []string
	g.Say = func(line string) { did = append(did, line) }
	heal := g.Heal
	g.Heal = func(ctx context.Context, again bool) error {
		if ctx.Err() != nil {
			t.Error("heals under a context that is done")
		}
		did = append(did, map[bool]string{false: "HEAL", true: "HEAL AGAIN"}[again])
		if heal == nil {
			return nil
		}
		return heal(ctx, again)
	}
	result := make(chan error, 1)
	go func() { result <- errors.Join(g.watch(t.Context(), end), end.Close()) }()
	return run, func() ([]string, error) { err := <-result; return did, err }
}

// say has a run say something, and hears the answer to a beat.
func say(t *testing.T, run net.Conn, word byte) (answer byte) {
	t.Helper()
	if _, err := run.Write([]byte{word}); err != nil {
		t.Fatal(err)
	}
	if word == sayDone {
		return 0
	}
	var b [1]byte
	if _, err := io.ReadFull(run, b[:]); err != nil {
		t.Fatal(err)
	}
	return b[0]
}

func TestGuard(t *testing.T) {
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, run net.Conn)
		want []string
	}{
		{
			"a run that ends leaves nothing to do",
			func(t *testing.T, run net.Conn) {
				t.Helper()
				for range 20 {
					if got := say(t, run, sayBeat); got != sayHeld {
						t.Errorf("answered %q, want held", got)
					}
					<-time.After(leaseInterval)
				}
				say(t, run, sayDone)
			},
			[]string{"the run is over"},
		},
		{
			"a run that dies is healed at once",
			func(t *testing.T, run net.Conn) {
				t.Helper()
				say(t, run, sayBeat)
				run.Close()
			},
			[]string{"the run is gone", "HEAL", "everything is healed"},
		},
		{
			"a run that is silent is healed, told so when it wakes, and healed again when it dies",
			func(t *testing.T, run net.Conn) {
				t.Helper()
				say(t, run, sayBeat)
				<-time.After(GuardSilence + time.Second)
				if got := say(t, run, sayBeat); got != sayHealed {
					t.Errorf("answered %q, want healed", got)
				}
				run.Close()
			},
			[]string{
				"the run has been silent for 5s", "HEAL", "everything is healed",
				"the run is gone", "HEAL AGAIN", "everything is healed",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				run, ended := watched(t, &Guard{})
				tt.run(t, run)
				did, err := ended()
				if err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(tt.want, did); diff != "" {
					t.Errorf("the guard did (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestGuardInsists has an engine that cannot be reached for a while, and one
// that never can.
func TestGuardInsists(t *testing.T) {
	for _, tt := range []struct {
		name string
		bad  int // tries that fail
		want bool
	}{{"unreachable for a while", 3, true}, {"unreachable", 1000, false}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries, down := 0, errors.New("no docker")
				run, ended := watched(t, &Guard{Heal: func(context.Context, bool) error {
					tries++
					if tries <= tt.bad {
						return down
					}
					return nil
				}})
				run.Close()
				if _, err := ended(); tt.want != (err == nil) || err != nil && !errors.Is(err, down) {
					t.Errorf("after %d tries: %v", tries, err)
				}
				if tt.want && tries != tt.bad+1 || tries < 2 {
					t.Errorf("tried %d times", tries)
				}
			})
		})
	}
}

// TestGuardOverdue has a run that goes on for ever with a fault that should
// have ended.
func TestGuardOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		overdue := false
		run, ended := watched(t, &Guard{Overdue: func() bool { return overdue }})
		if got := say(t, run, sayBeat); got != sayHeld {
			t.Errorf("answered %q before the time is over", got)
		}
		overdue = true
		for range 2 {
			if got := say(t, run, sayBeat); got != sayHealed {
				t.Errorf("answered %q after the time is over", got)
			}
		}
		say(t, run, sayDone)
		did, err := ended()
		if err != nil || slices.Index(did, "HEAL") != 1 || len(did) != 4 {
			t.Errorf("the guard did %q, %v", did, err)
		}
	})
}

// TestLease connects a lease and a guard as two processes do.
func TestLease(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "guard")
	serve := func(g *Guard) <-chan error {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		g.Say = func(line string) { t.Log(line) }
		ended := make(chan error, 1)
		go func() { ended <- errors.Join(g.Serve(t.Context(), listener), listener.Close()) }()
		return ended
	}
	healed := 0
	ended := serve(&Guard{Heal: func(context.Context, bool) error { healed++; return nil }})
	lease, err := NewLease(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	if err = errors.Join(lease.Err(), lease.Close(), <-ended); err != nil || healed > 0 {
		t.Errorf("a run that ends: %v, healed %d times", err, healed)
	}

	ended = serve(&Guard{
		Heal:    func(context.Context, bool) error { healed++; return nil },
		Overdue: func() bool { return true }, // from the first beat
	})
	if lease, err = NewLease(t.Context(), socket); err == nil || !strings.Contains(err.Error(), "healed everything") {
		t.Errorf("a lease of a guard that has healed: %v, %v", lease, err)
	}
	if err := <-ended; err != nil || healed != 2 { // again when the run was gone
		t.Errorf("healed %d times: %v", healed, err)
	}
}

// TestLeaseLost kills the guard: the run hears of it, and may not inject any
// more.
func TestLeaseLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, guard := net.Pipe()
		go func() {
			var b [1]byte
			for range 3 {
				if _, err := io.ReadFull(guard, b[:]); err != nil {
					return
				}
				_, _ = guard.Write([]byte{sayHeld}) // the run is there
			}
			guard.Close()
		}()
		lease := &Lease{conn: run, lost: make(chan struct{})}
		go lease.renew()
		if err := lease.Err(); err != nil {
			t.Error(err)
		}
		if err := lease.Watch(t.Context()); !errors.Is(err, ErrLeaseLost) {
			t.Errorf("the guard is gone: %v", err)
		}
		var log []string
		j := openJournal(t, filepath.Join(t.TempDir(), "journal"))
		j.Require(func([]Entry, Undo) error { return lease.Err() })
		f := &fakeFault{name: "x", log: &log, journal: j}
		if _, err := Arm(t.Context(), j, fakeCatalog(&log, nil), nil, f, nil); !errors.Is(err, ErrLeaseLost) {
			t.Errorf("injected without a guard: %v", err)
		}
		if diff := cmp.Diff([]string{"prepare x"}, log); diff != "" || len(j.Pending()) > 0 {
			t.Errorf("without a guard (-want +got):\n%s%v is pending", diff, targets(j))
		}
		if err := lease.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestHealAgain heals what its journal says is healed: it was injected late.
func TestHealAgain(t *testing.T) {
	var log []string
	j := openJournal(t, filepath.Join(t.TempDir(), "journal"))
	for _, target := range []string{"a", "b"} {
		if err := j.mark(arm(t, j, target), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := HealAgain(t.Context(), fakeCatalog(&log, nil), nil, j); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"heal b", "heal a"}, log); diff != "" {
		t.Errorf("healed (-want +got):\n%s", diff)
	}
}

// TestReadPending reads a journal while its writer is at it: nothing is changed.
func TestReadPending(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal")
	if pending, err := ReadPending(file); err != nil || len(pending) > 0 {
		t.Errorf("no journal has %v pending: %v", pending, err)
	}
	j := openJournal(t, file)
	undo := Undo{Kind: "fake", Target: "a", Data: json.RawMessage("1"), TTL: time.Minute}
	if _, _, err := j.arm(undo, unopposed); err != nil {
		t.Fatal(err)
	}
	arm(t, j, "b")
	if _, err := j.file.WriteString(`{"id":"3","sta`); err != nil {
		t.Fatal(err)
	}
	before := size(t, file)
	pending, err := ReadPending(file)
	if err != nil || len(pending) != 2 || size(t, file) != before {
		t.Fatalf("pending %v, %v; %d bytes, want %d", pending, err, size(t, file), before)
	}
	if got := pending[0].Until().Sub(pending[0].At); got != time.Minute {
		t.Errorf("may last %s, want what its undo says", got)
	}
	if got := pending[1].Until().Sub(pending[1].At); got != DefaultTTL {
		t.Errorf("may last %s, want the default", got)
	}
	if _, offset := pending[0].Until().Zone(); offset != 0 {
		t.Error("the end is not in UTC, as the kernel's is")
	}
}
