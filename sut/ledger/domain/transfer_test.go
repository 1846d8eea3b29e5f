package domain_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
)

func TestRequestHash(t *testing.T) {
	base := domain.Transfer{ID: uuid.MustParse("6f1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01"), From: 1, To: 2, Amount: 250, Currency: "EUR"}
	tests := []struct {
		name   string
		change func(*domain.Transfer)
		same   bool
	}{
		{"nothing", func(*domain.Transfer) {}, true},
		{"status and time are not part of the request", func(tr *domain.Transfer) { tr.Status, tr.CreatedAt = domain.Settled, time.Unix(9, 0) }, true},
		{"from", func(tr *domain.Transfer) { tr.From = 3 }, false},
		{"to", func(tr *domain.Transfer) { tr.To = 3 }, false},
		{"direction", func(tr *domain.Transfer) { tr.From, tr.To = tr.To, tr.From }, false},
		{"amount", func(tr *domain.Transfer) { tr.Amount = 251 }, false},
		{"currency", func(tr *domain.Transfer) { tr.Currency = "USD" }, false},
		{"digits moved between fields", func(tr *domain.Transfer) { tr.To, tr.Amount = 22, 50 }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changed := base
			tt.change(&changed)
			if same := bytes.Equal(base.RequestHash(), changed.RequestHash()); same != tt.same {
				t.Errorf("RequestHash equal = %t; want %t", same, tt.same)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	if err := (domain.Transfer{From: 1, To: 1, Amount: 1, Currency: "EUR"}).Check(); !errors.Is(err, domain.ErrSameAccount) {
		t.Errorf("Check of 1 to 1 = %v; want %v", err, domain.ErrSameAccount)
	}
	if err := (domain.Transfer{From: 1, To: 2, Amount: 1, Currency: "EUR"}).Check(); err != nil {
		t.Errorf("Check of 1 to 2 = %v; want nil", err)
	}
}
