package stack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"golang.org/x/sync/errgroup"
)

// removalsAtOnce bounds concurrent removals of containers.
const removalsAtOnce = 8

// How often a network in use is tried again, and after what pause.
const (
	networkTries = 20
	networkPause = 250 * time.Millisecond
)

// Down removes stacks by their labels: the one with the given id, or all of
// this machine. It needs nothing else to be known of them, so it also removes
// what a killed process left behind. It returns the names of what it removed,
// sorted, also with an error. A network that the engine does not believe to be
// empty is left, see errMiscounted.
func Down(ctx context.Context, all bool, id string) (removed []string, err error) {
	docker, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, docker.Close()) }()
	filter := stackFilter(id)
	if all {
		filter = make(client.Filters).Add("label", labelStack)
	}
	return remove(ctx, docker, filter)
}

// stackFilter finds everything of one stack.
func stackFilter(id string) client.Filters {
	return make(client.Filters).Add("label", labelStack+"="+id)
}

// remove removes containers, then the volumes and networks that they held.
func remove(ctx context.Context, docker *client.Client, filter client.Filters) ([]string, error) {
	var mu sync.Mutex
	var removed []string
	note := func(name string, err error) error {
		if errdefs.IsNotFound(err) || errors.Is(err, errMiscounted) {
			return nil // somebody else was faster, or it has to be left
		}
		if err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
		mu.Lock()
		defer mu.Unlock()
		removed = append(removed, name)
		return nil
	}
	err := errors.Join(
		removeContainers(ctx, docker, filter, note),
		removeVolumes(ctx, docker, filter, note),
		removeNetworks(ctx, docker, filter, note),
	)
	slices.Sort(removed)
	return removed, err
}

func removeContainers(ctx context.Context, docker *client.Client, filter client.Filters, note func(string, error) error) error {
	list, err := docker.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filter})
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	errs := make([]error, len(list.Items))
	var g errgroup.Group
	g.SetLimit(removalsAtOnce)
	for i, c := range list.Items {
		g.Go(func() error {
			_, err := docker.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
			errs[i] = note("container "+strings.TrimPrefix(strings.Join(c.Names, ","), "/"), err)
			return nil
		})
	}
	return errors.Join(append(errs, g.Wait())...)
}

func removeVolumes(ctx context.Context, docker *client.Client, filter client.Filters, note func(string, error) error) error {
	list, err := docker.VolumeList(ctx, client.VolumeListOptions{Filters: filter})
	if err != nil {
		return fmt.Errorf("list volumes: %w", err)
	}
	var errs []error
	for _, v := range list.Items {
		_, err := docker.VolumeRemove(ctx, v.Name, client.VolumeRemoveOptions{Force: true})
		errs = append(errs, note("volume "+v.Name, err))
	}
	return errors.Join(errs...)
}

func removeNetworks(ctx context.Context, docker *client.Client, filter client.Filters, note func(string, error) error) error {
	list, err := docker.NetworkList(ctx, client.NetworkListOptions{Filters: filter})
	if err != nil {
		return fmt.Errorf("list networks: %w", err)
	}
	var errs []error
	for _, n := range list.Items {
		errs = append(errs, note("network "+n.Name, removeNetwork(ctx, docker, n.Network)))
	}
	return errors.Join(errs...)
}

// errMiscounted is why nothing more can be done about a network: nothing is in
// it, and its engine does not believe it. Old ones miscount now and then when a
// container is started while its earlier life is still being taken down, and count
// again when they start. Such a network is in nobody's way.
var errMiscounted = errors.New("the engine counts something in it and lists nothing, and removes it only once it was restarted")

// removeNetwork removes a network. An engine can keep the endpoint of a
// container that is gone, when it was told to remove it while it had not seen
// an earlier life of it end; then it refuses to remove the network until the
// endpoint is disconnected by force.
func removeNetwork(ctx context.Context, docker *client.Client, n network.Network) error {
	_, err := backoff.Retry(ctx, func() (client.NetworkRemoveResult, error) {
		done, err := docker.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
		if errdefs.IsPermissionDenied(err) {
			return done, errors.Join(err, disconnectOwn(ctx, docker, n))
		}
		if err != nil {
			return done, backoff.Permanent(err)
		}
		return done, nil
	}, backoff.WithBackOff(backoff.NewConstantBackOff(networkPause)), backoff.WithMaxTries(networkTries))
	if !errdefs.IsPermissionDenied(err) {
		return err
	}
	result, inspectErr := docker.NetworkInspect(ctx, n.ID, client.NetworkInspectOptions{})
	if inspectErr == nil && len(result.Network.Containers) == 0 {
		return errMiscounted
	}
	return err
}

// disconnectOwn disconnects by force what a network lists under the names of
// our containers, which are all removed. Its error says what else is there.
func disconnectOwn(ctx context.Context, docker *client.Client, n network.Network) error {
	result, err := docker.NetworkInspect(ctx, n.ID, client.NetworkInspectOptions{})
	if err != nil {
		return fmt.Errorf("inspect network: %w", err)
	}
	var errs []error
	for _, endpoint := range result.Network.Containers {
		if !strings.HasPrefix(endpoint.Name, n.Name+"-") {
			errs = append(errs, fmt.Errorf("container %s is in it; disconnect it", endpoint.Name))
			continue
		}
		_, err := docker.NetworkDisconnect(ctx, n.ID, client.NetworkDisconnectOptions{Container: endpoint.Name, Force: true})
		if err != nil {
			errs = append(errs, fmt.Errorf("disconnect %s: %w", endpoint.Name, err))
		}
	}
	return errors.Join(errs...)
}
