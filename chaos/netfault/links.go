package netfault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// A linkKind is a kind of fault that a link proxy carries out.
type linkKind struct {
	chaos.Kind

	// toxic returns the type and the attributes of the toxic, which differ
	// between linkd and a stock Toxiproxy server. It is nil for a link that
	// refuses connections.
	toxic func(k chaos.Kind, p chaos.Params, stock bool) (toxicInfo, error)

	// marks says how a client sees it where the proxy counts nothing.
	marks func(k chaos.Kind, p chaos.Params) mark

	// seen judges what a link has done since the injection. It says what, or
	// nothing if that does not show the fault yet.
	seen func(k chaos.Kind, p chaos.Params, since byteCounts) string
}

// kind completes the entry of the catalogue.
func (l linkKind) kind() chaos.Kind {
	if l.Needs == "" {
		l.Needs = "an environment with link proxies: linkd, or Toxiproxy where what it leads to answers HTTP"
	}
	l.Undone = "The toxic is removed, which loses nothing of a connection that goes on. No toxic outlives its proxy."
	if l.Touches == nil {
		l.Touches = wholeLink()
	}
	check := l.Check
	l.Check = func(p chaos.Params) error {
		if len(p.Target.Links) == 0 {
			return fmt.Errorf("%s acts on links, and %q is none: write for example %[1]s: link:replication or %[1]s: link:app->pgbouncer", l.Name, p.Target.Ref)
		}
		if check != nil {
			return check(p)
		}
		return nil
	}
	l.New = func(env sut.Environment, targets *chaos.Targets, p chaos.Params) (chaos.Fault, error) {
		controller, ok := env.(sut.LinkController)
		if !ok {
			return nil, fmt.Errorf("link proxies: %w", sut.ErrUnsupported)
		}
		return &linkFault{kind: l, env: env, controller: controller, targets: targets, params: p}, nil
	}
	l.Heal, l.Gone = healStall, goneLinks
	return l.Kind
}

// directions returns the streams that a fault acts on.
func directions(k chaos.Kind, p chaos.Params) []string {
	switch k.Value(p, "direction") {
	case "up":
		return []string{"upstream"}
	case "down":
		return []string{"downstream"}
	}
	return streams()
}

// A linkFault is a fault of links.
type linkFault struct {
	kind       linkKind
	env        sut.Environment
	controller sut.LinkController
	targets    *chaos.Targets
	params     chaos.Params
	data       stallData // as resolved by Prepare
}

// String implements [chaos.Fault].
func (f *linkFault) String() string { return f.kind.Name + " " + f.params.Target.Ref }

// Prepare implements [chaos.Fault].
func (f *linkFault) Prepare(ctx context.Context) (chaos.Undo, error) {
	var err error
	f.data, err = prepareLinks(ctx, f.controller, f.targets, f.params.Target)
	if err != nil {
		return chaos.Undo{}, err
	}
	f.data.Down = f.kind.toxic == nil
	for _, l := range f.data.Links {
		if f.data.Down {
			break
		}
		if _, err := f.kind.toxic(f.kind.Kind, f.params, l.Stock); err != nil {
			return chaos.Undo{}, fmt.Errorf("link %s: %w", l.Link, err)
		}
	}
	return f.data.undo(f.kind.Name)
}

// Inject implements [chaos.Fault].
func (f *linkFault) Inject(ctx context.Context) (chaos.Injection, error) {
	in := &linkInjection{linkFault: *f, links: f.data.links(f.env)}
	in.before = in.count(ctx)
	in.last = make([]lastSeen, len(in.links))
	for i := range in.last {
		in.last[i].counts = in.before[i]
	}
	in.probes = probes(ctx, in.links, f.kind.marks(f.kind.Kind, f.params))
	in.called = time.Now()
	err := chaos.Each(in.links, func(l control) error {
		if f.data.Down {
			return l.enable(ctx, false)
		}
		toxic, err := f.kind.toxic(f.kind.Kind, f.params, l.stock)
		if err != nil {
			return err
		}
		toxic.Toxicity = f.kind.Percent(f.params, "connections") / 100
		return chaos.Each(directions(f.kind.Kind, f.params), func(stream string) error {
			one := toxic
			one.Name, one.Stream = f.data.toxic(stream), stream
			return l.addToxic(ctx, one)
		})
	})
	if err != nil {
		return nil, err
	}
	return in, nil
}

