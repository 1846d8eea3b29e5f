// Package stack is a whole system under test in containers on this machine:
// the ledger service with its load balancer, pooler, replicated database,
// cache and broker, and a link proxy between them.
//
// A stack is found again by the labels of its containers alone, so that
// another process can attach to it or take it down, also after this one was
// killed. Every port it publishes is bound to 127.0.0.1 and stays the same
// when a node is restarted.
package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/proofload/proofload/sut"
)

// ErrNotUp is wrapped by the error of [Attach] when no such stack runs.
var ErrNotUp = errors.New("stack is not up")

// ErrDiffers is wrapped by the error of [Attach] when the stack that runs was
// brought up with other options or from other images.
var ErrDiffers = errors.New("the stack that is up differs")

// A Config says which stack to bring up or to attach to.
type Config struct {
	Name     string            // of the stack, for example "ledger"
	ID       string            // tells stacks on one machine apart; the name if empty
	Run      string            // id of the run that brings it up, kept as a label; may be empty
	Options  map[string]string // see [Options]
	AsIs     bool              // attach to the stack whatever options and images it was made with
	Progress func(string)      // told what happens, a line at a time, never concurrently; may be nil
}

// PartImages is the name of the part that makes the images that are missing.
// No other part overlaps it.
const PartImages = "images"

// A Part is one step of bringing a stack up. Parts overlap.
type Part struct {
	Name string
	Took time.Duration // from the moment it could begin
}

// A Stack is a running system under test. Its methods may be called
// concurrently.
type Stack struct {
	name, id, run string
	settings      settings
	topology      sut.Topology
	docker        *client.Client
	http          *http.Client
	specs         map[string]containerSpec // by node

	mu     sync.Mutex
	ports  map[string]map[int]int // by node: port of this machine by published port
	images map[string]string      // id by node
	parts  []Part
	total  time.Duration
	net    map[string]*netTools                  // by node
	alive  map[string]*container.InspectResponse // by node: the last that this machine has had a process of
	groups sync.Mutex                            // held by who starts the tools for control groups

	local atomic.Bool // the process table of this machine has had a process of a node: the engine is here
}

// The capabilities of a stack.
var (
	_ sut.Environment    = (*Stack)(nil)
	_ sut.Killer         = (*Stack)(nil)
	_ sut.Pauser         = (*Stack)(nil)
	_ sut.PrimaryFinder  = (*Stack)(nil)
	_ sut.LinkController = (*Stack)(nil)
	_ sut.NetAdmin       = (*Stack)(nil)
	_ sut.LogCollector   = (*Stack)(nil)
	_ sut.LogFollower    = (*Stack)(nil)
	_ sut.ContainerNamer = (*Stack)(nil)
	_ sut.Waiter         = (*Stack)(nil)
)

// newStack checks a configuration and connects to the engine, which has to
// answer.
func newStack(ctx context.Context, cfg Config) (*Stack, error) {
	s := &Stack{
		name: cfg.Name, id: cfg.ID, run: cfg.Run,
		ports: map[string]map[int]int{}, images: map[string]string{}, net: map[string]*netTools{},
		alive: map[string]*container.InspectResponse{},
	}
	if s.id == "" {
		s.id = cfg.Name
	}
	var err error
	if s.topology, err = Topology(cfg.Name); err != nil {
		return nil, err
	}
	if s.settings, err = parseOptions(cfg.Name, cfg.Options); err != nil {
		return nil, err
	}
	if s.docker, err = connect(ctx); err != nil {
		return nil, err
	}
	if _, err := engineVersion(ctx, s.docker); err != nil {
		return nil, errors.Join(err, s.docker.Close())
	}
	// Observation must not queue behind a connection to a node that died.
	s.http = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, n := range ledgerNodes() {
		s.net[n.Name] = &netTools{}
	}
	return s, nil
}

// Topology implements [sut.Environment].
func (s *Stack) Topology() sut.Topology { return s.topology }

// Endpoint implements [sut.Environment]. Beside the endpoints named there a
// stack has http/NODE for the service's processes, redis/NODE, etcd/NODE and
// health/NODE for the router.
func (s *Stack) Endpoint(name string) (string, bool) {
	if name == "api" {
		address, ok := s.published(nodeBalancer, portAPI)
		return "http://" + address, ok
	}
	links := ledgerLinks()
	i := slices.IndexFunc(links, func(l linkSpec) bool { return l.isObserver() && l.endpoint == name })
	if i < 0 {
		return "", false
	}
	address, ok := s.published(nodeLinks, links[i].listen)
	return links[i].url(address), ok
}

// LinkControl implements [sut.LinkController].
func (s *Stack) LinkControl(link string) (string, bool) {
	if !slices.ContainsFunc(s.topology.Links, func(l sut.Link) bool { return l.Name == link }) {
		return "", false
	}
	address, ok := s.published(nodeLinks, portControl)
	return "http://" + address + "/links/" + url.PathEscape(link), ok
}

// published returns where a port of a node is reached from this machine.
func (s *Stack) published(node string, port int) (address string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	host, ok := s.ports[node][port]
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(host)), ok
}

// Images returns the image id each node runs, by node.
func (s *Stack) Images() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.images)
}

// Parts says how long each step of bringing the stack up took, in the order
// in which they began, and how long it took to be ready, from the first look at
// the images. All is zero for a stack that was attached to.
func (s *Stack) Parts() (parts []Part, total time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.parts), s.total
}

// Detach releases what this process holds of the stack and leaves the stack
// up, to be attached to again.
func (s *Stack) Detach() error {
	for _, tools := range s.net {
		tools.leave()
	}
	s.http.CloseIdleConnections()
	return s.docker.Close()
}

// Close implements [sut.Environment]: it removes everything the stack
// consists of.
func (s *Stack) Close(ctx context.Context) error {
	if _, err := remove(ctx, s.docker, stackFilter(s.id)); err != nil {
		return fmt.Errorf("remove stack %s: %w", s.id, err)
	}
	return s.Detach()
}
