package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/jackc/pgx/v5"
	"github.com/moby/moby/client"
	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"

	"github.com/proofload/proofload/sut"
)

// Renew puts another build of the service into a stack that is up, and has it
// begin anew: the nodes of the service are made from the program that is found
// now, and database, cache and broker are as empty as those of a stack that was
// just brought up. The other nodes stay as they are, which saves the time that
// they take to start. It returns once all nodes are ready.
//
// The error wraps [ErrNotUp] if there is no such stack, and [ErrDiffers] if
// another node than those of the service is not the one that would be made.
func Renew(ctx context.Context, cfg Config) (*Stack, error) {
	s, err := newStack(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := s.renew(ctx, serial(cfg.Progress)); err != nil {
		return nil, errors.Join(fmt.Errorf("renew stack %s: %w", s.id, err), s.docker.Close())
	}
	return s, nil
}

func (s *Stack) renew(ctx context.Context, progress func(string)) error {
	images, err := loadImages(ctx)
	if err != nil {
		return err
	}
	if buildErr := ensureImages(ctx, s.docker, images, progress); buildErr != nil {
		return buildErr
	}
	if attachErr := s.attachTo(ctx, images, renewed); attachErr != nil {
		return attachErr
	}
	nodes := slices.DeleteFunc(slices.Clone(s.topology.Nodes), func(n sut.Node) bool { return !renewed(n) })
	err = s.eachOf(ctx, nodes, func(ctx context.Context, n sut.Node) error {
		_, removeErr := s.docker.ContainerRemove(ctx, containerName(s.id, n.Name), client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		if removeErr != nil && !errdefs.IsNotFound(removeErr) {
			return fmt.Errorf("remove node %s: %w", n.Name, removeErr)
		}
		return s.create(ctx, s.specs[n.Name])
	})
	if err != nil {
		return err
	}
	primary, err := s.empty(ctx)
	if err != nil {
		return err
	}
	// The first one is there to make the tables; meanwhile it waits for them.
	if startErr := s.start(ctx, serviceNodes()[0]); startErr != nil {
		return startErr
	}
	if schemaErr := s.makeSchema(ctx, primary); schemaErr != nil {
		return schemaErr
	}
	err = s.eachOf(ctx, nodes, func(ctx context.Context, n sut.Node) error { return s.start(ctx, n.Name) })
	if err != nil {
		return err
	}
	err = s.eachOf(ctx, s.topology.Nodes, func(ctx context.Context, n sut.Node) error { return s.waitReady(ctx, n.Name, pollEvery) })
	if err != nil {
		return err
	}
	return s.Verify(ctx)
}

// renewed reports whether a node is one of those that Renew makes anew.
func renewed(n sut.Node) bool { return n.Role == sut.RoleService || n.Role == sut.RoleWorker }

// attachTo finds the containers of the stack, and those that it would make from
// the images. Nodes that are to be made anew may be missing, or another.
func (s *Stack) attachTo(ctx context.Context, images map[string]image, anew func(sut.Node) bool) error {
	tags := map[string]string{}
	for name, img := range images {
		tags[name] = img.tag()
	}
	found, err := s.found(ctx)
	if err != nil {
		return err
	}
	if s.specs, err = ledgerContainers(s.settings, tags); err != nil {
		return err
	}
	for _, n := range s.topology.Nodes {
		if anew(n) {
			continue
		}
		if found[n.Name] == nil {
			return fmt.Errorf("%w: node %s is missing; take it down first", ErrDiffers, n.Name)
		}
		if err := s.compare(n.Name, found[n.Name]); err != nil {
			return fmt.Errorf("%w; take it down first", err)
		}
	}
	return s.readPorts(ctx)
}

// eachOf does something with several nodes at once.
func (s *Stack) eachOf(ctx context.Context, nodes []sut.Node, do func(context.Context, sut.Node) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, n := range nodes {
		g.Go(func() error { return do(ctx, n) })
	}
	return g.Wait()
}

// empty takes everything out of database, cache and broker. It returns the node
// that is primary.
func (s *Stack) empty(ctx context.Context) (primary string, err error) {
	for _, n := range s.topology.Nodes {
		switch n.Role {
		case sut.RoleDatabase, sut.RoleCache, sut.RoleBroker:
			if readyErr := s.waitReady(ctx, n.Name, pollEvery); readyErr != nil {
				return "", readyErr
			}
		default: // the balancer is not ready without the service
		}
	}
	node, err := s.Primary(ctx)
	if err != nil {
		return "", err
	}
	if databaseErr := s.emptyDatabase(ctx, "postgres/"+node.Name); databaseErr != nil {
		return "", databaseErr
	}
	address, _ := s.Endpoint("redis/" + nodeCache)
	if cacheErr := emptyCache(ctx, address); cacheErr != nil {
		return "", cacheErr
	}
	address, _ = s.Endpoint("amqp/" + nodeBroker)
	return node.Name, emptyBroker(address)
}

// emptyDatabase makes the service's database anew. Whoever is connected is
// thrown out.
func (s *Stack) emptyDatabase(ctx context.Context, endpoint string) (err error) {
	address, _ := s.Endpoint(endpoint)
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", endpoint, err)
	}
	config.Database = "postgres"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", endpoint, err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	for _, sql := range []string{`DROP DATABASE ledger WITH (FORCE)`, `CREATE DATABASE ledger OWNER ledger`} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("empty the database: %s: %w", sql, err)
		}
	}
	return nil
}

// emptyCache has a Redis forget everything.
func emptyCache(ctx context.Context, address string) error {
	const doing = "empty the cache"
	host := strings.TrimSuffix(strings.TrimPrefix(address, "redis://"), "/0")
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", host)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer func() { _ = conn.Close() }()
	if _, err = io.WriteString(conn, "FLUSHALL\r\n"); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	answer := make([]byte, len("+OK"))
	if _, err = io.ReadFull(conn, answer); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if string(answer) != "+OK" {
		return fmt.Errorf("%s: it answered %q", doing, answer)
	}
	return nil
}

// emptyBroker deletes the queues of the service, which declares them anew.
func emptyBroker(address string) error {
	conn, err := amqp.Dial(address)
	if err != nil {
		return fmt.Errorf("empty the broker: %w", err)
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("empty the broker: %w", err)
	}
	for _, queue := range serviceQueues() {
		// It is no error if there is none.
		if _, err := ch.QueueDelete(queue, false, false, false); err != nil {
			return fmt.Errorf("empty the broker: delete queue %s: %w", queue, err)
		}
	}
	return nil
}

// serviceQueues lists the queues that the service keeps messages in.
func serviceQueues() []string {
	names := []string{"ledger.retry.1", "ledger.retry.2", "ledger.retry.3", "ledger.retry.4"}
	for _, work := range []string{"settlement", "notifications", "projection", "statements"} {
		names = append(names, "ledger."+work, "ledger."+work+".dead")
	}
	return names
}

// ServiceImage names the image of the service that is made from the program
// that is found now.
func ServiceImage(ctx context.Context) (tag string, err error) {
	const name = "ledgerd"
	binary, err := findBinary(ctx, name)
	if err != nil {
		return "", err
	}
	img, err := loadImage(name, binary)
	if err != nil {
		return "", err
	}
	return img.tag(), nil
}

// RemoveImage removes an image that no container uses any more. It is no error
// if there is none.
func RemoveImage(ctx context.Context, tag string) (err error) {
	docker, err := connect(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, docker.Close()) }()
	if _, err = docker.ImageRemove(ctx, tag, client.ImageRemoveOptions{}); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove image %s: %w", tag, err)
	}
	return nil
}
