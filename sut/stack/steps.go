package stack

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// A step is one piece of bringing a stack up. It begins when the steps named
// in after are done.
type step struct {
	name  string
	after []string
	do    func(context.Context) error
}

// runSteps does all steps, each as early as it may, and says how long each
// took from the moment it could begin. The first error ends all.
func runSteps(ctx context.Context, steps []step) ([]Part, error) {
	done := map[string]chan struct{}{}
	for _, s := range steps {
		done[s.name] = make(chan struct{})
	}
	for _, s := range steps {
		for _, name := range s.after {
			if done[name] == nil {
				return nil, fmt.Errorf("step %s waits for step %s, which does not exist", s.name, name)
			}
		}
	}
	type timed struct {
		Part
		began time.Time
	}
	var mu sync.Mutex
	var parts []timed
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range steps {
		g.Go(func() error {
			for _, name := range s.after {
				select {
				case <-done[name]:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			began := time.Now()
			if err := s.do(ctx); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			parts = append(parts, timed{Part{s.name, time.Since(began)}, began})
			close(done[s.name])
			return nil
		})
	}
	err := g.Wait()
	slices.SortFunc(parts, func(a, b timed) int { return a.began.Compare(b.began) })
	result := make([]Part, len(parts))
	for i, p := range parts {
		result[i] = p.Part
	}
	return result, err
}
