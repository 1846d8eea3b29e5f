package store

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// seedBegin returns the time of the first seeded transfer; the end comes
// seedSpan later. They are fixed, or else the same plan would not make the same
// rows.
func seedBegin() time.Time { return time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) }

const (
	seedSpan = 365 * 24 * time.Hour

	seedChunk     = 20_000 // transfers loaded at once
	seedMaxAmount = 10_000 // minor units

	// Every so many transfers one is refunded in part by the next one.
	seedRefundEvery = 25

	seedSettled = 1500 * time.Millisecond // after the transfer
)

// seedRows makes the transfers of a plan, one after the other, each from an
// account that can afford it.
type seedRows struct {
	plan     SeedPlan
	random   *rand.Rand
	balances []int64 // of account i+1
	made     int
}

func newSeedRows(s SeedPlan) *seedRows {
	r := &seedRows{plan: s, random: rand.New(rand.NewPCG(s.Seed, 0)), balances: make([]int64, s.Accounts)}
	for i := range r.balances {
		r.balances[i] = s.Opening
	}
	return r
}

// next returns the next n transfers, or what is left of them.
func (r *seedRows) next(n int) []domain.Transfer {
	n = min(n, r.plan.Transfers-r.made)
	chunk := make([]domain.Transfer, 0, n+1)
	for len(chunk) < n {
		t := r.transfer()
		chunk = append(chunk, t)
		if t.Refunded > 0 {
			chunk = append(chunk, r.refund(t))
		}
	}
	return chunk
}

// transfer makes a transfer, which says already whether a refund follows.
func (r *seedRows) transfer() domain.Transfer {
	t := domain.Transfer{Currency: r.plan.Currency, Status: domain.Settled}
	for t.From = r.account(); r.balances[t.From-1] == 0; {
		t.From = r.account()
	}
	for t.To = r.account(); t.To == t.From; {
		t.To = r.account()
	}
	t.Amount = min(1+r.random.Int64N(seedMaxAmount), r.balances[t.From-1])
	last := r.made+1 == r.plan.Transfers
	if r.made%seedRefundEvery == 0 && !last {
		t.Refunded = (t.Amount + 1) / 2
	}
	return r.book(t)
}

// refund makes the refund of the transfer before.
func (r *seedRows) refund(of domain.Transfer) domain.Transfer {
	return r.book(domain.Transfer{
		From: of.To, To: of.From, Amount: of.Refunded, Currency: of.Currency, RefundOf: of.ID, Status: domain.Settled,
	})
}

// book gives a transfer its id and its time and moves the money.
func (r *seedRows) book(t domain.Transfer) domain.Transfer {
	t.ID = r.plan.transferID(r.made)
	t.CreatedAt = seedBegin().Add(seedSpan / time.Duration(r.plan.Transfers) * time.Duration(r.made)).Truncate(time.Microsecond)
	r.balances[t.From-1] -= t.Amount
	r.balances[t.To-1] += t.Amount
	r.made++
	return t
}

func (r *seedRows) account() int64 { return 1 + r.random.Int64N(int64(r.plan.Accounts)) }

// transferID returns the id of the n-th transfer: a UUID of version 8 whose
// bits are mixed, since clients make random ones too.
func (s SeedPlan) transferID(n int) uuid.UUID {
	random := rand.NewPCG(s.Seed, uint64(n)+1) //nolint:gosec // a count
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], random.Uint64())
	binary.BigEndian.PutUint64(id[8:], random.Uint64())
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// transferRow is the row of a transfer.
func transferRow(t *domain.Transfer, _ int) []any {
	hash := t.RequestHash()
	var refundOf any
	if t.RefundOf != uuid.Nil {
		refundOf = t.RefundOf
		hash = domain.Refund{ID: t.ID, Of: t.RefundOf, Amount: t.Amount}.RequestHash()
	}
	return []any{t.ID, t.From, t.To, t.Amount, t.Currency, refundOf, t.Refunded, hash, t.CreatedAt, t.CreatedAt}
}

// postingRow is the row of one of the two postings of a transfer.
func postingRow(t *domain.Transfer, n int) []any {
	if n == 0 {
		return []any{t.ID, t.From, -t.Amount, t.CreatedAt}
	}
	return []any{t.ID, t.To, t.Amount, t.CreatedAt}
}

// settlementRow is the row of the settlement of a transfer.
func settlementRow(t *domain.Transfer, _ int) []any { return []any{t.ID, t.CreatedAt.Add(seedSettled)} }
