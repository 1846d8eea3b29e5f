// Package resilience keeps a failing dependency from taking the service down
// with it.
package resilience

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// ErrOpen is what a call gets that was refused because the dependency failed
// too often. The call was not made: nothing was changed.
var ErrOpen = errors.New("circuit open")

// A State is the state of a breaker.
type State int

// The states, in the order of their harm.
const (
	Closed    State = iota // calls are made
	HalfOpen               // one call is made to see whether the dependency is back
	OpenState              // calls are refused
)

// String implements [fmt.Stringer].
func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case HalfOpen:
		return "half-open"
	case OpenState:
		return "open"
	}
	return fmt.Sprintf("State(%d)", int(s))
}

const (
	defaultTripAfter = 5
	defaultOpenFor   = time.Second
)

// Settings are the settings of a [Breaker].
type Settings struct {
	Name      string        // of the dependency, for errors and metrics
	TripAfter uint32        // failures in a row that open the breaker; 0 means 5
	OpenFor   time.Duration // until one call may try again; 0 means 1 s
	TryFor    time.Duration // longest such try, for others are refused meanwhile; 0 means its context's time

	// IsFailure says which errors speak against the dependency; nil means all.
	// An error that does not, such as a refusal by the rules of the ledger,
	// shows that the dependency works. IsFailure and OnChange run under a lock
	// of the breaker and must not call it.
	IsFailure func(error) bool
	// OnChange, if not nil, hears of every change of the state.
	OnChange func(name string, from, to State)
}

// A Breaker refuses calls to a dependency that keeps failing: the callers get
// their answer at once instead of waiting for a timeout each, and the
// dependency gets room to recover. A nil Breaker lets every call through.
type Breaker struct {
	name    string
	refusal error
	circuit *gobreaker.CircuitBreaker[struct{}]
	tryFor  time.Duration
	refused atomic.Uint64
	opened  atomic.Uint64
}

// NewBreaker returns a breaker that is closed.
func NewBreaker(s Settings) *Breaker {
	b := &Breaker{name: s.Name, refusal: fmt.Errorf("%s: %w", s.Name, ErrOpen), tryFor: s.TryFor}
	tripAfter, openFor := s.TripAfter, s.OpenFor
	if tripAfter == 0 {
		tripAfter = defaultTripAfter
	}
	if openFor <= 0 {
		openFor = defaultOpenFor
	}
	b.circuit = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:        s.Name,
		MaxRequests: 1,
		Timeout:     openFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
		IsSuccessful: func(err error) bool {
			return err == nil || s.IsFailure != nil && !s.IsFailure(err)
		},
		// A caller who gave up says nothing about the dependency.
		IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				b.opened.Add(1)
			}
			if s.OnChange != nil {
				s.OnChange(s.Name, stateOf(from), stateOf(to))
			}
		},
	})
	return b
}

// Do makes the call, or refuses it with an error that is [ErrOpen]. A call
// whose context has ended is not made and does not count.
func (b *Breaker) Do(ctx context.Context, call func(context.Context) error) error {
	if b == nil {
		return call(ctx)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := b.circuit.Execute(func() (struct{}, error) { return struct{}{}, b.attempt(ctx, call) })
	// Compared as they are: the call may itself have met another breaker.
	if err == gobreaker.ErrOpenState || err == gobreaker.ErrTooManyRequests { //nolint:errorlint // see above
		b.refused.Add(1)
		return b.refusal
	}
	return err
}

// attempt makes a call that was let through.
func (b *Breaker) attempt(ctx context.Context, call func(context.Context) error) error {
	if b.tryFor <= 0 || b.circuit.State() == gobreaker.StateClosed {
		return call(ctx)
	}
	bounded, cancel := context.WithTimeout(ctx, b.tryFor)
	defer cancel()
	return call(bounded)
}

// State returns the state; a breaker that has been open for long enough is
// half-open.
func (b *Breaker) State() State {
	if b == nil {
		return Closed
	}
	return stateOf(b.circuit.State())
}

// Name returns the name of the dependency.
func (b *Breaker) Name() string {
	if b == nil {
		return ""
	}
	return b.name
}

func stateOf(s gobreaker.State) State {
	switch s {
	case gobreaker.StateClosed:
		return Closed
	case gobreaker.StateHalfOpen:
		return HalfOpen
	default:
		return OpenState
	}
}
