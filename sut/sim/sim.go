// Package sim is a ledger in memory with a primary, two replicas and defects
// that can be switched on. It exists to test the harness itself: it answers on
// a real port of the loopback interface and can be stalled, killed and started
// like a real environment, in milliseconds and with no container.
package sim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/proofload/proofload/sut"
)

// A Config says how the simulated system behaves.
type Config struct {
	Sync     bool          // a write waits for a standby, as with synchronous replication
	Failover time.Duration // from the loss of the primary to a new one; 0 is 300 ms
	Latency  time.Duration // of every answer
	Double   bool          // defect: every hundredth write has its effect twice
	NoJobs   bool          // defect: background jobs never run
	Stale    bool          // defect: a read from a replica does not wait for what its reader has seen

	Unfenced  bool // defect: a primary that was frozen goes on taking writes beside the new one
	StuckPool bool // defect: half of the instance's connections stay with a primary that is gone
	NoPause   bool // defect: it says that nodes can be frozen, and refuses
	Forgets   bool // defect: from the second failover on, a new primary does not have the oldest write
	Repeats   bool // defect: work that is delivered again, because its worker died, is done again
}

// Topology is the shape of the simulated system.
func Topology() sut.Topology {
	t := sut.Topology{Name: "sim/ledger", Nodes: []sut.Node{
		{Name: "api-1", Role: sut.RoleService, Zone: "a"},
		{Name: "worker-1", Role: sut.RoleWorker, Zone: "b"},
	}}
	for i, zone := range []string{"a", "b", "c"} {
		name := fmt.Sprintf("pg-%d", i+1)
		t.Nodes = append(t.Nodes, sut.Node{Name: name, Role: sut.RoleDatabase, Zone: zone})
		t.Links = append(t.Links, sut.Link{Name: "replication:" + name, From: name, To: "*", Carries: sut.TrafficReplication})
	}
	return t
}

// A Write is one transfer or refund in a node's books.
type Write struct {
	ID       string
	From, To int64
	Amount   int64
	Currency string
	RefundOf string // the transfer that it gives back; empty of transfers
	Count    int64  // how many times its effect is there
	Jobs     int64
}

// A database is one simulated database node.
type database struct {
	name     string
	down     bool
	timeline int
	order    []string // ids as they were written
	writes   map[string]Write
}

// A Sim is a running simulation.
type Sim struct {
	cfg    Config
	server *http.Server
	addr   string
	ctx    context.Context //nolint:containedctx // the life of the simulation, which outlives the call that began it
	stop   context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	nodes   []*database
	primary int                // index into nodes, -1 while there is none
	stalled map[string][]toxic // replication links by name
	changed chan struct{}      // closed and replaced when anything above changes
	bytes   map[string]*counters

	service, worker sut.State
	frozen          int    // index of the database that is frozen, -1 if none is
	rogue           int    // index of an old primary that takes writes, -1 if there is none
	stuck           bool   // half of the instance's connections lead nowhere
	requests        int    // that the instance was sent
	waiting         []task // work to do
	unconfirmed     []task // work that is done, and whose broker does not know
}

// counters imitate those of a link proxy.
type counters struct{ in, out int64 }

// New makes a simulation that is not started. It is only good for asking what
// environments of its kind are able to do.
func New(cfg Config) *Sim {
	if cfg.Failover == 0 {
		cfg.Failover = 300 * time.Millisecond
	}
	s := &Sim{cfg: cfg, stalled: map[string][]toxic{}, changed: make(chan struct{}), bytes: map[string]*counters{}, service: sut.Running, worker: sut.Running, frozen: -1, rogue: -1}
	for _, n := range Topology().ByRole(sut.RoleDatabase) {
		s.nodes = append(s.nodes, &database{name: n.Name, timeline: 1, writes: map[string]Write{}})
		s.bytes["replication:"+n.Name] = &counters{}
	}
	return s
}

// Start starts a simulation that lives until it is closed.
func Start(ctx context.Context, cfg Config) (*Sim, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start simulation: %w", err)
	}
	s := New(cfg)
	s.addr = l.Addr().String()
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.server = &http.Server{Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second}
	s.wg.Go(func() { _ = s.server.Serve(l) }) // returns when it is closed
	s.wg.Go(s.work)
	return s, nil
}

// Topology implements [sut.Environment].
func (s *Sim) Topology() sut.Topology { return Topology() }

// Endpoint implements [sut.Environment]: there is only "api".
func (s *Sim) Endpoint(name string) (string, bool) {
	return "http://" + s.addr, name == "api"
}

// Close implements [sut.Environment].
func (s *Sim) Close(context.Context) error {
	s.stop()
	err := s.server.Close()
	s.wg.Wait()
	return err
}

// WaitReady implements [sut.Waiter].
func (s *Sim) WaitReady(ctx context.Context, node string) error {
	for {
		s.mu.Lock()
		i, err := s.index(node)
		ready := err != nil || s.primary >= 0 && !s.nodes[i].down && s.frozen != i && s.nodes[i].timeline == s.nodes[s.primary].timeline
		changed := s.changed
		s.mu.Unlock()
		if ready {
			return nil // what is not a database is always ready
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", node, context.Cause(ctx))
		}
	}
}

// Primary implements [sut.PrimaryFinder].
func (s *Sim) Primary(context.Context) (sut.Node, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.primary < 0 {
		return sut.Node{}, errors.New("find primary: no node is primary")
	}
	n, _ := Topology().Node(s.nodes[s.primary].name)
	return n, nil
}

// LinkControl implements [sut.LinkController].
func (s *Sim) LinkControl(link string) (string, bool) {
	_, ok := s.bytes[link]
	return "http://" + s.addr + "/links/" + url.PathEscape(link), ok
}

// A Node is what an observer sees of a database node.
type Node struct {
	Name     string
	Down     bool // or frozen
	Primary  bool // or believes so
	Timeline int
	Writes   []Write // in the order they were written
}

// Nodes returns what an observer sees of all database nodes at one moment.
func (s *Sim) Nodes() []Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	nodes := make([]Node, len(s.nodes))
	for i, d := range s.nodes {
		nodes[i] = Node{Name: d.name, Down: d.down || i == s.frozen, Primary: i == s.primary || i == s.rogue, Timeline: d.timeline}
		for _, id := range d.order {
			nodes[i].Writes = append(nodes[i].Writes, d.writes[id])
		}
	}
	return nodes
}

// index returns the position of a database node.
func (s *Sim) index(node string) (int, error) {
	i := slices.IndexFunc(s.nodes, func(d *database) bool { return d.name == node })
	if i < 0 {
		return 0, fmt.Errorf("%s is not a database node of the simulation: %w", node, sut.ErrUnsupported)
	}
	return i, nil
}

// notify wakes everything that waits for a change.
func (s *Sim) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}