// A linkInjection is a fault of links in effect.
type linkInjection struct {
	linkFault

	links  []control
	called time.Time    // the last inject or recover call
	before []byteCounts // of each link at that call
	last   []lastSeen   // of each link
	probes []probe      // of each link whose proxy counts nothing
}

// A lastSeen is when the effect of a fault on a link was last seen, if it was, and
// what its counts were then, or before the fault.
type lastSeen struct {
	at     time.Time
	counts byteCounts
}

// unseenTime is how long data may arrive at a link of which all connections meet a
// fault without any sign of it: the next sign may be a piece that takes its time.
const unseenTime = 30 * time.Second

// probes makes a probe for each link whose proxy counts nothing. Without one a
// fault is not seen, which is no reason not to inject.
func probes(ctx context.Context, links []control, m mark) []probe {
	list := make([]probe, len(links))
	_ = chaos.Each(chaos.Indices(links), func(i int) (err error) {
		if links[i].stock {
			list[i], err = newProbe(ctx, links[i], m)
		}
		return err
	})
	return list
}

// count reads the counts of all links. Without them an observation is weaker,
// which is no reason not to inject, and less so not to recover.
func (in *linkInjection) count(ctx context.Context) []byteCounts {
	counts := make([]byteCounts, len(in.links))
	_ = chaos.Each(chaos.Indices(counts), func(i int) (err error) {
		counts[i], err = in.links[i].counts(ctx)
		return err
	})
	return counts
}

// Settle implements [chaos.Injection]. It goes by what the link did with the
// data that came through; of a link without any it only knows that the toxic is
// listed. Where the proxy counts nothing it goes by a probe of its own.
func (in *linkInjection) Settle(ctx context.Context) (chaos.Evidence, error) {
	return in.watch(ctx, in.inEffect)
}

// Recover implements [chaos.Injection].
func (in *linkInjection) Recover(ctx context.Context) error {
	in.before, in.called = in.count(ctx), time.Now()
	return in.data.remove(ctx, in.env)
}

// Recovered implements [chaos.Injection].
func (in *linkInjection) Recovered(ctx context.Context) (chaos.Evidence, error) {
	return in.watch(ctx, in.well)
}

// watch waits until a look is content with all links.
func (in *linkInjection) watch(ctx context.Context, look func(ctx context.Context, i int) (string, error)) (chaos.Evidence, error) {
	said := make([]string, len(in.links))
	err := chaos.Watch(ctx, func(ctx context.Context) error {
		return chaos.Each(chaos.Indices(said), func(i int) error {
			saw, err := look(ctx, i)
			said[i] = in.links[i].link + ": " + saw
			return err
		})
	})
	if err != nil {
		return chaos.Evidence{}, err
	}
	idle := !slices.ContainsFunc(said, func(saw string) bool { return !strings.HasSuffix(saw, unmet) })
	return chaos.Evidence{By: meansOf(in.links, "link counters"), Saw: strings.Join(said, "; "), Took: time.Since(in.called), Idle: idle}, nil
}

// meansOf says what links are observed by: counters, if not a probe.
func meansOf(links []control, counters string) string {
	stock := 0
	for _, l := range links {
		if l.stock {
			stock++
		}
	}
	switch stock {
	case 0:
		return counters
	case len(links):
		return probeMeans
	}
	return counters + " and " + probeMeans
}

// probeMeans is what links are observed by whose proxies count nothing.
const probeMeans = "a probe through the proxy and past it"

// unmet is what is seen of a toxic that no traffic has met.
const unmet = "no traffic, toxic listed"

