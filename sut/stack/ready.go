package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"

	"github.com/proofload/proofload/sut"
)

const (
	pollEvery    = 150 * time.Millisecond // while all nodes start at the same time
	soonEvery    = 50 * time.Millisecond  // while one node starts again, and how soon it serves is told
	inspectEvery = 10                     // polls: whether the container has ended is asked less often
	probeTimeout = 2 * time.Second
	// primaryTimeout bounds asking all nodes which is primary: a frozen node
	// must not hold up the answer of the others.
	primaryTimeout = 1 * time.Second
	// readyTimeout bounds waiting for one node. A database node that is copied
	// anew is the slowest.
	readyTimeout  = 2 * time.Minute
	errorLogLines = 50
	answerLimit   = 200 // bytes of a refusal that are quoted
)

// WaitReady implements [sut.Waiter]. The error holds the end of the node's log.
func (s *Stack) WaitReady(ctx context.Context, node string) error {
	if _, ok := s.topology.Node(node); !ok {
		return fmt.Errorf("no node %q in %s", node, s.topology.Name)
	}
	return s.waitReady(ctx, node, soonEvery)
}

func (s *Stack) waitReady(ctx context.Context, node string, every time.Duration) error {
	return s.poll(ctx, node, every, func(ctx context.Context) (string, error) { return s.health(ctx, node) })
}

// poll asks until there is no error, or the context is done, or the node's
// container has ended.
func (s *Stack) poll(ctx context.Context, node string, every time.Duration, ask func(context.Context) (string, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("not ready within %s", readyTimeout))
	defer cancel()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var last error // the newest that is not only of the deadline
	for polls := 1; ; polls++ {
		err := func() error {
			probe, cancel := context.WithTimeout(ctx, probeTimeout)
			defer cancel()
			_, err := ask(probe)
			return err
		}()
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		if polls%inspectEvery == 0 {
			if state, stateErr := s.State(ctx, node); stateErr == nil && state == sut.Down {
				return s.withLog(ctx, node, errors.New("its container has ended"))
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			cause := context.Cause(ctx)
			if errors.Is(ctx.Err(), context.Canceled) {
				return cause // something else failed: that is the error to tell
			}
			return s.withLog(ctx, node, fmt.Errorf("%w: %w", cause, last))
		}
	}
}

// health asks a node whether it is whole, and says in a word what it is.
func (s *Stack) health(ctx context.Context, node string) (string, error) {
	n, _ := s.topology.Node(node)
	endpoint := func(kind string) string {
		u, _ := s.Endpoint(kind + "/" + node)
		return u
	}
	const ready = "ready"
	switch n.Role {
	case sut.RoleDatabase:
		return s.databaseHealth(ctx, node)
	case sut.RolePooler:
		var one int
		return ready, s.queryRow(ctx, "postgres/"+node, "select 1", &one)
	case sut.RoleBroker:
		return ready, askBroker(ctx, endpoint("amqp"))
	case sut.RoleCache:
		return ready, askCache(ctx, endpoint("redis"))
	case sut.RoleStore:
		return ready, s.get(ctx, endpoint("etcd")+"/health")
	case sut.RoleRouter:
		return ready, s.get(ctx, endpoint("health")+"/healthz")
	case sut.RoleBalancer:
		api, _ := s.Endpoint("api")
		return ready, s.get(ctx, api+"/livez")
	case sut.RoleLinks:
		address, _ := s.published(node, portControl)
		return ready, s.get(ctx, "http://"+address+"/healthz")
	default:
		return ready, s.get(ctx, endpoint("http")+"/readyz")
	}
}

// databaseHealth is "primary" or "replica". A node that is up but streams from
// nobody is not whole. The agent is asked first: a server that believes to be
// primary is one only while its agent holds the lease, and the server's log is
// spared connections while it starts.
func (s *Stack) databaseHealth(ctx context.Context, node string) (string, error) {
	role := sut.MemberPrimary
	if s.askPatroni(ctx, node, role) != nil {
		role = sut.MemberReplica
		if err := s.askPatroni(ctx, node, role); err != nil {
			return "", err
		}
	}
	var recovering, streaming bool
	err := s.queryRow(ctx, "postgres/"+node,
		`select pg_is_in_recovery(), exists(select from pg_stat_wal_receiver where status = 'streaming')`, &recovering, &streaming)
	switch {
	case err != nil:
		return "", err
	case recovering != (role == sut.MemberReplica):
		return "", fmt.Errorf("the agent says %s, but that the server is in recovery is %t", role, recovering)
	case recovering && !streaming:
		return "", errors.New("replica does not stream")
	default:
		return role, nil
	}
}

// askPatroni asks the agent of a node whether the node is that member. It is
// primary only while the agent holds an unexpired lease.
func (s *Stack) askPatroni(ctx context.Context, node, member string) error {
	base, _ := s.Endpoint("patroni/" + node)
	return s.get(ctx, base+"/"+member)
}

// Primary implements [sut.PrimaryFinder]: it asks the agents of all database
// nodes at once.
func (s *Stack) Primary(ctx context.Context) (sut.Node, error) {
	ctx, cancel := context.WithTimeout(ctx, primaryTimeout)
	defer cancel()
	nodes := s.topology.ByRole(sut.RoleDatabase)
	errs := make([]error, len(nodes))
	found := make(chan sut.Node, len(nodes))
	var g errgroup.Group
	for i, n := range nodes {
		g.Go(func() error {
			err := s.askPatroni(ctx, n.Name, sut.MemberPrimary)
			if err != nil {
				errs[i] = fmt.Errorf("%s: %w", n.Name, err)
				return nil
			}
			found <- n
			cancel() // the others need not answer
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return sut.Node{}, err
	}
	select {
	case n := <-found:
		return n, nil
	default:
		return sut.Node{}, fmt.Errorf("no node is primary: %w", errors.Join(errs...))
	}
}

// A statusError is an HTTP answer other than 200.
type statusError int

func (e statusError) Error() string {
	return fmt.Sprintf("answered %d %s", int(e), http.StatusText(int(e)))
}

// get wants the answer 200.
func (s *Stack) get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, answerLimit)) // only to explain
		return fmt.Errorf("get %s: %w %s", url, statusError(resp.StatusCode), bytes.TrimSpace(body))
	}
	return nil
}

