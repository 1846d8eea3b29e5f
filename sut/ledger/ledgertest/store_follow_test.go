//go:build integration

package ledgertest

import (
	"errors"
	"testing"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/store"
)

// TestAfter reads what has to include a position, on a node that has come as
// far and on one that has not.
func TestAfter(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(2)
	placed, err := b.primary.Place(t.Context(), euros(a[0], a[1], 1), store.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	written := placed.Origin.Position
	if again, err := domain.ParsePosition(written.String()); err != nil || again != written {
		t.Errorf("ParsePosition(%s) = %v, %v; want it back", written, again, err)
	}
	for _, tt := range []struct {
		name  string
		after domain.Position
		want  error
	}{
		{"nothing", domain.Position{}, nil},
		{"the write", written, nil},
		{"a later time line", domain.Position{Timeline: written.Timeline + 1, LSN: 1}, domain.ErrBehind},
		{"later on the time line", domain.Position{Timeline: written.Timeline, LSN: written.LSN + 1<<40}, domain.ErrBehind},
		{"anything of an earlier time line", domain.Position{Timeline: written.Timeline - 1, LSN: written.LSN}, nil},
	} {
		view := b.replica.After(tt.after)
		for what, read := range map[string]func() (domain.Origin, error){
			"FindTransfer": func() (domain.Origin, error) {
				found, origin, err := view.FindTransfer(t.Context(), placed.Transfer.ID)
				if err == nil && found.ID != placed.Transfer.ID {
					t.Errorf("after %s: FindTransfer = %+v", tt.name, found)
				}
				return origin, err
			},
			"FindAccount of none": func() (domain.Origin, error) {
				_, origin, err := view.FindAccount(t.Context(), -1)
				if errors.Is(err, domain.ErrNotFound) {
					err = nil
				}
				return origin, err
			},
			"ListTransfers": func() (domain.Origin, error) {
				_, _, origin, err := view.ListTransfers(t.Context(), domain.TransferFilter{}, domain.Page{Limit: 1})
				return origin, err
			},
		} {
			origin, err := read()
			if !errors.Is(err, tt.want) || errors.Is(err, domain.ErrUnavailable) {
				t.Errorf("%s after %s = %v; want %v", what, tt.name, err, tt.want)
			}
			if err == nil && (origin.Source != domain.Primary || origin.Timeline != written.Timeline) {
				t.Errorf("%s after %s: origin = %+v; want the primary, for there is no other", what, tt.name, origin)
			}
		}
	}
}
