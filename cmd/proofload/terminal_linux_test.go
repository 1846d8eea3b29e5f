package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proofload/proofload/reports"
)

const keysDrill = `proofload: scenario/v1
name: sim-keys
target: sim/ledger
load:
  workload: ledger/mixed
  send_lag: 2s
  phases:
    - {name: steady, for: 60s, rate: 50/s}
timeline:
  - {at: steady + 200ms, gate: "Begin?", within: 10m}
  - at: steady + 300ms
    kill: postgres.primary
    as: primary-lost
verify: [acknowledged-writes]
`

// A typist sits at a pseudo terminal at which the command runs.
type typist struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	found  unix.Termios

	mu     sync.Mutex
	screen bytes.Buffer
}

// sitDown runs the command at a terminal of its own.
func sitDown(t *testing.T, args ...string) *typist {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals: %v", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	p := &typist{t: t, master: master}
	p.found = p.settings()
	p.cmd = exec.Command("proofload", args...) //nolint:noctx // it is waited for
	p.cmd.Dir = t.TempDir()
	p.cmd.Env = append(os.Environ(), "TERM=xterm")
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = tty, tty, tty
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := os.WriteFile(filepath.Join(p.cmd.Dir, "drill.yaml"), []byte(keysDrill), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	go p.watch()
	return p
}

func (p *typist) watch() {
	buffer := make([]byte, 4096)
	for {
		n, err := p.master.Read(buffer)
		p.mu.Lock()
		p.screen.Write(buffer[:n])
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *typist) settings() unix.Termios {
	p.t.Helper()
	s, err := unix.IoctlGetTermios(int(p.master.Fd()), unix.TCGETS)
	if err != nil {
		p.t.Fatal(err)
	}
	return *s
}

// until waits for something, and gives up after a minute.
func (p *typist) until(what string, so func() bool) {
	p.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !so() {
		select {
		case <-tick.C:
		case <-deadline:
			p.t.Fatalf("still not %s:\n%q", what, p.seen())
		}
	}
}

// seen is what was not waited for yet.
func (p *typist) seen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.String()
}

// sees waits for a text, and forgets what was before it.
func (p *typist) sees(text string) {
	p.t.Helper()
	p.until(text, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		_, rest, ok := strings.Cut(p.screen.String(), text)
		if ok {
			p.screen.Reset()
			p.screen.WriteString(rest)
		}
		return ok
	})
}

func (p *typist) types(keys string) {
	p.t.Helper()
	if _, err := p.master.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// taken waits until keys come one by one, with signals and line ends as before.
func (p *typist) taken() {
	p.t.Helper()
	want := single(p.found)
	p.until("taken", func() bool { return p.settings() == want })
	if want.Lflag&unix.ISIG == 0 || want.Oflag&unix.OPOST == 0 || want.Lflag&(unix.ICANON|unix.ECHO) != 0 {
		p.t.Errorf("taken, the terminal is %+v", want)
	}
}

func (p *typist) given() {
	p.t.Helper()
	p.until("as it was", func() bool { return p.settings() == p.found })
}

// leaves waits for the end of the command, after which the terminal is as it was.
func (p *typist) leaves() int {
	p.t.Helper()
	_ = p.cmd.Wait()
	p.given()
	return p.cmd.ProcessState.ExitCode()
}

// stopped reports whether the command is stopped, as a shell sees it.
func (p *typist) stopped() bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/stat")
	_, state, ok := strings.Cut(string(stat), ") ")
	return err == nil && ok && strings.HasPrefix(state, "T")
}

