package stack

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/moby/moby/client"

	"github.com/proofload/proofload/sut"
)

// Attach finds a stack that is up. The error wraps [ErrNotUp] if there is
// none, and [ErrDiffers] if it was brought up with other options or from other
// images than this program would use. Whether its nodes are healthy is left to
// [Stack.Status] and [Stack.WaitReady].
func Attach(ctx context.Context, cfg Config) (*Stack, error) {
	s, err := newStack(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := s.attach(ctx, cfg.AsIs); err != nil {
		return nil, errors.Join(err, s.docker.Close())
	}
	return s, nil
}

func (s *Stack) attach(ctx context.Context, asIs bool) error {
	found, err := s.found(ctx)
	if err != nil {
		return err
	}
	tags := map[string]string{}
	if !asIs {
		if tags, err = imageTags(ctx); err != nil {
			return err
		}
	}
	if s.specs, err = ledgerContainers(s.settings, tags); err != nil {
		return err
	}
	for _, n := range s.topology.Nodes {
		labels := found[n.Name]
		if labels == nil {
			return fmt.Errorf("attach to stack %s: %w: node %s is missing; take it down first", s.id, ErrDiffers, n.Name)
		}
		if asIs {
			continue
		}
		if err := s.compare(n.Name, labels); err != nil {
			return fmt.Errorf("attach to stack %s: %w; take it down first", s.id, err)
		}
	}
	return errors.Join(s.readImages(ctx), s.readPorts(ctx))
}

// found returns the labels of the containers of the stack, by node.
func (s *Stack) found(ctx context.Context) (map[string]map[string]string, error) {
	list, err := s.docker.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: stackFilter(s.id)})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	found := map[string]map[string]string{}
	for _, c := range list.Items {
		if node := c.Labels[labelNode]; node != "" && c.Labels[labelNet] == "" {
			found[node] = c.Labels
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("attach to stack %s: %w", s.id, ErrNotUp)
	}
	return found, nil
}

// imageTags returns the tags of the images that this program would use, by
// short name.
func imageTags(ctx context.Context) (map[string]string, error) {
	images, err := loadImages(ctx)
	if err != nil {
		return nil, err
	}
	tags := map[string]string{}
	for name, img := range images {
		tags[name] = img.tag()
	}
	return tags, nil
}

// compare checks that a node's container, given its labels, is the one that
// this program would make.
func (s *Stack) compare(node string, labels map[string]string) error {
	if have, want := labels[labelOptions], s.settings.String(); have != want {
		return fmt.Errorf("%w: it has the options %s, not %s", ErrDiffers, have, want)
	}
	want, err := s.specs[node].hash()
	if err != nil {
		return err
	}
	if labels[labelInputs] != want {
		return fmt.Errorf("%w: node %s was made from another image or configuration", ErrDiffers, node)
	}
	return nil
}

// readImages reads which image each node runs.
func (s *Stack) readImages(ctx context.Context) error {
	errs := make([]error, len(s.topology.Nodes))
	each(s.topology.Nodes, func(i int, n sut.Node) {
		c, err := s.inspect(ctx, n.Name)
		if err != nil {
			errs[i] = err
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.images[n.Name] = c.Image
	})
	return errors.Join(errs...)
}

// readPorts reads where published ports are bound. They are part of a
// container's configuration, so they are known while it is down too.
func (s *Stack) readPorts(ctx context.Context) error {
	for node, spec := range s.specs {
		if len(spec.Publish) == 0 {
			continue
		}
		c, err := s.inspect(ctx, node)
		if err != nil {
			return err
		}
		ports := map[int]int{}
		for port, bindings := range c.HostConfig.PortBindings {
			for _, b := range bindings {
				if ports[int(port.Num())], err = strconv.Atoi(b.HostPort); err != nil {
					return fmt.Errorf("read ports of node %s: %w", node, err)
				}
			}
		}
		s.mu.Lock()
		s.ports[node] = ports
		s.mu.Unlock()
	}
	return nil
}

// each calls f for all nodes at once and waits.
func each(nodes []sut.Node, f func(int, sut.Node)) {
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() { f(i, n) })
	}
	wg.Wait()
}
