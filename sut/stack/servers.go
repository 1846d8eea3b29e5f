package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	tcwait "github.com/testcontainers/testcontainers-go/wait"
	"golang.org/x/sync/errgroup"
)

// serversStack is the stack label of [Servers], by which Down finds them too.
const serversStack = "servers"

// runPostgres makes a database cluster and serves it, without an agent. The
// settings for durability stay as they are.
//
//nolint:dupword // the words of pg_hba.conf
const runPostgres = `/usr/lib/postgresql/15/bin/initdb -D /var/lib/postgresql/data -E UTF8 -U postgres -A trust >/dev/null
echo 'host all all 0.0.0.0/0 trust' >> /var/lib/postgresql/data/pg_hba.conf
exec /usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/data -c listen_addresses='*'`

// Servers are one PostgreSQL, one Redis and one RabbitMQ from the images of
// the ledger stack, with nothing between them: what the tests of a service
// need.
type Servers struct {
	Postgres string // URL of an empty database whose role owns it
	Redis    string // URL
	AMQP     string // URL

	containers []testcontainers.Container
}

// StartServers starts the servers and returns when they answer. With an error
// nothing is left.
func StartServers(ctx context.Context) (*Servers, error) {
	docker, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = docker.Close() }()
	images, err := loadImages(ctx)
	if err != nil {
		return nil, err
	}
	if buildErr := ensureImages(ctx, docker, images, func(string) {}); buildErr != nil {
		return nil, buildErr
	}
	s := &Servers{containers: make([]testcontainers.Container, 3)}
	g, each := errgroup.WithContext(ctx)
	for i, r := range []struct {
		request testcontainers.ContainerRequest
		port    string
		format  string
		url     *string
	}{
		{
			testcontainers.ContainerRequest{
				Image: images["postgres"].tag(), Entrypoint: []string{"sh", "-ec", runPostgres},
				WaitingFor: tcwait.ForLog("database system is ready to accept connections"),
			}, "5432/tcp", "postgres://postgres@%s/postgres?sslmode=disable", &s.Postgres,
		},
		{
			testcontainers.ContainerRequest{
				Image: images["redis"].tag(), WaitingFor: tcwait.ForLog("Ready to accept connections"),
			}, "6379/tcp", "redis://%s/0", &s.Redis,
		},
		{
			testcontainers.ContainerRequest{
				Image: images["rabbitmq"].tag(), WaitingFor: tcwait.ForLog("Server startup complete"),
			}, "5672/tcp", "amqp://ledger:ledger@%s/", &s.AMQP,
		},
	} {
		g.Go(func() error {
			c, address, startErr := startServer(each, r.request, r.port)
			s.containers[i], *r.url = c, fmt.Sprintf(r.format, address)
			return startErr
		})
	}
	if err = g.Wait(); err != nil {
		return nil, errors.Join(fmt.Errorf("start servers: %w", err), s.Close(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// startServer starts one container and returns where its port is published.
func startServer(ctx context.Context, request testcontainers.ContainerRequest, port string) (testcontainers.Container, string, error) {
	parsed, err := network.ParsePort(port)
	if err != nil {
		return nil, "", fmt.Errorf("publish port: %w", err)
	}
	request.ExposedPorts = []string{port}
	request.Labels = map[string]string{labelOurs: "1", labelStack: serversStack}
	request.HostConfigModifier = func(h *container.HostConfig) {
		h.PortBindings = network.PortMap{parsed: []network.PortBinding{{HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1})}}}
	}
	c, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{
		ContainerRequest: request, Started: true, Logger: quiet{},
	})
	if err != nil {
		return c, "", fmt.Errorf("start %s: %w", strings.SplitN(request.Image, ":", 2)[0], err)
	}
	mapped, err := c.MappedPort(ctx, port)
	if err != nil {
		return c, "", fmt.Errorf("find port of %s: %w", request.Image, err)
	}
	return c, fmt.Sprintf("127.0.0.1:%d", mapped.Num()), nil
}

// Close removes the servers.
func (s *Servers) Close(ctx context.Context) error {
	var errs []error
	for _, c := range s.containers {
		if c != nil {
			errs = append(errs, c.Terminate(ctx))
		}
	}
	return errors.Join(errs...)
}

// Variables are the names of the environment variables that tell a package's
// tests where their servers are. Empty ones are not set.
type Variables struct{ Postgres, Redis, AMQP string }

// RunWithServers runs the tests of a package with servers at hand: those that
// the environment names, or else new ones, which are removed afterwards. It
// returns the exit code; why there are no servers goes to stderr.
func RunWithServers(ctx context.Context, stderr io.Writer, names Variables, run func() int) (code int) {
	if os.Getenv(names.Postgres) != "" {
		return run()
	}
	servers, err := StartServers(ctx)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	defer func() {
		if closeErr := servers.Close(ctx); closeErr != nil {
			fmt.Fprintln(stderr, closeErr)
			code = 1
		}
	}()
	for name, url := range map[string]string{names.Postgres: servers.Postgres, names.Redis: servers.Redis, names.AMQP: servers.AMQP} {
		if name == "" {
			continue
		}
		if setErr := os.Setenv(name, url); setErr != nil {
			fmt.Fprintln(stderr, setErr)
			return 1
		}
	}
	return run()
}