// TestKeys leads a run by keys: it looks for logs, passes a gate, and stops the
// run, with a change of mind on the way.
func TestKeys(t *testing.T) {
	p := sitDown(t, "run", "drill.yaml", "--seed", "7")
	p.sees("gate-1: Begin?  press g, or proofload approve")
	p.taken()
	p.sees("a abort  g gate  l logs")
	p.types("l")
	p.sees("there are no logs to be had of sim/ledger")
	p.types("a")
	p.sees("stop the run and mend?  y stops, n goes on")
	p.types("n")
	p.sees("a abort  g gate  l logs")
	p.types("g")
	p.sees("pass gate-1?  y goes on, n stops the run")
	p.types("\x1b")
	p.sees("a abort  g gate  l logs")
	p.types("g")
	p.sees("pass gate-1?")
	p.types("y")
	p.sees("gate-1: passed by ")
	p.sees("in effect")
	p.types("g")
	p.sees("no gate is open")
	p.types("A")
	p.sees("stop the run and mend?")
	p.types("y")
	p.sees("INTERRUPTED")
	p.sees("all healed")
	if code := p.leaves(); code != reports.ExitInterrupted {
		t.Errorf("exit %d, want %d", code, reports.ExitInterrupted)
	}
}

// TestKeysRefuseAGate answers as somebody does who types a word and Enter.
func TestKeysRefuseAGate(t *testing.T) {
	p := sitDown(t, "run", "drill.yaml", "--seed", "7")
	p.sees("gate-1: Begin?")
	p.types("no\r")
	p.sees("pass gate-1?  y goes on, n stops the run")
	p.types("n")
	p.sees("STOPPED")
	if code := p.leaves(); code != reports.ExitStopped {
		t.Errorf("exit %d, want %d", code, reports.ExitStopped)
	}
}

// TestTerminalIsGivenBack ends and stops a run in every way that a keyboard and a
// shell have: the terminal is left as it was found.
func TestTerminalIsGivenBack(t *testing.T) {
	const never = -1
	for name, tt := range map[string]struct {
		end  func(p *typist)
		code int
	}{
		"Ctrl-C":  {func(p *typist) { p.types("\x03") }, reports.ExitInterrupted},
		"Ctrl-\\": {func(p *typist) { p.types("\x1c") }, 2}, // as a panic in a goroutine ends it
		"SIGTERM": {func(p *typist) { _ = p.cmd.Process.Signal(syscall.SIGTERM) }, reports.ExitInterrupted},
		"SIGKILL": {func(p *typist) { _ = p.cmd.Process.Kill() }, never},
		"Ctrl-Z": {func(p *typist) {
			for range 2 {
				p.types("\x1a")
				p.until("stopped", p.stopped)
				p.given()
				_ = p.cmd.Process.Signal(syscall.SIGCONT)
				p.taken()
			}
			p.types("\x03")
		}, reports.ExitInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			p := sitDown(t, "run", "drill.yaml", "--seed", "7")
			p.sees("gate-1: Begin?")
			p.taken()
			tt.end(p)
			if code := p.leaves(); code != tt.code {
				t.Errorf("exit %d, want %d", code, tt.code)
			}
		})
	}
}

// TestTerminalOfAnother leaves a terminal alone that somebody else has by now.
func TestTerminalOfAnother(t *testing.T) {
	p := sitDown(t, "plan", "drill.yaml")
	p.leaves()
	data, err := json.Marshal(p.found)
	if err != nil {
		t.Fatal(err)
	}
	found := string(data)
	shell := p.found
	shell.Lflag &^= unix.ICANON | unix.ECHO
	shell.Iflag &^= unix.ICRNL
	if err := unix.IoctlSetTermios(int(p.master.Fd()), unix.TCSETS, &shell); err != nil {
		t.Fatal(err)
	}
	if err := mendTerminal(p.master, strings.NewReader(found)); err != nil {
		t.Error(err)
	}
	if p.settings() != shell {
		t.Error("the terminal of another was changed")
	}
	keys := single(p.found)
	if err := unix.IoctlSetTermios(int(p.master.Fd()), unix.TCSETS, &keys); err != nil {
		t.Fatal(err)
	}
	if err := mendTerminal(p.master, strings.NewReader(found)); err != nil || p.settings() != p.found {
		t.Errorf("the terminal that was taken is not mended: %v", err)
	}
}
