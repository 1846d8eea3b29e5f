package netfault

import (
	"context"
	"encoding/json"
	"fmt"

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
