package netfault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// How long a link must deliver nothing to count as stalled: if bytes arrived
// meanwhile, and if none did. And how long it must be idle after a recovery to
// count as well without having delivered anything.
const (
	quietTime = 150 * time.Millisecond
	idleTime  = time.Second
	wellTime  = 500 * time.Millisecond
)

// streams are the directions of a link, by Toxiproxy's names.
func streams() []string { return []string{"upstream", "downstream"} }

// A stallData says which links are stalled, and by which toxics.
type stallData struct {
	ID    string        `json:"id"`
	Links []stalledLink `json:"links"`
	Down  bool          `json:"down,omitempty"` // the links are disabled, there is no toxic
}

type stalledLink struct {
	Link    string `json:"link"`
	Control string `json:"control"`         // base URL when the fault was injected
	Stock   bool   `json:"stock,omitempty"` // a Toxiproxy server, which counts no bytes
}

// toxic returns the name of the toxic in one direction.
func (d stallData) toxic(stream string) string { return toxicMark + d.ID + "_" + stream }

// toxicMark is how the names of our toxics begin.
const toxicMark = "proofload-"

// links returns the controls of all links. Where the environment still knows a
// link, its control may have moved.
func (d stallData) links(env sut.Environment) []control {
	controller, ok := env.(sut.LinkController)
	links := make([]control, len(d.Links))
	for i, l := range d.Links {
		links[i] = control{link: l.Link, base: l.Control, stock: l.Stock}
		if ok {
			if base, ok := controller.LinkControl(l.Link); ok {
				links[i].base = base
			}
		}
	}
	return links
}

// A stall is the fault of links that let nothing pass.
type stall struct {
	env        sut.Environment
	controller sut.LinkController
	targets    *chaos.Targets
	target     sut.Selection
	data       stallData // as resolved by Prepare
}

func newStall(env sut.Environment, targets *chaos.Targets, p chaos.Params) (chaos.Fault, error) {
	part := partialStall()
	if len(directions(part.Kind, p)) < len(streams()) || part.Percent(p, "connections") < 100 {
		return part.kind().New(env, targets, p)
	}
	controller, ok := env.(sut.LinkController)
	if !ok {
		return nil, fmt.Errorf("link proxies: %w", sut.ErrUnsupported)
	}
	for _, l := range p.Target.Links {
		if _, ok := controller.LinkControl(l.Name); !ok {
			return nil, fmt.Errorf("link %s has no proxy: %w", l.Name, sut.ErrUnsupported)
		}
	}
	return &stall{env: env, controller: controller, targets: targets, target: p.Target}, nil
}

// String implements [chaos.Fault].
func (s *stall) String() string { return kindStall + " " + s.target.Ref }

// Prepare implements [chaos.Fault].
func (s *stall) Prepare(ctx context.Context) (chaos.Undo, error) {
	var err error
	s.data, err = prepareLinks(ctx, s.controller, s.targets, s.target)
	if err != nil {
		return chaos.Undo{}, err
	}
	return s.data.undo(kindStall)
}

// prepareLinks resolves a target to the proxies of the links that it is now, which
// must accept connections.
func prepareLinks(ctx context.Context, controller sut.LinkController, targets *chaos.Targets, target sut.Selection) (stallData, error) {
	links, err := targets.Links(ctx, target)
	if err != nil {
		return stallData{}, err
	}
	data := stallData{ID: newID(), Links: make([]stalledLink, len(links))}
	err = chaos.Each(chaos.Indices(links), func(i int) (err error) {
		name := links[i].Name
		base, ok := controller.LinkControl(name)
		if !ok {
			return fmt.Errorf("link %s has no proxy: %w", name, sut.ErrUnsupported)
		}
		at := control{link: name, base: base}
		enabled, err := at.enabled(ctx)
		if err == nil && !enabled {
			err = fmt.Errorf("link %s is disabled", name)
		}
		if err != nil {
			return err
		}
		counting, err := at.counting(ctx)
		data.Links[i] = stalledLink{Link: name, Control: base, Stock: !counting}
		return err
	})
	return data, err
}

// undo describes how to recover the links, for the journal and for people.
func (d stallData) undo(kind string) (chaos.Undo, error) {
	names := make([]string, len(d.Links))
	var manual []string
	for i, l := range d.Links {
		names[i] = l.Link
		at := control{link: l.Link, base: l.Control}
		if d.Down {
			manual = append(manual, at.enableByHand())
			continue
		}
		for _, stream := range streams() {
			manual = append(manual, at.removeByHand(d.toxic(stream)))
		}
	}
	data, err := json.Marshal(d)
	if err != nil {
		return chaos.Undo{}, fmt.Errorf("write undo data: %w", err)
	}
	return chaos.Undo{Kind: kind, Target: chaos.JoinTargets(names), Data: data, Manual: manual}, nil
}

