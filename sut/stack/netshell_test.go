package stack

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// localShell is a shell on this machine in place of one in a container.
func localShell(t *testing.T) *netShell {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "sh")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, writer := io.Pipe()
	cmd.Stdout, cmd.Stderr = writer, writer
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		writer.Close()
		ended <- err
	}()
	n := newNetShell(in, out, func() {
		_ = in.Close()
		_ = out.Close()
	})
	t.Cleanup(func() {
		n.end()
		if err := <-ended; err != nil && !strings.Contains(err.Error(), "exit status") {
			t.Errorf("the shell did not end with its input: %v", err)
		}
	})
	return n
}

func TestNetShellRunsOneAfterTheOther(t *testing.T) {
	n := localShell(t)
	for _, c := range []struct {
		argv   []string
		output string
		code   int
	}{
		{[]string{"printf", "no line"}, "no line", 0},
		{[]string{"printf", `a\nb\n`}, "a\nb\n", 0},
		{[]string{"sh", "-c", "echo out; echo wrong >&2; exit 7"}, "out\nwrong\n", 7},
		{[]string{"exit", "3"}, "", 3},
		{[]string{"cat"}, "", 0}, // takes nothing of what the shell reads
		{[]string{"printf", "%s|", "it's", "$HOME", "`id`", "two  words", "a\nline", ""}, "it's|$HOME|`id`|two  words|a\nline||", 0},
		{[]string{"sh", "-c", "kill -9 $$"}, "", 137},
		{[]string{"true"}, "", 0},
	} {
		output, code, err := n.run(t.Context(), c.argv)
		if c.code == 137 {
			output = "" // shells tell of it in words of their own
		}
		if err != nil || output != c.output || code != c.code {
			t.Errorf("%q: printed %q and ended with %d, %v; want %q and %d", c.argv, output, code, err, c.output, c.code)
		}
	}
	if output, code, err := n.run(t.Context(), []string{"no-such-command"}); err != nil || code != 127 || output == "" {
		t.Errorf("an unknown command: printed %q and ended with %d, %v; want a word of the shell and 127", output, code, err)
	}
}

func TestNetShellThatEndsEarly(t *testing.T) {
	stop := errors.New("stop")
	for name, c := range map[string]struct {
		ends func(cancel context.CancelCauseFunc, answers io.Closer)
		want error
	}{
		"the caller gives up":      {func(cancel context.CancelCauseFunc, _ io.Closer) { cancel(stop) }, stop},
		"the container is removed": {func(_ context.CancelCauseFunc, answers io.Closer) { _ = answers.Close() }, errShell},
	} {
		t.Run(name, func(t *testing.T) {
			orders, in := io.Pipe()
			out, answers := io.Pipe()
			n := newNetShell(in, out, func() {
				_ = in.Close()
				_ = out.Close()
			})
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			go func() {
				_, _ = io.ReadFull(orders, make([]byte, 1)) // the command was given
				go func() { _, _ = io.Copy(io.Discard, orders) }()
				_, _ = io.WriteString(answers, "half of")
				c.ends(cancel, answers)
			}()
			output, _, err := n.run(ctx, []string{"iptables", "-S"})
			if !errors.Is(err, c.want) {
				t.Errorf("printed %q and ended with %v; want %v", output, err, c.want)
			}
			if _, _, err = n.run(t.Context(), []string{"true"}); err == nil {
				t.Error("a shell that has ended runs another command")
			}
		})
	}
}
