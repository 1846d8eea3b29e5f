package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/proofload/proofload/reports"
)

// A terminal gives its keys one by one while it is taken: nobody presses Enter,
// and they are not shown. Ctrl-C, Ctrl-Z and Ctrl-\ are signals as ever, and
// lines end as ever.
type terminal struct {
	file *os.File

	mu    sync.Mutex
	found *unix.Termios // as it was before; nil: it is not taken
}

// settings are those of the terminal now.
func (t *terminal) settings() (*unix.Termios, error) {
	return unix.IoctlGetTermios(int(t.file.Fd()), askTerminal)
}

// single is what settings become so that keys come one by one.
func single(settings unix.Termios) unix.Termios {
	settings.Lflag &^= unix.ICANON | unix.ECHO
	settings.Cc[unix.VMIN], settings.Cc[unix.VTIME] = 1, 0
	return settings
}

// take takes the terminal, unless it is another one's: that of the shell, whose
// line would be spoilt, while this process is in the background.
func (t *terminal) take() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	front, err := unix.IoctlGetInt(int(t.file.Fd()), unix.TIOCGPGRP)
	if err != nil || t.found != nil || front != unix.Getpgrp() {
		return err
	}
	found, err := t.settings()
	if err != nil {
		return err
	}
	keys := single(*found)
	if err := unix.IoctlSetTermios(int(t.file.Fd()), tellTerminal, &keys); err != nil {
		return err
	}
	t.found = found
	return nil
}

// give gives the terminal back as it was found, if it is taken.
func (t *terminal) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.found == nil {
		return
	}
	_ = unix.IoctlSetTermios(int(t.file.Fd()), tellTerminal, t.found) // of a terminal that is gone nothing is left to mend
	t.found = nil
}

// open takes the terminal and calls press with every key, until the returned
// function gives it back. It is given back as well while the process is stopped
// by Ctrl-Z, and, by a process of its own, when this one dies.
func (t *terminal) open(press func(key byte)) (restore func(), err error) {
	dismiss, err := t.guarded()
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	if err := t.take(); err != nil {
		dismiss()
		return nil, fmt.Errorf("read keys: %w", err)
	}
	stopped, resumed := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(stopped, syscall.SIGTSTP)
	signal.Notify(resumed, syscall.SIGCONT)
	over, again := make(chan struct{}), make(chan struct{}, 1)
	go func() {
		for {
			select {
			case <-stopped:
				t.give()
				_ = unix.Kill(unix.Getpid(), unix.SIGSTOP) // what Ctrl-Z does to others
			case <-resumed:
				_ = t.take() // without it keys come with Enter
				select {
				case again <- struct{}{}:
				default:
				}
			case <-over:
				return
			}
		}
	}()
	go t.read(press, again)
	return func() {
		signal.Stop(stopped)
		signal.Stop(resumed)
		close(over)
		t.give()
		dismiss()
	}, nil
}

// read reads keys until the terminal is gone or the process ends: a read that
// waits cannot be ended. In the background it fails; it goes on when the process
// was resumed.
func (t *terminal) read(press func(key byte), again <-chan struct{}) {
	var key [1]byte
	for {
		n, err := t.file.Read(key[:])
		switch {
		case n == 1:
			press(key[0])
		case errors.Is(err, syscall.EIO):
			<-again
		case err != nil:
			return
		}
	}
}

// terminalGuard is the name of the hidden command that mends a terminal.
const terminalGuard = "guard-terminal"

// guarded starts a process that waits for this one to end, and then sets the
// terminal back if it is still as take has made it: nothing else can after a
// panic in any goroutine, or a SIGKILL. The returned function ends it first.
func (t *terminal) guarded() (dismiss func(), err error) {
	found, err := t.settings()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, terminalGuard) //nolint:noctx // this program, which outlives the context
	cmd.Args[0] = "proofload"
	cmd.ExtraFiles = []*os.File{t.file}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // keys are no signals to it
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	dismiss = func() {
		_ = cmd.Process.Kill() // the terminal is as it was
		_ = cmd.Wait()
		_ = alive.Close()
	}
	if err := json.NewEncoder(alive).Encode(found); err != nil {
		dismiss()
		return nil, err
	}
	return dismiss, nil
}

// guardTerminalCommand is that process: the terminal is its file 3.
func (a *app) guardTerminalCommand() *cobra.Command {
	return &cobra.Command{
		Use:    terminalGuard,
		Short:  "Set the terminal back when a run dies",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := mendTerminal(os.NewFile(3, "terminal"), cmd.InOrStdin()); err != nil {
				return exit(reports.ExitEnvironment, err)
			}
			return nil
		},
	}
}

// mendTerminal waits for the end of what says how the terminal was found, and
// sets it back if it is still taken: a shell may have it by now.
func mendTerminal(file *os.File, alive io.Reader) error {
	said, err := io.ReadAll(alive)
	if err != nil {
		return fmt.Errorf("wait for the run: %w", err)
	}
	var found unix.Termios
	if err = json.Unmarshal(said, &found); err != nil {
		return fmt.Errorf("read how the terminal was: %w", err)
	}
	t := &terminal{file: file}
	now, err := t.settings()
	if err != nil {
		return fmt.Errorf("look at the terminal: %w", err)
	}
	if *now != single(found) {
		return nil
	}
	if err := unix.IoctlSetTermios(int(file.Fd()), tellTerminal, &found); err != nil {
		return fmt.Errorf("set the terminal back: %w", err)
	}
	return nil
}