// Inject implements [chaos.Fault].
func (s *stall) Inject(ctx context.Context) (chaos.Injection, error) {
	in := &stalling{env: s.env, data: s.data, links: s.data.links(s.env), gaps: make([]int64, len(s.data.Links))}
	// Without the counts it takes longer to see the stall, which is no reason
	// not to inject.
	_ = chaos.Each(chaos.Indices(in.gaps), func(i int) error {
		counts, err := in.links[i].counts(ctx)
		in.gaps[i] = counts.in() - counts.out()
		return err
	})
	in.probes = probes(ctx, in.links, mark{silent: true})
	in.called = time.Now()
	err := chaos.Each(in.links, func(l control) error {
		return chaos.Each(streams(), func(stream string) error {
			return l.addToxic(ctx, stallToxic(l, in.data.toxic(stream), stream))
		})
	})
	if err != nil {
		return nil, err
	}
	return in, nil
}

// stallToxic returns the toxic that stalls a link. Toxiproxy's own timeout drops
// what arrives; a latency that never ends holds it back, and lets it pass in
// order when it is removed.
func stallToxic(l control, name, stream string) toxicInfo {
	t := toxicInfo{Name: name, Type: "stall", Stream: stream}
	if l.stock {
		t.Type, t.Attributes = "latency", map[string]any{"latency": (24 * time.Hour).Milliseconds()}
	}
	return t
}

// A stalling is a stall in effect.
type stalling struct {
	env    sut.Environment
	data   stallData
	links  []control
	called time.Time    // the last inject or recover call
	gaps   []int64      // of each link before the injection, the bytes that had arrived and were not delivered
	before []byteCounts // of each link at the first recover call
	probes []probe      // of each link whose proxy counts nothing
}

// Settle implements [chaos.Injection]. It goes by the bytes that arrive at the
// links and are not delivered.
func (s *stalling) Settle(ctx context.Context) (chaos.Evidence, error) {
	quiet := make([]quietness, len(s.links))
	for i, l := range s.links {
		quiet[i].link, quiet[i].gap = l.link, s.gaps[i]
	}
	err := chaos.Watch(ctx, func(ctx context.Context) error {
		return errors.Join(s.look(ctx, quiet), holding(quiet))
	})
	if err != nil {
		return chaos.Evidence{}, err
	}
	return s.evidence(quiet), nil
}

// look updates what is known of each link.
func (s *stalling) look(ctx context.Context, quiet []quietness) error {
	return chaos.Each(chaos.Indices(quiet), func(i int) error {
		link := s.links[i]
		list, err := link.toxics(ctx)
		if err != nil {
			return err
		}
		for _, stream := range streams() {
			if !slices.ContainsFunc(list, func(t toxicInfo) bool { return t.Name == s.data.toxic(stream) }) {
				return fmt.Errorf("link %s: no stall is listed %s", link.link, stream)
			}
		}
		if link.stock {
			quiet[i].lasted = idleTime
			quiet[i].probed, err = s.probes[i].see(ctx, link.link)
			return err
		}
		counts, err := link.counts(ctx)
		if err != nil {
			return err
		}
		quiet[i].update(counts, time.Now())
		return nil
	})
}

// A quietness is how long a link has delivered nothing, and what arrived at it
// meanwhile.
type quietness struct {
	link   string
	since  time.Time
	base   byteCounts
	lasted time.Duration
	gap    int64  // bytes that were held back before the fault, by what is none
	held   int64  // bytes
	probed string // what a probe saw, of a link whose proxy counts nothing
}

func (q *quietness) update(now byteCounts, at time.Time) {
	if q.since.IsZero() || now.out() != q.base.out() {
		q.since, q.base = at, now
	}
	q.lasted, q.held = at.Sub(q.since), max(now.in()-q.base.in(), now.in()-now.out()-q.gap)
}

// holding reports which link was not seen to deliver nothing for long enough.
// Where bytes arrived at one of the links, that is shorter.
func holding(quiet []quietness) error {
	need := idleTime
	if slices.ContainsFunc(quiet, func(q quietness) bool { return q.held > 0 }) {
		need = quietTime
	}
	for _, q := range quiet {
		if q.lasted < need {
			return fmt.Errorf("link %s was seen to deliver nothing for %s only", q.link, q.lasted.Round(time.Millisecond))
		}
	}
	return nil
}

