package stack

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
)

// A netShell is a shell that stays in an auxiliary container and runs the
// commands that it is told, one at a time. To have the engine start each
// takes about a tenth of a second, of which the command is a few milliseconds.
// The shell ends when its input does, as it does when this process dies.
type netShell struct {
	in      io.WriteCloser
	out     *bufio.Reader
	mark    string // begins the line after a command's output
	started string // when the node was started whose namespace it is in
	end     func() // closes the connection, which ends the shell
	ended   atomic.Bool
}

// openNetShell starts a shell in a container.
func openNetShell(ctx context.Context, docker *client.Client, name string) (*netShell, error) {
	created, err := docker.ExecCreate(ctx, name, client.ExecCreateOptions{
		Cmd: []string{"sh"}, AttachStdin: true, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return nil, fmt.Errorf("start shell in %s: %w", name, err)
	}
	attached, err := docker.ExecAttach(ctx, created.ID, client.ExecAttachOptions{})
	if err != nil {
		return nil, fmt.Errorf("start shell in %s: %w", name, err)
	}
	reader, writer := io.Pipe()
	go func() {
		_, err := stdcopy.StdCopy(writer, writer, attached.Reader)
		writer.CloseWithError(err)
	}()
	end := func() {
		attached.Close()
		_ = reader.Close() // cannot fail: a copy that waits for a reader ends
	}
	return newNetShell(attached.Conn, reader, end), nil
}

func newNetShell(in io.WriteCloser, out io.Reader, end func()) *netShell {
	n := &netShell{in: in, out: bufio.NewReader(out), mark: "end-" + rand.Text()}
	n.end = sync.OnceFunc(func() {
		n.ended.Store(true)
		end()
	})
	return n
}

// errShell is wrapped by errors of the shell itself. The command may have run.
var errShell = errors.New("the shell in the node's network ended")

// run runs a command and returns its combined output and its exit status. A
// shell whose command is cut short by ctx is of no further use.
func (n *netShell) run(ctx context.Context, argv []string) (output string, code int, err error) {
	if done := ctx.Err(); done != nil {
		return "", 0, done
	}
	stop := context.AfterFunc(ctx, n.end)
	defer func() {
		if !stop() {
			n.end() // has returned before anybody uses this shell again
		}
	}()
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	order := fmt.Sprintf("(%s) </dev/null 2>&1\nprintf '\\n%s %%d\\n' $?\n", strings.Join(words, " "), n.mark)
	if _, err = io.WriteString(n.in, order); err != nil {
		return "", 0, n.broken(ctx, err)
	}
	var printed strings.Builder
	for {
		line, err := n.out.ReadString('\n')
		if err != nil {
			return printed.String(), 0, n.broken(ctx, err)
		}
		if status, ended := strings.CutPrefix(line, n.mark+" "); ended {
			if code, err = strconv.Atoi(strings.TrimSpace(status)); err != nil {
				return printed.String(), 0, n.broken(ctx, err)
			}
			return strings.TrimSuffix(printed.String(), "\n"), code, nil
		}
		printed.WriteString(line)
	}
}

// broken ends a shell that does not work any more.
func (n *netShell) broken(ctx context.Context, err error) error {
	n.end()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", errShell, err)
}
