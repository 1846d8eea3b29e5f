package store

import (
	"context"
	"slices"
	"sync"
)

// A Counter counts what was asked of the database on behalf of one context,
// usually that of a request. It may be used from several goroutines.
type Counter struct {
	mu         sync.Mutex
	roundTrips int
	statements []string
}

type counterKey struct{}

// WithCounter returns a context whose use of the database is counted.
func WithCounter(ctx context.Context) (context.Context, *Counter) {
	c := &Counter{}
	return context.WithValue(ctx, counterKey{}, c), c
}

// counterOf returns the counter of the context, nil if it has none.
func counterOf(ctx context.Context) *Counter {
	c, _ := ctx.Value(counterKey{}).(*Counter)
	return c
}

// RoundTrips returns how many times something was sent to the database and its
// answer waited for. Connecting is not counted, nor is what the pool does to
// see that a connection is still good.
func (c *Counter) RoundTrips() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.roundTrips
}

// Queries returns how many statements were sent: a batch of several is one
// round trip. BEGIN and COMMIT are statements too.
func (c *Counter) Queries() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.statements)
}

// Statements returns the statements in the order they were sent, as they were
// written, without the values of their parameters.
func (c *Counter) Statements() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.statements)
}

// add counts one round trip with these statements.
func (c *Counter) add(statements []string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roundTrips++
	c.statements = append(c.statements, statements...)
}
