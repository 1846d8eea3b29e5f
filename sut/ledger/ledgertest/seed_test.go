//go:build integration

package ledgertest

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/store"
)

func TestSeedAccounts(t *testing.T) {
	b := newBooks(t)
	seed := func(accounts int, openingBalance int64) store.Seeded {
		t.Helper()
		plan := store.SeedPlan{Accounts: accounts, Currency: "EUR", Opening: openingBalance}
		made, err := store.Seed(t.Context(), b.url, plan, nil)
		if err != nil {
			t.Fatalf("Seed(%+v): %v", plan, err)
		}
		return made
	}
	if diff := cmp.Diff(store.Seeded{Customers: 25, Accounts: 50}, seed(50, opening)); diff != "" {
		t.Errorf("first Seed (-want +got):\n%s", diff)
	}
	b.place(1, 50, 7)
	if diff := cmp.Diff(store.Seeded{}, seed(50, 5)); diff != "" {
		t.Errorf("second Seed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(store.Seeded{Customers: 1, Accounts: 1}, seed(51, 5)); diff != "" {
		t.Errorf("Seed of one more (-want +got):\n%s", diff)
	}
	if got, want := one[int64](b, `SELECT sum(balance)::bigint FROM accounts`), int64(50*opening+5); got != want {
		t.Errorf("all accounts have %d; want %d", got, want)
	}
	opened, err := b.primary.OpenAccount(t.Context(), domain.NewAccount{CustomerID: 1, Currency: "EUR"})
	if err != nil || opened.Value.ID != 52 {
		t.Errorf("OpenAccount = %+v, %v; want 52, the next id", opened.Value, err)
	}
	b.checkSums()
}

// TestSeedHistory loads transfers, twice into one database and once into
// another.
func TestSeedHistory(t *testing.T) {
	plan := store.SeedPlan{Accounts: 200, Transfers: 21_000, Currency: "EUR", Opening: 20_000, Seed: 7}
	first, second := newBooks(t), newBooks(t)
	rules := all[string](first, catalogSQL)
	var steps []int
	made, err := store.Seed(t.Context(), first.url, plan, func(n int) { steps = append(steps, n) })
	if diff := cmp.Diff(store.Seeded{Customers: 100, Accounts: 200, Transfers: 21_000}, made); err != nil || diff != "" {
		t.Fatalf("Seed: %v (-want +got):\n%s", err, diff)
	}
	if len(steps) < 2 || steps[len(steps)-1] != plan.Transfers {
		t.Errorf("progress = %v; want several steps to %d", steps, plan.Transfers)
	}
	first.checkSums()
	first.checkProjection()
	if diff := cmp.Diff(rules, withoutMonths(all[string](first, catalogSQL), rules)); diff != "" {
		t.Errorf("the schema differs after Seed (-before +after):\n%s", diff)
	}
	if refunds := all[int64](first, `SELECT count(*) FROM transfers WHERE refund_of IS NOT NULL`)[0]; refunds < 500 {
		t.Errorf("%d refunds; want some", refunds)
	}

	before := first.checksum()
	again, err := store.Seed(t.Context(), first.url, plan, nil)
	if err != nil || again != (store.Seeded{}) {
		t.Errorf("second Seed = %+v, %v; want nothing made", again, err)
	}
	another := plan
	another.Seed++
	if _, err = store.Seed(t.Context(), first.url, another, nil); !errors.Is(err, store.ErrHasTransfers) {
		t.Errorf("Seed of another history = %v; want %v", err, store.ErrHasTransfers)
	}
	if after := first.checksum(); after != before {
		t.Error("seeding again has changed the books")
	}
	if _, err = store.Seed(t.Context(), second.url, plan, nil); err != nil {
		t.Fatal(err)
	}
	const stable = `SELECT md5(string_agg(row, ';' ORDER BY row)) FROM (
		SELECT concat_ws(',', id, customer_id, balance, version, created_at, updated_at) AS row FROM accounts
		UNION ALL SELECT t::text FROM transfers t UNION ALL SELECT p::text FROM postings p UNION ALL SELECT s::text FROM settlements s) AS rows`
	if diff := cmp.Diff(all[string](first, stable), all[string](second, stable)); diff != "" {
		t.Errorf("the same plan made different rows:\n%s", diff)
	}

	// The ledger goes on from there, and a seeded transfer can be asked for again.
	payer := all[int64](first, `SELECT max(id) FROM accounts WHERE balance > 0`)[0]
	first.place(payer, 1, 1)
	found, _, _, err := first.primary.ListTransfers(t.Context(), domain.TransferFilter{Status: domain.Settled}, domain.Page{Limit: 1})
	if err != nil || len(found) != 1 {
		t.Fatalf("ListTransfers = %v, %v", found, err)
	}
	replayed, err := first.primary.Place(t.Context(), euros2(found[0]), store.Meta{})
	if err != nil || !replayed.Replayed {
		t.Errorf("Place of a seeded transfer = %+v, %v; want a replay", replayed, err)
	}
	first.checkSums()
}

// withoutMonths returns what the catalog has beside the partitions that came
// after another one was taken.
func withoutMonths(catalog, before []string) []string {
	had := map[string]bool{}
	for _, line := range before {
		had[line] = true
	}
	var rest []string
	for _, line := range catalog {
		if had[line] || !strings.Contains(line, "postings_2025") {
			rest = append(rest, line)
		}
	}
	return rest
}

func TestSeedRefusesBadPlans(t *testing.T) {
	b := newBooks(t)
	good := store.SeedPlan{Accounts: 2, Transfers: 1, Currency: "EUR", Opening: 1}
	for name, change := range map[string]func(*store.SeedPlan){
		"no accounts":        func(p *store.SeedPlan) { p.Accounts = 0 },
		"one account":        func(p *store.SeedPlan) { p.Accounts = 1 },
		"negative transfers": func(p *store.SeedPlan) { p.Transfers = -1 },
		"no money":           func(p *store.SeedPlan) { p.Opening = 0 },
		"negative money":     func(p *store.SeedPlan) { p.Opening = math.MinInt64 },
		"long currency":      func(p *store.SeedPlan) { p.Currency = "EURO" },
	} {
		plan := good
		change(&plan)
		if made, err := store.Seed(t.Context(), b.url, plan, nil); err == nil {
			t.Errorf("Seed with %s = %+v, nil; want an error", name, made)
		}
	}
	if _, err := store.SeedSet("huge"); err == nil {
		t.Error("SeedSet(huge): no error")
	}
	for _, name := range store.SeedSets() {
		if plan, err := store.SeedSet(name); err != nil || plan.Check() != nil {
			t.Errorf("SeedSet(%s) = %+v, %v, %v; want a good plan", name, plan, err, plan.Check())
		}
	}
	if n := all[int64](b, `SELECT count(*) FROM accounts`)[0]; n != 0 {
		t.Errorf("%d accounts after refusals; want none", n)
	}
}
