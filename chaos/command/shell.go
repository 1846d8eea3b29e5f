package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// How much of what a command prints is read, and kept, in characters.
const (
	maxRead = 4 << 10
	maxSaid = 200
)

// shell runs a command on this machine and returns the beginning of what it
// printed, in one line. It is in a session of its own, so that Ctrl-C is ours and
// nothing asks at the terminal; when ctx is done all of that session that is left is
// killed. What it leaves running is not waited for.
func shell(ctx context.Context, dir string, variables []string, command string) (said string, err error) {
	// A file, because what is left running would keep a pipe open; one without a
	// name, because secrets may be printed.
	out, err := os.CreateTemp("", "proofload-command-")
	if err != nil {
		return "", fmt.Errorf("run a command: %w", err)
	}
	defer func() { _ = out.Close() }() // it is gone then
	err = os.Remove(out.Name())
	if err != nil {
		return "", fmt.Errorf("run a command: %w", err)
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), variables...), out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err = cmd.Run()
	if err != nil && ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	return printed(out), err
}

// printed is the beginning of what a file holds, in one line.
func printed(f *os.File) string {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, maxRead))
	if err != nil {
		return "" // it explains, and decides nothing
	}
	all := []rune(strings.Join(strings.Fields(string(text)), " "))
	if len(all) > maxSaid {
		return string(all[:maxSaid]) + "..."
	}
	return string(all)
}
