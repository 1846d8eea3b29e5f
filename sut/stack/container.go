package stack

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// logLimit bounds the log of one container.
const logLimit = "64m"

// sharedVolume is what owns the volume that nodes share, in place of a node.
const sharedVolume = "shared"

// volumeName is the name of the volume of a node, or of the shared one.
func volumeName(id, owner string) string { return containerName(id, owner) }

// labels returns the labels of everything that belongs to a node.
func (s *Stack) labels(node string) map[string]string {
	l := map[string]string{labelOurs: "1", labelStack: s.id, labelName: s.name, labelRun: s.run, labelOptions: s.settings.String()}
	if node != "" {
		l[labelNode] = node
	}
	return l
}

// create makes the container of a node without starting it.
func (s *Stack) create(ctx context.Context, spec containerSpec) error {
	hash, err := spec.hash()
	if err != nil {
		return err
	}
	labels := s.labels(spec.Node)
	labels[labelInputs] = hash
	bindings := network.PortMap{}
	var exposed []string
	for _, p := range spec.Publish {
		port := strconv.Itoa(p) + "/tcp"
		exposed = append(exposed, port)
		parsed, parseErr := network.ParsePort(port)
		if parseErr != nil {
			return fmt.Errorf("publish port: %w", parseErr)
		}
		bindings[parsed] = []network.PortBinding{{HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1}), HostPort: strconv.Itoa(s.ports[spec.Node][p])}}
	}
	_, err = testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{
		Logger: quiet{},
		ContainerRequest: testcontainers.ContainerRequest{
			Name:           containerName(s.id, spec.Node),
			Image:          spec.Image,
			Cmd:            spec.Cmd,
			Env:            maps.Clone(spec.Env),
			Labels:         labels,
			ExposedPorts:   exposed,
			Files:          containerFiles(spec.Files),
			Networks:       []string{networkName(s.id)},
			NetworkAliases: map[string][]string{networkName(s.id): {spec.Node}},
			ConfigModifier: func(c *container.Config) { c.Hostname = spec.Node },
			HostConfigModifier: func(h *container.HostConfig) {
				h.NetworkMode = container.NetworkMode(networkName(s.id))
				h.PortBindings = bindings
				h.Sysctls = spec.Sysctls
				s.limit(h, spec)
			},
		},
	})
	if err != nil {
		return fmt.Errorf("create container %s: %w", containerName(s.id, spec.Node), err)
	}
	return nil
}

// limit sets what a container may do, use and keep.
func (s *Stack) limit(h *container.HostConfig, spec containerSpec) {
	// What commands of faults may do as root, also where the kernel lets nobody
	// else debug a process that is not a child. The node itself runs as a user.
	h.CapAdd = []string{"SYS_PTRACE"}
	h.Memory, h.MemorySwap = spec.Memory, spec.Memory
	h.ShmSize = sharedMemory
	h.LogConfig = container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": logLimit}}
	// No restart policy: a node that was killed stays down until the drill
	// starts it.
	h.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyDisabled}
	// A volume takes over owner and mode of the image's directory, and is written
	// without the overlay in between.
	for _, v := range []struct{ dir, owner, node string }{{spec.Volume, spec.Node, spec.Node}, {spec.Shared, sharedVolume, ""}} {
		if v.dir == "" {
			continue
		}
		h.Mounts = append(h.Mounts, mount.Mount{
			Type: mount.TypeVolume, Source: volumeName(s.id, v.owner), Target: v.dir,
			VolumeOptions: &mount.VolumeOptions{Labels: s.labels(v.node)},
		})
	}
}

// containerFiles are copied into a container before it starts.
func containerFiles(files map[string]string) []testcontainers.ContainerFile {
	var result []testcontainers.ContainerFile
	for _, file := range slices.Sorted(maps.Keys(files)) {
		result = append(result, testcontainers.ContainerFile{
			Reader: strings.NewReader(files[file]), ContainerFilePath: file, FileMode: 0o644,
		})
	}
	return result
}

// start starts the container of a node; it is no error if it runs.
func (s *Stack) start(ctx context.Context, node string) error {
	name := containerName(s.id, node)
	if _, err := s.docker.ContainerStart(ctx, name, client.ContainerStartOptions{}); err != nil {
		return fmt.Errorf("start container %s: %w", name, err)
	}
	return nil
}

// createNetwork makes the network of the stack.
func (s *Stack) createNetwork(ctx context.Context) error {
	_, err := s.docker.NetworkCreate(ctx, networkName(s.id), client.NetworkCreateOptions{Driver: "bridge", Labels: s.labels("")})
	if err != nil {
		return fmt.Errorf("create network: %w", err)
	}
	return nil
}

// inspect returns what the engine knows of a node's container.
func (s *Stack) inspect(ctx context.Context, node string) (container.InspectResponse, error) {
	if _, ok := s.topology.Node(node); !ok {
		return container.InspectResponse{}, fmt.Errorf("no node %q in %s", node, s.topology.Name)
	}
	result, err := s.docker.ContainerInspect(ctx, containerName(s.id, node), client.ContainerInspectOptions{})
	if err != nil {
		return container.InspectResponse{}, fmt.Errorf("inspect node %s: %w", node, err)
	}
	if sees(result.Container) {
		s.local.Store(true)
		s.mu.Lock()
		s.alive[node] = &result.Container
		s.mu.Unlock()
	}
	return result.Container, nil
}
