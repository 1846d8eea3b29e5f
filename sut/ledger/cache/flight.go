package cache

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// A Flight merges loads of the same key, so that a crowd of readers costs the
// database two queries: one that is under way and one for all that came since.
//
// It differs from golang.org/x/sync/singleflight in one point: nobody shares a
// load that began before they asked. A reader who has just been told that a
// write succeeded would otherwise be handed the state before it.
//
// The zero value is ready to use.
type Flight[T any] struct {
	mu      sync.Mutex
	running map[string]*load[T]
	waiting map[string]*load[T]
}

type load[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// Do returns the result of a load that begins after the call of Do. The load
// is bounded by timeout and outlives the caller's context, for others may wait
// for it too.
func (f *Flight[T]) Do(
	ctx context.Context, key string, timeout time.Duration, fn func(context.Context) (T, error),
) (T, error) {
	l := f.join(ctx, key, timeout, fn)
	select {
	case <-l.done:
		return l.value, l.err
	case <-ctx.Done():
		var zero T
		return zero, ctx.Err()
	}
}

// join returns the load of the key that has not begun yet, and arranges for it
// if there is none.
func (f *Flight[T]) join(ctx context.Context, key string, timeout time.Duration, fn func(context.Context) (T, error)) *load[T] {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running == nil {
		f.running, f.waiting = map[string]*load[T]{}, map[string]*load[T]{}
	}
	if l, ok := f.waiting[key]; ok {
		return l
	}
	l := &load[T]{done: make(chan struct{})}
	f.waiting[key] = l
	go f.run(context.WithoutCancel(ctx), key, l, f.running[key], timeout, fn)
	return l
}

func (f *Flight[T]) run(
	ctx context.Context, key string, l, before *load[T], timeout time.Duration, fn func(context.Context) (T, error),
) {
	if before != nil {
		<-before.done
	}
	f.mu.Lock()
	delete(f.waiting, key)
	f.running[key] = l
	f.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	l.value, l.err = survive(ctx, fn)

	f.mu.Lock()
	if f.running[key] == l {
		delete(f.running, key)
	}
	f.mu.Unlock()
	close(l.done)
}

// survive turns a panic into an error. It would otherwise end the process,
// since no caller is below to catch it.
func survive[T any](ctx context.Context, fn func(context.Context) (T, error)) (value T, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	return fn(ctx)
}
