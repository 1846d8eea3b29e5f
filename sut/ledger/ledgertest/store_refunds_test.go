//go:build integration

package ledgertest

import (
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/store"
)

// TestRefundsAmidTransfers refunds transfers while others move money between
// the same accounts, in a ledger large enough for the plans of a large one.
func TestRefundsAmidTransfers(t *testing.T) {
	b := newBooks(t)
	a := b.accounts(1000)
	if _, err := b.db.Exec(t.Context(), `ANALYZE`); err != nil {
		t.Fatal(err)
	}
	const clients, each = 16, 20
	var originals [clients][each]uuid.UUID
	for c := range clients {
		for i := range each {
			originals[c][i] = b.place(a[(c+i)%4], a[(c+i+1+c%3)%4], 2).ID
		}
	}
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i, original := range originals[c] {
				if _, err := b.primary.Refund(t.Context(), domain.Refund{ID: uuid.New(), Of: original, Amount: 1}, store.Meta{}); err != nil {
					t.Errorf("Refund = %v; want nil", err)
				}
				if _, err := b.primary.Place(t.Context(), euros(a[(c+i)%4], a[(c+i+1)%4], 1), store.Meta{}); err != nil {
					t.Errorf("Place = %v; want nil", err)
				}
			}
		})
	}
	wg.Wait()
	b.checkSums()
}
