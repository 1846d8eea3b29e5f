package store

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/resilience"
)

// TestEvidence asks what errors say of the database: that it works, that it
// does not, or nothing.
func TestEvidence(t *testing.T) {
	refusal := func(code string) error { return fmt.Errorf("x: %w", &pgconn.PgError{Code: code}) }
	const works, fails, nothing = "works", "fails", "nothing"
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"success", nil, works},
		{"unique violation", refusal(codeUnique), works},
		{"lock timeout", refusal(codeLockTimeout), works},
		{"deadlock", refusal(codeDeadlock), works},
		{"not found", fmt.Errorf("x: %w", domain.ErrNotFound), works},
		{"no rows", pgx.ErrNoRows, works},
		{"replica behind", fmt.Errorf("x: %w", domain.ErrBehind), works},
		{"demoted", refusal(codeReadOnly), fails},
		{"shutting down", refusal("57P01"), fails},
		{"too many clients", refusal("53300"), fails},
		{"connection lost", errors.New("unexpected EOF"), fails},
		{"read timed out", fmt.Errorf("x: %w", context.DeadlineExceeded), fails},
		{"lock waited for", fmt.Errorf("%w: %w", errContended, context.DeadlineExceeded), nothing},
		{"caller gave up", context.Canceled, nothing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := fails
			switch e := evidence(tt.err); {
			case e == nil:
				got = works
			case errors.Is(e, context.Canceled):
				got = nothing
			}
			if got != tt.want {
				t.Errorf("evidence(%v) says %s; want %s", tt.err, got, tt.want)
			}
		})
	}
}

// TestGuard checks that callers get their own errors, and that of the breaker
// only if there was no call.
func TestGuard(t *testing.T) {
	d := database{opts: Options{Breaker: resilience.NewBreaker(resilience.Settings{Name: "database", TripAfter: 1})}}
	contended := fmt.Errorf("x: %w", errContended)
	lost := errors.New("unexpected EOF")
	for _, want := range []error{nil, domain.ErrNotFound, contended, lost} {
		if err := d.guard(t.Context(), func(context.Context) error { return want }); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("guard of a call with %v = %v", want, err)
		}
	}
	err := wrap("read", d.guard(t.Context(), func(context.Context) error {
		t.Error("an open breaker made a call")
		return nil
	}))
	if !errors.Is(err, resilience.ErrOpen) || !errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("guard after the connection was lost = %v; want an open circuit, unavailable", err)
	}
}