// queryRow runs a query on a connection of its own.
func (s *Stack) queryRow(ctx context.Context, endpoint, query string, into ...any) error {
	address, ok := s.Endpoint(endpoint)
	if !ok {
		return fmt.Errorf("no endpoint %s", endpoint)
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", endpoint, err)
	}
	// The pooler knows no prepared statements of the protocol.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", endpoint, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := conn.QueryRow(ctx, query).Scan(into...); err != nil {
		return fmt.Errorf("query %s: %w", endpoint, err)
	}
	return nil
}

// askBroker opens a connection, which includes logging in.
func askBroker(ctx context.Context, url string) error {
	conn, err := amqp.DialConfig(url, amqp.Config{Dial: func(network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		deadline, _ := ctx.Deadline()
		return c, c.SetDeadline(deadline)
	}})
	if err != nil {
		return fmt.Errorf("connect to the broker: %w", err)
	}
	return conn.Close()
}

// askCache wants it to answer, and a replica to follow its master.
func askCache(ctx context.Context, url string) error {
	address := strings.TrimSuffix(strings.TrimPrefix(url, "redis://"), "/0")
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if deadlineErr := conn.SetDeadline(deadline); deadlineErr != nil {
			return deadlineErr
		}
	}
	// It closes the connection when it has answered all.
	if _, err = io.WriteString(conn, "PING\r\nINFO replication\r\nQUIT\r\n"); err != nil {
		return fmt.Errorf("ask the cache: %w", err)
	}
	said, err := io.ReadAll(conn)
	if err != nil {
		return fmt.Errorf("ask the cache: %w", err)
	}
	answer, rest, _ := strings.Cut(string(said), "\r\n")
	switch {
	case answer != "+PONG":
		return fmt.Errorf("ping the cache: it answered %q", answer)
	case strings.Contains(rest, "master_link_status:down"):
		return errors.New("the cache is a replica, and does not follow its master")
	}
	return nil
}
