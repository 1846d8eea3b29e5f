package stack

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/proofload/proofload/sut"
)

// cannot is the exit status of the scripts of this file where something cannot
// be done, rather than has failed.
const cannot = 3

// groupTools is what stands for a node in the name of the auxiliary container.
const groupTools = "cgroups"

// shellDisk prints the disk of the directory DIR. A file system of layers has no
// device, and lies where the engine keeps all that is of the container.
const shellDisk = `
real=$(readlink -f "$DIR") && kind=$(stat -f -c %T "$real") || exit 1
[ "$kind" != tmpfs ] || { echo "$DIR is in memory, on no disk"; exit 3; }
[ "$kind" != overlayfs ] || real=/etc/hostname
best= disk=
while read -r _ _ device _ on _; do
	case "$real/" in "${on%/}/"*) if [ "${#on}" -ge "${#best}" ]; then best=$on disk=$device; fi ;; esac
done </proc/self/mountinfo
case $disk in 0:*|"") echo "$DIR is on a file system of the kind $kind, which says no block device"; exit 3 ;; esac
if [ -e "/sys/dev/block/$disk/partition" ]; then disk=$(cat "$(readlink -f "/sys/dev/block/$disk")/../dev"); fi
echo "$disk"`

// shellGroup finds the control group of the container ID, by either version of
// control groups, and defines what prints its limits and what sets them.
const shellGroup = `
root=${CGROUP:-/cgroup}; if [ -d "$root/blkio" ]; then root=$root/blkio; fi
group=$(find "$root" -type d \( -name "$ID" -o -name "docker-$ID.scope" \) | head -n 1)
[ -n "$group" ] || { echo "there is no control group of the container"; exit 1; }
if [ -e "$group/blkio.throttle.write_bps_device" ]; then version=1
elif [ -e "$group/io.max" ]; then version=2
else echo "the kernel does not throttle the disks of control groups: $group has neither blkio.throttle.write_bps_device nor io.max"; exit 3; fi
v1() { n=$(sed -n "s/^$DISK \([0-9]*\)$/\1/p" "$group/blkio.throttle.write_$1_device"); echo "${n:-0}"; }
v2() { n=$(sed -n "s/^$DISK .*w$1=\([0-9]*\).*/\1/p" "$group/io.max"); echo "${n:-0}"; }
limits() { echo "$(v$version bps) $(v$version iops)"; }
some() { [ "$1" -gt 0 ] && echo "$1" || echo max; }
set_limits() {
	if [ "$version" = 1 ]; then
		echo "$DISK $BYTES" >"$group/blkio.throttle.write_bps_device" && echo "$DISK $WRITES" >"$group/blkio.throttle.write_iops_device"
	else
		echo "$DISK wbps=$(some "$BYTES") wiops=$(some "$WRITES")" >"$group/io.max"
	fi
}
`

// DiskOf implements [sut.DiskLimiter].
func (s *Stack) DiskOf(ctx context.Context, node, dir string) (string, error) {
	if _, ok := s.topology.Node(node); !ok {
		return "", fmt.Errorf("look for a disk of node %s: no such node in %s", node, s.topology.Name)
	}
	output, code, err := s.execAs(ctx, "root", containerName(s.id, node), []string{"sh", "-c", shellDisk}, []string{"DIR=" + dir})
	return scriptResult(output, code, err, "look for a disk of node "+node)
}

// scriptResult is what a script printed, or why there is nothing.
func scriptResult(output string, code int, err error, what string) (string, error) {
	said := strings.TrimSpace(output)
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", what, err)
	case code == cannot:
		return "", fmt.Errorf("%s: %s: %w", what, said, sut.ErrUnsupported)
	case code != 0:
		return "", fmt.Errorf("%s: exit status %d: %s", what, code, said)
	}
	return said, nil
}

// DiskLimits implements [sut.DiskLimiter].
func (s *Stack) DiskLimits(ctx context.Context, node, disk string) (l sut.DiskLimits, err error) {
	said, err := s.inGroup(ctx, node, "limits", "DISK="+disk)
	if err != nil {
		return l, err
	}
	if _, err = fmt.Sscan(said, &l.Bytes, &l.Writes); err != nil {
		err = fmt.Errorf("read the limits of node %s from %q: %w", node, said, err)
	}
	return l, err
}

// SetDiskLimits implements [sut.DiskLimiter].
func (s *Stack) SetDiskLimits(ctx context.Context, node, disk string, l sut.DiskLimits) error {
	_, err := s.inGroup(ctx, node, "set_limits", "DISK="+disk, fmt.Sprintf("BYTES=%d", l.Bytes), fmt.Sprintf("WRITES=%d", l.Writes))
	if err == nil {
		return nil
	}
	if state, stateErr := s.State(ctx, node); stateErr == nil && state == sut.Down {
		return nil
	}
	return err
}

// inGroup runs a command of shellGroup beside the control groups of the engine's
// machine, which an auxiliary container can see and write.
func (s *Stack) inGroup(ctx context.Context, node, command string, variables ...string) (string, error) {
	c, err := s.inspect(ctx, node)
	if err != nil {
		return "", err
	}
	if err = s.startGroupTools(ctx); err != nil {
		return "", fmt.Errorf("start the tools for control groups: %w", err)
	}
	output, code, err := s.exec(ctx, groupToolsName(s.id), []string{"sh", "-c", shellGroup + command}, append(variables, "ID="+c.ID))
	return scriptResult(output, code, err, "throttle the disk of node "+node)
}

func groupToolsName(id string) string { return containerName(id, groupTools) }

// startGroupTools starts the auxiliary container, unless it runs.
func (s *Stack) startGroupTools(ctx context.Context) error {
	s.groups.Lock()
	defer s.groups.Unlock()
	result, err := s.docker.ContainerInspect(ctx, groupToolsName(s.id), client.ContainerInspectOptions{})
	if err == nil && result.Container.State.Running {
		return nil
	}
	if err == nil {
		return s.start(ctx, groupTools)
	}
	if !errdefs.IsNotFound(err) {
		return err
	}
	img, err := loadImage(netImage, nil)
	if err != nil {
		return err
	}
	_, err = testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{
		Logger:  quiet{},
		Started: true,
		ContainerRequest: testcontainers.ContainerRequest{
			Name:   groupToolsName(s.id),
			Image:  img.tag(),
			Labels: s.labels(""),
			HostConfigModifier: func(h *container.HostConfig) {
				h.NetworkMode = "none"
				h.CgroupnsMode = container.CgroupnsModeHost
				h.Mounts = []mount.Mount{{Type: mount.TypeBind, Source: "/sys/fs/cgroup", Target: "/cgroup"}}
				h.Memory, h.MemorySwap = memoryNode, memoryNode
			},
		},
	})
	if err != nil {
		// The guard of this process may have been faster.
		if result, inspectErr := s.docker.ContainerInspect(ctx, groupToolsName(s.id), client.ContainerInspectOptions{}); inspectErr == nil && result.Container.State.Running {
			return nil
		}
	}
	return err
}
