package chaostest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/proofload/proofload/chaos"
)

// RunNode runs this process as a node or prober, or as one that crashes for
// [TestCrash] and needs to know the kinds, if it was started as one, and reports
// whether it was:
//
//	func TestMain(m *testing.M) {
//		if !chaostest.RunNode(Kinds()...) {
//			m.Run()
//		}
//	}
func RunNode(kinds ...chaos.Kind) bool {
	role := os.Getenv(roleVariable)
	if role == "" {
		return false
	}
	ctx := context.Background() //nolint:forbidigo // is a main function
	dir := os.Getenv(dirVariable)
	var err error
	switch i := slices.IndexFunc(kinds, func(k chaos.Kind) bool { return k.Name == os.Getenv(kindVariable) }); {
	case role == roleDetached:
		err = detached(ctx, dir, os.Getenv(addrVariable))
	case role == roleRunner && i >= 0:
		err = runner(ctx, kinds[i], dir, os.Getenv(haltVariable), os.Stdout) //nolint:forbidigo // is a main function
	case role == roleGuard && i >= 0:
		err = guardRunner(ctx, kinds[i], dir)
	default:
		_ = play(ctx, role, os.Stdin, os.Stdout) //nolint:forbidigo // is a main function, whose end the parent sees
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err) //nolint:forbidigo // is a main function
	}
	return true
}

// play carries out the role of a child process until its parent ends.
func play(ctx context.Context, role string, in io.Reader, out io.Writer) error {
	if role == roleProber {
		fmt.Fprintln(out, role)
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			answer := "broken"
			if answers(ctx, lines.Text()) {
				answer = "ok"
			}
			fmt.Fprintln(out, answer)
		}
		return lines.Err()
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", os.Getenv(addrVariable))
	if err != nil {
		return err
	}
	go echo(listener)
	fmt.Fprintln(out, listener.Addr())
	_, err = io.Copy(io.Discard, in)
	return err
}

// echo answers every connection with what it is sent.
func echo(listener net.Listener) {
	for {
		c, err := listener.Accept()
		if errors.Is(err, syscall.EMFILE) {
			<-time.After(10 * time.Millisecond) // as servers do
			continue
		}
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(c, c) // until the client is done
			_ = c.Close()        // nothing is left to say
		}()
	}
}
