// Package remote is a system that somebody else runs, as a target file says:
// where it is, what may be done to it, and how.
//
// The file is the authorisation: what it does not name is sent nothing, and what
// it does not allow is not done. Links are broken by the proxies that carry them,
// and every other part by commands of the owner's own.
package remote

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
)

// A Target is a parsed target file.
type Target struct {
	File   string // as it was named
	Source []byte // as read

	Name, About string
	Class       string   // of the system; empty: it is on this machine, and not said
	Base        string   // of the system, for clients
	Hosts       []string // that load may be sent to, beside this machine
	Health      Health
	Allow       Allow

	secrets  map[string]sut.Secret
	controls map[string]string                  // control interface of each link that has a proxy
	commands map[string]map[string]sut.Commands // by component and fault
	topology sut.Topology
}

// Health is how the system says that it is well.
type Health struct {
	Path    string // empty: any answer will do
	Status  int
	Headers http.Header
}

// Allow is what may be done to the system.
type Allow struct {
	Faults  []string
	On      []string           // components, as scenarios name them
	Rate    float64            // of operations per second, at most; 0: as many as are wanted
	Windows []scenarios.Placed // when; none: at any time
}

// Topology lists the links, and the node that each of them leads to.
func (t *Target) Topology() sut.Topology { return t.topology }

// Permits says why a fault must not be done to a component, if so.
func (t *Target) Permits(fault string, component sut.Selection) error {
	if !slices.Contains(t.Allow.Faults, fault) {
		return fmt.Errorf("%s does not allow %s: it allows %s", t.Name, fault, words(t.Allow.Faults))
	}
	var nodes []sut.Node
	var links []sut.Link
	for _, ref := range t.Allow.On {
		sel, err := t.topology.Select(ref)
		if err != nil {
			continue // Parse has seen that there is one
		}
		nodes, links = append(nodes, sel.Nodes...), append(links, sel.Links...)
	}
	for _, n := range component.Nodes {
		if !slices.Contains(nodes, n) {
			return t.refuse(fault, n.Name)
		}
	}
	for _, l := range component.Links {
		if !slices.Contains(links, l) {
			return t.refuse(fault, "link:"+l.Name)
		}
	}
	return nil
}

func (t *Target) refuse(fault, component string) error {
	return fmt.Errorf("%s does not allow %s on %s: it allows faults on %s", t.Name, fault, component, words(t.Allow.On))
}

// PermitsRate says why so many operations per second must not be sent, if so.
func (t *Target) PermitsRate(peak float64) error {
	if t.Allow.Rate > 0 && peak > t.Allow.Rate {
		return fmt.Errorf("%s allows %g operations per second, and the load goes up to %g", t.Name, t.Allow.Rate, peak)
	}
	return nil
}

func words(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// An Environment is the system of a target file. It is left as it was found.
type Environment struct{ target *Target }

// Attach returns the running system.
func (t *Target) Attach() *Environment { return &Environment{t} }

// Topology implements [sut.Environment].
func (e *Environment) Topology() sut.Topology { return e.target.topology }

// Endpoint implements [sut.Environment].
func (e *Environment) Endpoint(name string) (string, bool) { return e.target.Base, name == "api" }

// Close implements [sut.Environment].
func (*Environment) Close(context.Context) error { return nil }

// LinkControl implements [sut.LinkController].
func (e *Environment) LinkControl(link string) (string, bool) {
	base, ok := e.target.controls[link]
	return base, ok
}

// Commands implements [sut.Commander].
func (e *Environment) Commands(fault, component string) (sut.Commands, bool) {
	c, ok := e.target.commands[component][fault]
	return c, ok
}

// Ready asks the system once, with client, whether it is well.
func (t *Target) Ready(ctx context.Context, client *http.Client) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.Base+t.Health.Path, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask %s whether it is well: %w", t.Name, err)
	}
	maps.Copy(req.Header, t.Health.Headers)
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s whether it is well: %w", t.Name, err)
	}
	_ = resp.Body.Close() // what it says is not asked for
	if t.Health.Path != "" && resp.StatusCode != t.Health.Status {
		return fmt.Errorf("ask %s whether it is well: GET %s is answered with %d, want %d", t.Name, t.Health.Path, resp.StatusCode, t.Health.Status)
	}
	return nil
}

// linkControl returns the control interface of one link of a linkd.
func linkControl(linkd, link string) string {
	return strings.TrimRight(linkd, "/") + "/links/" + url.PathEscape(link)
}

// Version is the first key's value in a target file.
const Version = "target/v1"