// inEffect says how a link is seen to be broken.
func (in *linkInjection) inEffect(ctx context.Context, i int) (string, error) {
	l := in.links[i]
	if in.data.Down {
		return in.refuses(ctx, i)
	}
	listed, err := in.listed(ctx, l)
	if err != nil {
		return "", err
	}
	if want := len(directions(in.kind.Kind, in.params)); listed != want {
		return "", fmt.Errorf("link %s: %d of %d toxics are listed", l.link, listed, want)
	}
	if l.stock {
		return in.probes[i].see(ctx, l.link)
	}
	now, err := l.counts(ctx)
	if err != nil {
		return "", err
	}
	since := now.since(in.last[i].counts)
	if saw := in.kind.seen(in.kind.Kind, in.params, since); saw != "" {
		if in.kind.Percent(in.params, "connections") >= 100 {
			in.last[i].counts = now
		} // else what it held back once may be all that it ever does
		in.last[i].at = time.Now()
		return saw, nil
	}
	arrived := since.arrived(directions(in.kind.Kind, in.params))
	switch seen := in.last[i].at; {
	case arrived == 0 && time.Since(in.called) >= idleTime:
		return unmet, nil
	case !seen.IsZero() && time.Since(seen) < unseenTime+in.lives():
		return fmt.Sprintf("toxic listed, %d bytes in since it was seen", arrived), nil
	}
	return "", fmt.Errorf("link %s: no effect was seen on %d bytes in", l.link, arrived)
}

// lives is how long a connection may go on before it meets the fault.
func (in *linkInjection) lives() time.Duration {
	if in.kind.Name != kindLinkReset {
		return 0
	}
	return in.kind.Duration(in.params, "after")
}

// refuses says that a link accepts no connection and has none.
func (in *linkInjection) refuses(ctx context.Context, i int) (string, error) {
	l := in.links[i]
	enabled, err := l.enabled(ctx)
	switch {
	case err != nil:
		return "", err
	case enabled:
		return "", fmt.Errorf("link %s is enabled", l.link)
	case l.stock:
		return in.probes[i].see(ctx, l.link)
	}
	now, err := l.counts(ctx)
	if err != nil {
		return "", err
	}
	if now.Connections > 0 {
		return "", fmt.Errorf("link %s has %d connections still", l.link, now.Connections)
	}
	return fmt.Sprintf("disabled, %d connections ended and none left", in.before[i].Connections), nil
}

// listed counts the toxics of the fault that a link lists.
func (in *linkInjection) listed(ctx context.Context, l control) (n int, err error) {
	list, err := l.toxics(ctx)
	for _, t := range list {
		if t.Name == in.data.toxic(t.Stream) {
			n++
		}
	}
	return n, err
}

// well says how a link is seen to be whole.
func (in *linkInjection) well(ctx context.Context, i int) (string, error) {
	l := in.links[i]
	listed, err := in.listed(ctx, l)
	if err != nil {
		return "", err
	}
	enabled, err := l.enabled(ctx)
	switch {
	case err != nil:
		return "", err
	case listed > 0 || !enabled:
		return "", fmt.Errorf("link %s: enabled %t, %d toxics are still listed", l.link, enabled, listed)
	case l.stock:
		return in.probes[i].well(ctx, l.link)
	}
	now, err := l.counts(ctx)
	if err != nil {
		return "", err
	}
	since := now.since(in.before[i])
	switch {
	case since.out() > 0:
		return fmt.Sprintf("%d bytes delivered since", since.out()), nil
	case time.Since(in.called) >= wellTime && since.in() == 0:
		return "toxic gone, no traffic", nil
	case time.Since(in.called) >= 2*wellTime && now.pieces() == in.before[i].pieces():
		// What a peer sends into a connection that the fault has broken does
		// not arrive any more.
		return "toxic gone, nothing delivered", nil
	}
	return "", fmt.Errorf("link %s delivered nothing since, %d bytes arrived", l.link, since.in())
}

// since returns what was added to former counts. Connections are those now.
func (c byteCounts) since(before byteCounts) byteCounts {
	c.UpstreamIn -= before.UpstreamIn
	c.UpstreamOut -= before.UpstreamOut
	c.DownstreamIn -= before.DownstreamIn
	c.DownstreamOut -= before.DownstreamOut
	c.Resets -= before.Resets
	c.UpstreamPieces -= before.UpstreamPieces
	c.UpstreamWaited -= before.UpstreamWaited
	c.UpstreamDropped -= before.UpstreamDropped
	c.DownstreamPieces -= before.DownstreamPieces
	c.DownstreamWaited -= before.DownstreamWaited
	c.DownstreamDropped -= before.DownstreamDropped
	return c
}

// unsupported says that only linkd can do something.
func unsupported(what string) error {
	return fmt.Errorf("%s: a stock Toxiproxy server cannot do that, linkd can: %w", what, sut.ErrUnsupported)
}
