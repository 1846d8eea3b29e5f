// Package sut describes a system under test as the rest of proofload sees it:
// named nodes, the links between them, entry points, and whatever an operator
// is able to do to them.
//
// The package imports nothing of this module, so that every other package may
// depend on it. Package stack implements it with containers, package remote
// with a system that somebody else deployed, package sim in memory.
package sut

import (
	"context"
	"errors"
	"time"
)

// ErrUnsupported is wrapped by every error that says an environment cannot do
// what was asked of it, such as killing a node of a remote system.
var ErrUnsupported = errors.New("not supported by this environment")

// An Environment is a running system under test.
//
// It is the smallest thing all environments can offer. What only some can do
// is an interface of its own, found by type assertion: see [Killer], [Pauser],
// [PrimaryFinder], [LinkController], [NetAdmin], [Executor], [Limiter],
// [DiskLimiter], [Stopper], [LogCollector], [LogFollower], [ContainerNamer] and
// [Commander].
type Environment interface {
	// Topology lists the nodes and links. It does not change while the
	// environment lives; which database node is primary is not part of it.
	Topology() Topology

	// Endpoint returns the address of an entry point that proofload itself
	// uses, as a URL with credentials, and whether there is one of that name:
	//
	//	api                what clients call
	//	postgres/NODE      one database node, on a path that no fault touches
	//	postgres/NODE of a pooler   the database as the service reaches it
	//	patroni/NODE       the REST interface of that node's agent
	//	amqp/NODE          the broker
	Endpoint(name string) (url string, ok bool)

	// Close releases the environment. A remote environment is left as it was
	// found.
	Close(ctx context.Context) error
}

// A State is what a node's process is doing, as its supervisor sees it.
type State string

// The states of a node.
const (
	Running State = "running"
	Paused  State = "paused"
	Down    State = "down"
)

// A Killer can crash a node and start it again.
type Killer interface {
	// Kill sends SIGKILL to all processes of the node. Killing a node that is
	// down is not an error.
	Kill(ctx context.Context, node string) error

	// Start starts a node that is down and returns when its process runs; it
	// may not be ready yet. Starting a running node is not an error.
	Start(ctx context.Context, node string) error

	// State observes the node through its supervisor.
	State(ctx context.Context, node string) (State, error)
}

// A Pauser can freeze a node and let it go on.
type Pauser interface {
	// Pause returns when the node is frozen.
	Pause(ctx context.Context, node string) error
	Resume(ctx context.Context, node string) error
}

// A PrimaryFinder can tell which database node accepts writes. Best effort is
// enough: during a failover the answer may be any node that believes it is
// primary, or an error.
type PrimaryFinder interface {
	Primary(ctx context.Context) (Node, error)
}

// A LinkController can say where the control interface of a link's proxy is.
type LinkController interface {
	// LinkControl returns the base URL of the control interface that serves
	// this one link: the Toxiproxy API, in which the only proxy is named
	// "link", and GET /counters beside it.
	LinkControl(link string) (url string, ok bool)
}

// A NetAdmin can run commands in the network namespace of a node.
type NetAdmin interface {
	// PrepareNet makes a following NetExec on the node fast. It changes
	// nothing that the node can see.
	PrepareNet(ctx context.Context, node string) error

	// NetExec runs a command with CAP_NET_ADMIN in the node's network
	// namespace and returns its combined output. The namespace dies with the
	// node's container, and everything configured in it with it.
	NetExec(ctx context.Context, node string, argv ...string) (string, error)
}

// An Executor can run commands inside a node.
type Executor interface {
	// NodeExec runs a command inside a node, as its most powerful user, and
	// returns its combined output. Variables, as NAME=VALUE, are added to its
	// environment, and NODE_PID, the number that it knows the node's main process
	// by. An exit status other than 0 is an error.
	NodeExec(ctx context.Context, node string, variables []string, argv ...string) (string, error)
}

// Limits are what a node may use. Zero is as much as there is.
type Limits struct {
	CPU    float64 // cores
	Memory int64   // bytes
}

// A ContainerNamer runs its nodes in containers, and says what their engine calls
// them.
type ContainerNamer interface {
	ContainerName(node string) string
}

// A Limiter can change what a node may use while it runs.
type Limiter interface {
	Limits(ctx context.Context, node string) (Limits, error)

	// LimitCPU and LimitMemory set one of the limits, in the units of [Limits],
	// and leave the other as it is: two who change them do not meet.
	LimitCPU(ctx context.Context, node string, cores float64) error
	LimitMemory(ctx context.Context, node string, bytes int64) error
}

// DiskLimits are how much a node may write to a disk each second. Zero is as
// much as the disk takes.
type DiskLimits struct {
	Bytes  int64 `json:"bytes"`
	Writes int64 `json:"writes"` // operations of the block device, of which one write of a file may take several
}

// A DiskLimiter can slow down what a node writes to a disk while it runs.
type DiskLimiter interface {
	// DiskOf returns the disk on which a directory of a node lies, in the form
	// MAJOR:MINOR. The error wraps [ErrUnsupported] if there is no such disk.
	DiskOf(ctx context.Context, node, dir string) (disk string, err error)

	// DiskLimits returns what is set. The error wraps [ErrUnsupported] if
	// nothing can be set.
	DiskLimits(ctx context.Context, node, disk string) (DiskLimits, error)

	// SetDiskLimits sets both. They are lost when the node ends, and there is
	// nothing to set on one that is down.
	SetDiskLimits(ctx context.Context, node, disk string, l DiskLimits) error
}

// A Stopper can tell a node to end in an orderly way.
type Stopper interface {
	// Stop returns when the node is down. One that does not end within the
	// grace period is killed. Stopping a node that is down is not an error.
	Stop(ctx context.Context, node string, grace time.Duration) error
}

// A LogCollector can copy the logs of all nodes into a directory, one file
// NODE.log each.
type LogCollector interface {
	CollectLogs(ctx context.Context, dir string) error
}

// A LogFollower can read the log of a node as it is written.
type LogFollower interface {
	// FollowLog tells of each line that the node logs from now on, and returns
	// when seen says that it has seen enough. The error says why there is
	// nothing more to come: ctx is done, or the node is down.
	FollowLog(ctx context.Context, node string, seen func(line string) (enough bool)) error
}

// A Verifier can tell whether the system as a whole keeps what it promises
// about its data, beyond every node being whole: no drill is worth anything
// otherwise.
type Verifier interface {
	// Verify returns when the system does, or an error that says what is
	// missing.
	Verify(ctx context.Context) error
}

// A Waiter can block until a node serves again after it was started.
type Waiter interface {
	// WaitReady returns when the node is whole: a database node streams from
	// the primary or is the primary, a service answers its readiness check.
	WaitReady(ctx context.Context, node string) error
}
