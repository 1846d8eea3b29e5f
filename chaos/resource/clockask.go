package resource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/proofload/proofload/sut"
)

// askPatience is how long a node may take to say what time it is.
const askPatience = 2 * time.Second

// tellers are the roles of nodes that say what time it is.
func tellers() []sut.Role {
	return []sut.Role{sut.RoleService, sut.RoleWorker, sut.RoleDatabase, sut.RoleCache}
}

// ahead returns how far the clock of a node is ahead of the one here, by what
// the node itself answers. The answers of services have whole seconds.
func ahead(ctx context.Context, env sut.Environment, node string) (time.Duration, error) {
	n, ok := env.Topology().Node(node)
	if !ok {
		return 0, errors.New("there is no such node")
	}
	var kind string
	var ask func(ctx context.Context, url string) (time.Time, error)
	switch n.Role {
	case sut.RoleDatabase:
		kind, ask = "postgres", askDatabase
	case sut.RoleCache:
		kind, ask = "redis", askCache
	default:
		kind, ask = "http", askService
	}
	url, ok := env.Endpoint(kind + "/" + node)
	if !ok {
		return 0, fmt.Errorf("it has no endpoint %s/%s: %w", kind, node, sut.ErrUnsupported)
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	began := time.Now()
	says, err := ask(ctx, url)
	if err != nil {
		return 0, err
	}
	// Without the reading of the clock that does not jump.
	return says.Sub(began.Add(time.Since(began) / 2).Round(0)), nil
}

// askService goes by the Date that every answer of a service has, whatever it
// is.
func askService(ctx context.Context, url string) (time.Time, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, http.NoBody)
	if err != nil {
		return time.Time{}, err
	}
	req.Close = true
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return time.Time{}, err
	}
	_ = resp.Body.Close()
	says, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}, fmt.Errorf("its answer has no Date that can be read: %w: %w", sut.ErrUnsupported, err)
	}
	return says.Add(time.Second / 2), nil // what was cut off, on average
}

func askDatabase(ctx context.Context, url string) (says time.Time, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return time.Time{}, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	err = conn.QueryRow(ctx, "select clock_timestamp()").Scan(&says)
	return says, err
}

func askCache(ctx context.Context, url string) (time.Time, error) {
	address, _, _ := strings.Cut(strings.TrimPrefix(url, "redis://"), "/")
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return time.Time{}, err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if _, err = io.WriteString(conn, "TIME\r\nQUIT\r\n"); err != nil {
		return time.Time{}, err
	}
	answer, err := io.ReadAll(conn) // *2 $10 SECONDS $6 MICROSECONDS +OK
	if err != nil {
		return time.Time{}, err
	}
	fields := strings.Fields(string(answer))
	if len(fields) < 5 {
		return time.Time{}, fmt.Errorf("it answered %q", answer)
	}
	seconds, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("it answered %q", answer)
	}
	micros, err := strconv.ParseInt(fields[4], 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("it answered %q", answer)
	}
	return time.Unix(seconds, micros*1000), nil
}