// evidence puts what was seen of all links into words.
func (s *stalling) evidence(quiet []quietness) chaos.Evidence {
	said := make([]string, len(quiet))
	for i, q := range quiet {
		lasted := q.lasted.Round(time.Millisecond)
		if q.probed != "" {
			said[i] = q.link + ": " + q.probed
			continue
		}
		if said[i] = fmt.Sprintf("%s: %d bytes in, 0 out in %s", q.link, q.held, lasted); q.held == 0 {
			said[i] = fmt.Sprintf("%s: no traffic, toxic listed, 0 bytes out in %s", q.link, lasted)
		}
	}
	idle := !slices.ContainsFunc(quiet, func(q quietness) bool { return q.probed != "" || q.held > 0 })
	return chaos.Evidence{By: meansOf(s.links, "link byte counters"), Saw: strings.Join(said, "; "), Took: time.Since(s.called), Idle: idle}
}

// Recover implements [chaos.Injection].
func (s *stalling) Recover(ctx context.Context) error {
	s.called = time.Now()
	if s.before == nil {
		s.before = make([]byteCounts, len(s.links))
		// Without the counts the observation is weaker, which is no reason
		// not to recover.
		_ = chaos.Each(chaos.Indices(s.before), func(i int) (err error) {
			s.before[i], err = s.links[i].counts(ctx)
			return err
		})
	}
	return s.data.remove(ctx, s.env)
}

// Recovered implements [chaos.Injection]. A link has recovered when its stall
// is not listed any more and it has delivered bytes since, or has nothing to
// deliver.
func (s *stalling) Recovered(ctx context.Context) (chaos.Evidence, error) {
	if s.before == nil {
		return chaos.Evidence{}, errors.New("not recovered yet")
	}
	said := make([]string, len(s.links))
	err := chaos.Watch(ctx, func(ctx context.Context) error {
		return chaos.Each(chaos.Indices(said), func(i int) (err error) {
			said[i], err = s.well(ctx, i)
			return err
		})
	})
	if err != nil {
		return chaos.Evidence{}, err
	}
	return chaos.Evidence{By: meansOf(s.links, "link byte counters"), Saw: strings.Join(said, "; "), Took: time.Since(s.called)}, nil
}

// well reports how a link is seen to be well.
func (s *stalling) well(ctx context.Context, i int) (saw string, err error) {
	l, before := s.links[i], s.before[i]
	list, err := l.toxics(ctx)
	if err != nil {
		return "", err
	}
	for _, t := range list {
		if t.Name == s.data.toxic(t.Stream) {
			return "", fmt.Errorf("link %s: %s is still listed", l.link, t.Name)
		}
	}
	if l.stock {
		saw, err = s.probes[i].well(ctx, l.link)
		return l.link + ": " + saw, err
	}
	counts, err := l.counts(ctx)
	if err != nil {
		return "", err
	}
	arrived, delivered := counts.in()-before.in(), counts.out()-before.out()
	switch {
	case delivered > 0:
		return fmt.Sprintf("%s: %d bytes delivered since", l.link, delivered), nil
	case arrived == 0 && time.Since(s.called) >= wellTime:
		return l.link + ": toxic gone, no traffic", nil
	}
	return "", fmt.Errorf("link %s delivered nothing since, %d bytes arrived", l.link, arrived)
}

// healStall removes the stalls that undo data names.
func healStall(ctx context.Context, env sut.Environment, u chaos.Undo) error {
	var data stallData
	if err := json.Unmarshal(u.Data, &data); err != nil {
		return fmt.Errorf("read undo data: %w", err)
	}
	return data.remove(ctx, env)
}

// remove takes all toxics off. Where that does not work the link is closed,
// which ends its connections, and opened again; but not where nobody answers: who
// stands still would close it later, when nobody opens it again.
func (d stallData) remove(ctx context.Context, env sut.Environment) error {
	return chaos.Each(d.links(env), func(l control) error {
		first := d.removeFrom(ctx, l)
		if first == nil {
			return nil
		}
		if _, err := l.enabled(ctx); err != nil {
			return errors.Join(first, err)
		}
		err := errors.Join(l.enable(ctx, false), d.removeFrom(ctx, l), l.enable(ctx, true))
		if err != nil {
			return errors.Join(first, err)
		}
		return nil
	})
}

func (d stallData) removeFrom(ctx context.Context, l control) error {
	if d.Down {
		if err := l.enable(ctx, true); err != nil && !isGone(err) {
			return err
		}
		return nil
	}
	return chaos.Each(streams(), func(stream string) error {
		if err := l.removeToxic(ctx, d.toxic(stream)); err != nil && !isGone(err) {
			return err
		}
		return nil
	})
}
