// Linkd is the proxy that stands on the links between the nodes of a system
// under test, so that a fault can slow a link down or stop it.
//
//	linkd -config FILE -control :8474
//
// FILE lists the links:
//
//	{"seed": 1, "links": [{"name": "api-1->pgbouncer", "listen": ":7001", "upstream": "pgbouncer:6432"}]}
//
// Every link has a Toxiproxy API server of its own under /links/NAME/, in which
// the only proxy is named "link"; NAME is escaped as a path segment. Beside it,
// /links/NAME/counters counts the bytes of the link. GET /healthz answers as
// soon as all links listen. No state outlives the process.
//
// Linkd embeds Toxiproxy and differs from it where Toxiproxy would distort a
// measurement or damage a stream:
//
//   - Adding and removing a toxic takes effect at once, also while a receiver
//     does not read, and never loses, repeats or reorders a byte of a connection that goes on.
//     See [guard].
//   - A link dials its upstream for each client separately and with a timeout,
//     so that clients do not wait behind each other's dead dials.
//   - A half-closed connection stays half-closed.
//   - A reset reaches established connections too, also idle ones.
//   - Toxicity is the share of the connections that a toxic acts on. A
//     connection draws once, for all toxics and both directions.
//
// The toxics are latency (with a distribution beside Toxiproxy's attributes),
// bandwidth, slicer, limit_data and reset_peer, and linkd's own stall, which
// holds everything back, and half_open, which drops everything without a word.
// To refuse connections, disable the proxy. Other types are refused.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "linkd:", err)
		os.Exit(1)
	}
}

// run serves the links until ctx is done.
func run(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("linkd", flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("config", "", "JSON `file` that lists the links")
	control := flags.String("control", ":8474", "`address` of the control interface")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if *file == "" || flags.NArg() > 0 {
		return errors.New("usage: linkd -config FILE [-control ADDRESS]")
	}
	cfg, err := readConfig(*file)
	if err != nil {
		return err
	}
	makeRoomForFiles()
	logger := slog.New(slog.NewJSONHandler(stderr, nil))
	srv, err := newServer(ctx, cfg, logger)
	if err != nil {
		return fmt.Errorf("%s: %w", *file, err)
	}
	defer srv.close()
	return serve(ctx, *control, srv.routes(), logger)
}

// makeRoomForFiles has the kernel make room for the files of so many
// connections now. It doubles the room whenever that is used up, and the
// connection that meets that waits 20 ms and more, and with it all links of a
// process that has one processor. Without it, links are only less even.
func makeRoomForFiles() {
	const connections = 8 << 10
	fd, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 2*connections)
	if err == nil {
		_ = unix.Close(fd)
	}
}

// serve answers on the control address until ctx is done, and lets running
// requests finish.
func serve(ctx context.Context, addr string, handler http.Handler, logger *slog.Logger) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen for control: %w", err)
	}
	httpServer := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- httpServer.Serve(listener) }()
	logger.LogAttrs(ctx, slog.LevelInfo, "control listens", slog.String("address", listener.Addr().String()))

	select {
	case err := <-failed:
		return fmt.Errorf("serve control: %w", err)
	case <-ctx.Done():
	}
	logger.LogAttrs(ctx, slog.LevelInfo, "stopping")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := httpServer.Shutdown(grace); err != nil {
		return fmt.Errorf("stop control: %w", err)
	}
	return nil
}
