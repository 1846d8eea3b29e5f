package payments

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// TestTwice counts the attempts that are made of something that fails.
func TestTwice(t *testing.T) {
	unavailable := fmt.Errorf("read: %w", domain.ErrUnavailable)
	tests := []struct {
		name     string
		errs     []error // of the attempts
		takes    time.Duration
		budget   time.Duration
		attempts int
		err      error
	}{
		{"success", []error{nil}, 0, time.Minute, 1, nil},
		{"failed at once", []error{unavailable, nil}, 0, time.Minute, 2, nil},
		{"failed twice", []error{unavailable, unavailable}, 0, time.Minute, 2, domain.ErrUnavailable},
		{"failed after a wait", []error{unavailable}, 201 * time.Millisecond, time.Minute, 1, domain.ErrUnavailable},
		{"unknown outcome", []error{domain.ErrUnknownOutcome}, 0, time.Minute, 1, domain.ErrUnknownOutcome},
		{"refused", []error{domain.ErrInsufficientFunds}, 0, time.Minute, 1, domain.ErrInsufficientFunds},
		{"out of time", []error{context.DeadlineExceeded}, 0, time.Minute, 1, context.DeadlineExceeded},
		{"no time for a second", []error{unavailable}, 0, time.Millisecond, 1, domain.ErrUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.budget)
				defer cancel()
				attempts := 0
				value, err := twice(ctx, func() (int, error) {
					<-time.After(tt.takes)
					attempts++
					return attempts, tt.errs[attempts-1]
				})
				if attempts != tt.attempts || value != attempts || !errors.Is(err, tt.err) {
					t.Errorf("twice = %d, %v after %d attempts; want %v after %d", value, err, attempts, tt.err, tt.attempts)
				}
			})
		})
	}
}

// A named node is only told apart.
type named struct {
	node
	name string
}

// TestRead asks which nodes are read, in which order.
func TestRead(t *testing.T) {
	after := domain.Position{Timeline: 2, LSN: 7}
	tests := []struct {
		name    string
		want    domain.Reading
		replica error // what it answers with
		nodes   []string
		err     error
	}{
		{"default", domain.Reading{}, nil, []string{"primary"}, nil},
		{"strong", domain.Reading{Want: domain.Strong}, nil, []string{"primary"}, nil},
		{"replica", domain.Reading{Want: domain.Follower, After: after}, nil, []string{"replica after 2-0/7"}, nil},
		{"replica behind", domain.Reading{Want: domain.Follower, After: after}, domain.ErrBehind, []string{"replica after 2-0/7", "primary"}, nil},
		{"replica away", domain.Reading{Want: domain.Follower}, domain.ErrUnavailable, []string{"replica after 0-0/0", "primary"}, nil},
		{"not there", domain.Reading{Want: domain.Follower}, domain.ErrNotFound, []string{"replica after 0-0/0"}, domain.ErrNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var nodes []string
			follow := func(p domain.Position) node { return named{name: "replica after " + p.String()} }
			_, err := read(t.Context(), named{name: "primary"}, follow, tt.want, func(_ context.Context, n node) (found[int], error) {
				is, ok := n.(named)
				if !ok {
					t.Fatalf("node is a %T", n)
				}
				nodes = append(nodes, is.name)
				if is.name == "primary" {
					return found[int]{}, nil
				}
				return found[int]{}, tt.replica
			})
			if diff := cmp.Diff(tt.nodes, nodes); diff != "" || !errors.Is(err, tt.err) {
				t.Errorf("read = %v, nodes (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestReadFromSilentReplica has a replica that never answers: half of the time
// is left for the primary. Nobody asks the primary when all of it is gone.
func TestReadFromSilentReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		var asked []time.Duration // when the primary was
		from := func(ctx context.Context, n node) (found[int], error) {
			if is, ok := n.(named); ok && is.name == "primary" {
				asked = append(asked, time.Since(began))
				return found[int]{value: 7}, nil
			}
			<-ctx.Done()
			return found[int]{}, ctx.Err()
		}
		follow := func(domain.Position) node { return named{name: "replica"} }
		got, err := read(ctx, named{name: "primary"}, follow, domain.Reading{Want: domain.Follower}, from)
		if err != nil || got.value != 7 || !cmp.Equal(asked, []time.Duration{time.Second}) {
			t.Errorf("read = %d, %v, the primary asked after %v; want 7 after 1s", got.value, err, asked)
		}
		cancel()
		if _, err = read(ctx, named{name: "primary"}, follow, domain.Reading{Want: domain.Follower}, from); !errors.Is(err, context.Canceled) || len(asked) != 1 {
			t.Errorf("read after the end = %v, the primary asked %d times; want canceled, once", err, len(asked))
		}
	})
}
