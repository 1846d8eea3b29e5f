package netfault

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// goneLinks is the observation of [chaos.Kind.Gone] that no toxic is listed, and
// links that were disabled are not. A proxy that is no more has none.
func goneLinks(ctx context.Context, env sut.Environment, u chaos.Undo) error {
	var data stallData
	if err := json.Unmarshal(u.Data, &data); err != nil {
		return fmt.Errorf("read undo data: %w", err)
	}
	return chaos.Each(data.links(env), func(l control) error {
		return chaos.Watch(ctx, func(ctx context.Context) error {
			err := data.gone(ctx, l)
			if isGone(err) {
				return nil
			}
			return err
		})
	})
}

// gone reports what is left of the fault on a link.
func (d stallData) gone(ctx context.Context, l control) error {
	enabled, err := l.enabled(ctx)
	if err != nil {
		return err
	}
	if !enabled {
		return fmt.Errorf("link %s is disabled", l.link)
	}
	list, err := l.toxics(ctx)
	if err != nil {
		return err
	}
	for _, t := range list {
		if t.Name == d.toxic(t.Stream) {
			return fmt.Errorf("link %s: %s is still listed", l.link, t.Name)
		}
	}
	return nil
}

// linkMarks lists the toxics that are called as ours, of whatever kind, and links
// that accept nothing.
func linkMarks(ctx context.Context, env sut.Environment) []chaos.Undo {
	controller, ok := env.(sut.LinkController)
	if !ok {
		return nil
	}
	links := env.Topology().Links
	found := make([][]chaos.Undo, len(links))
	_ = chaos.Each(chaos.Indices(links), func(i int) error {
		if base, ok := controller.LinkControl(links[i].Name); ok {
			found[i] = control{link: links[i].Name, base: base}.marks(ctx)
		}
		return nil
	})
	return slices.Concat(found...)
}

func (c control) marks(ctx context.Context) (left []chaos.Undo) {
	if enabled, err := c.enabled(ctx); err == nil && !enabled {
		left = append(left, chaos.Undo{Kind: kindLinkDown, Target: c.link, Manual: []string{c.enableByHand()}})
	}
	list, err := c.toxics(ctx)
	if err != nil {
		return left // who does not answer is found out by others
	}
	for _, t := range list {
		if strings.HasPrefix(t.Name, toxicMark) {
			left = append(left, chaos.Undo{Kind: t.Type, Target: c.link, Manual: []string{c.removeByHand(t.Name)}})
		}
	}
	return left
}

// enableByHand is the command that lets the link accept connections.
func (c control) enableByHand() string {
	return fmt.Sprintf(`curl -X POST -d '{"enabled": true}' '%s'`, c.url(c.proxyPath()))
}

// removeByHand is the command that takes a toxic off.
func (c control) removeByHand(toxic string) string {
	return fmt.Sprintf("curl -X DELETE '%s'", c.url(c.toxicPath(toxic)))
}
