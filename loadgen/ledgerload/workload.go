// Package ledgerload is the load of the sample payments ledger, and the audit
// of its books after a drill.
//
// It knows the ledger only by its HTTP contract and its tables, and shares no
// types with it: a mistake in the service cannot hide by being made on both
// sides.
package ledgerload

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/proofload/proofload/loadgen"
)

// Name is the workload's name in scenario files.
const Name = "ledger/mixed"

// The operations.
const (
	Overdraw       = "overdraw"
	ReadAccount    = "read-account"
	ReadAccounts   = "read-accounts"
	ReadBalance    = "read-balance"
	ReadOwn        = "read-own"
	ReadTransfer   = "read-transfer"
	CreateTransfer = "create-transfer"
	RefundTransfer = "refund-transfer"
	RepeatTransfer = "repeat-transfer"
)

// The mix, in percent of operations; the rest are reads of accounts.
const (
	createShare       = 25
	refundShare       = 5
	readTransferShare = 25
	readBalanceShare  = 5
	readOwnShare      = 5
	readAccountsShare = 2
	overdrawShare     = 1
	repeatShare       = 1
)

const (
	// DefaultAccounts is how many accounts the ledger is seeded with.
	DefaultAccounts = 1000

	// MaxDrills is how many drills have ids of their own.
	MaxDrills = 1<<12 - 1

	// maxAmount bounds the amount of a transfer, in minor units. It is so
	// small beside the opening balances that no account runs dry.
	maxAmount = 10_000

	// tooMuch is an amount that no account has, in minor units.
	tooMuch = 1 << 50

	// maxRefund bounds the amount of a refund, in minor units.
	maxRefund = 100

	// hotAccounts is how many accounts a tenth of the transfers begin at, and a
	// fifth of the reads of accounts ask for, so that copies of what changes are
	// asked for.
	hotAccounts = 16

	// recent is how many acknowledged transfers are remembered, to be read and
	// refunded.
	recent = 1024
)

// A Config describes the load.
type Config struct {
	Seed     uint64
	Accounts int     // accounts are 1 to this; zero is [DefaultAccounts]
	Nonce    [6]byte // tells the transfers of this run from those of others
}

// A Workload reads accounts (31 % of operations), reads transfers that were
// lately acknowledged (25 %), makes transfers (25 %) and refunds a part of
// transfers that were lately acknowledged (5 %). As long as there is no transfer
// to read, it reads an account instead; as long as there is none to refund, it
// makes one.
//
// The rest asks what the ledger promises of its reads. A few accounts, which a
// tenth of the transfers begin at and a fifth of the reads of accounts ask for, are
// also read from the primary (5 %), so that a
// balance which no order of the transfers explains is seen. And customers read from a
// replica what they have done themselves, their last transfer or its account, with
// the position that they were given (5 %). Of the reads of transfers some ask for
// one whose outcome its client was not told: it may be there or not, but once it
// was shown it must stay.
//
// A refund is a transfer of its own, with an id of its own, and is read and
// audited like one. No transfer is refunded twice, and none by more than its
// amount, so a sound ledger refuses a refund only if the transfer is gone.
//
// Some read from a replica, in one answer, the accounts that are moved from most
// often (2 %): whatever two of these show must fit in one order. And some move
// more than an account has (1 %), which has to be refused whatever is broken, or
// ask once more for what was acknowledged just now (1 %), which must change
// nothing.
//
// Ids of transfers are UUIDs of version 8: 48 bits of the run's nonce, the
// number of the drill and that of the arrival. The same seed gives the same
// operations, except for which transfers are read and refunded.
type Workload struct {
	Config

	began atomic.Pointer[beginning] // of the drill that goes on; nil before the first

	mu    sync.Mutex
	acked []acked // a ring, once it has grown to recent
	next  int     // where in the ring the next one goes

	unsure  []string       // ids of the latest transfers that were not acknowledged
	visited [customers]own // what each customer has done last
	latest  repeatable
}

// A beginning is when the first operation of a drill was asked for.
type beginning struct {
	drill int
	at    time.Time
}

// customers is how many sessions there are. An account belongs to one of them.
const customers = 64

// keptUnsure is how many transfers that were not acknowledged are remembered.
const keptUnsure = 64

// An own is the last transfer of a customer that was acknowledged.
type own struct {
	transfer

	position string // that includes it
}

// An acked is a transfer or a refund that was acknowledged. Of a refund only
// the id is known here.
type acked struct {
	transfer

	spent bool // it is a refund, or has been refunded
}

// New returns the workload of one run.
func New(c Config) (*Workload, error) {
	if c.Accounts == 0 {
		c.Accounts = DefaultAccounts
	}
	if c.Accounts < 2 {
		return nil, fmt.Errorf("make workload %s: %d accounts, want at least 2", Name, c.Accounts)
	}
	return &Workload{Config: c}, nil
}

// Ops implements [loadgen.Workload].
func (w *Workload) Ops() []string {
	return []string{CreateTransfer, Overdraw, ReadAccount, ReadAccounts, ReadBalance, ReadOwn, ReadTransfer, RefundTransfer, RepeatTransfer}
}

// Next implements [loadgen.Workload].
func (w *Workload) Next(drill int, seq uint64) loadgen.Operation {
	if b := w.began.Load(); b == nil || b.drill != drill {
		w.began.CompareAndSwap(b, &beginning{drill, time.Now()})
	}
	rng := rand.New(rand.NewPCG(w.Seed^uint64(drill)<<48, seq)) //nolint:gosec // any bits will do
	kind, account, pick := rng.IntN(100), 1+rng.IntN(w.Accounts), rng.Uint64()
	if kind < refundShare {
		if t, ok := w.refundable(pick); ok {
			return w.promised(refund(w.id(drill, seq), t, 1+rng.Int64N(min(t.Amount, maxRefund))))
		}
	}
	if kind < refundShare+createShare {
		if pick%10 == 0 {
			account = w.hot(account)
		}
		other := 1 + (account+rng.IntN(w.Accounts-1))%w.Accounts // not the same
		return w.promised(create(w.id(drill, seq), account, other, 1+rng.Int64N(maxAmount)))
	}
	switch {
	case kind >= 100-overdrawShare:
		other := 1 + (account+rng.IntN(w.Accounts-1))%w.Accounts
		return overdraw(w.id(drill, seq), account, other)
	case kind >= 100-overdrawShare-readAccountsShare:
		return w.readAccounts()
	case kind >= 100-overdrawShare-readAccountsShare-repeatShare:
		if op, ok := w.repeat(); ok {
			return op
		}
	}
	if op, ok := w.look(kind-refundShare-createShare, pick); ok {
		return op
	}
	if pick%5 == 0 {
		account = w.hot(account)
	}
	return readAccount(account)
}

// hot returns one of the accounts that are moved from more often than others, and
// whose balances are read.
func (w *Workload) hot(account int) int { return 1 + account%min(hotAccounts, w.Accounts) }

// look returns the read at a point of the shares that depends on what was done
// before, if there is one.
func (w *Workload) look(at int, pick uint64) (op loadgen.Operation, ok bool) {
	t, ok := w.recent(pick)
	switch {
	case !ok || at >= readTransferShare+readBalanceShare+readOwnShare:
		return op, false
	case at < readTransferShare:
		if id, unsure := w.doubtful(pick); unsure {
			return readDoubtful(id), true
		}
		return readTransfer(t), true
	case at < readTransferShare+readBalanceShare:
		return w.readBalance(int(pick % uint64(w.Accounts))), true //nolint:gosec // it is less than there are accounts
	}
	return w.readOwn(pick)
}

// Observe implements [loadgen.Workload].
func (w *Workload) Observe(op *loadgen.Operation, ok bool) {
	if !op.Write {
		return
	}
	if !ok {
		w.doubt(op.ID)
		return
	}
	a := acked{spent: op.Op == RefundTransfer}
	if !a.spent && json.Unmarshal(op.Body, &a.transfer) != nil {
		return // cannot be: it is this package that wrote it
	}
	a.ID = op.ID
	w.mu.Lock()
	defer w.mu.Unlock()
	w.latest = repeatable{*op, time.Now()}
	if len(w.acked) < recent {
		w.acked = append(w.acked, a)
		return
	}
	w.acked[w.next] = a
	w.next = (w.next + 1) % recent
}

// doubt remembers a transfer that was not acknowledged.
func (w *Workload) doubt(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.unsure) == keptUnsure {
		w.unsure = slices.Delete(w.unsure, 0, 1)
	}
	w.unsure = append(w.unsure, id)
}

// doubtful picks, one time out of four, one of the latest transfers that were not
// acknowledged.
func (w *Workload) doubtful(pick uint64) (id string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.unsure) == 0 || pick%4 != 0 {
		return "", false
	}
	return w.unsure[pick/4%uint64(len(w.unsure))], true
}

// recent picks one of the latest acknowledged transfers.
func (w *Workload) recent(pick uint64) (t transfer, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.acked) == 0 {
		return transfer{}, false
	}
	return w.acked[pick%uint64(len(w.acked))].transfer, true
}

// refundable picks one of the latest acknowledged transfers that was never
// picked here before.
func (w *Workload) refundable(pick uint64) (t transfer, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := uint64(len(w.acked))
	for i := range n {
		if a := &w.acked[(pick%n+i)%n]; !a.spent {
			a.spent = true
			return a.transfer, true
		}
	}
	return transfer{}, false
}

// IDRange returns the lowest and the highest id that a transfer of the drill
// can have. Everything between them belongs to the drill, whether or not it
// was ever attempted.
func (w *Workload) IDRange(drill int) (lo, hi string) {
	return w.id(drill, 0), w.id(drill, 1<<62-1)
}

// id makes the id of a transfer: nonce, version 8 and the drill, variant and
// the arrival's number.
func (w *Workload) id(drill int, seq uint64) string {
	var id uuid.UUID
	copy(id[:6], w.Nonce[:])
	binary.BigEndian.PutUint16(id[6:], 0x8000|uint16(drill&MaxDrills))
	binary.BigEndian.PutUint64(id[8:], 1<<63|seq&(1<<62-1))
	return id.String()
}

func create(id string, from, to int, amount int64) loadgen.Operation {
	want := transfer{ID: id, From: int64(from), To: int64(to), Amount: amount, Currency: "EUR"}
	body := make([]byte, 0, 80)
	body = strconv.AppendInt(append(body, `{"from":`...), want.From, 10)
	body = strconv.AppendInt(append(body, `,"to":`...), want.To, 10)
	body = strconv.AppendInt(append(body, `,"amount":`...), want.Amount, 10)
	body = append(body, `,"currency":"EUR"}`...)
	return write(CreateTransfer, "/v2/transfers/", want, body)
}

// refund gives back an amount of a transfer.
func refund(id string, of transfer, amount int64) loadgen.Operation {
	want := transfer{ID: id, From: of.To, To: of.From, Amount: amount, Currency: of.Currency, RefundOf: of.ID}
	body := make([]byte, 0, 80)
	body = append(append(body, `{"transfer":"`...), of.ID...)
	body = strconv.AppendInt(append(body, `","amount":`...), amount, 10)
	op := write(RefundTransfer, "/v2/refunds/", want, append(body, '}'))
	op.Of = of.ID
	return op
}

// write makes the operation that is to have the wanted transfer as its result.
func write(op, path string, want transfer, body []byte) loadgen.Operation {
	return loadgen.Operation{
		Op: op, Write: true, ID: want.ID, Key: accountKey(want.From), Amount: want.Amount,
		Method: http.MethodPut, Path: path + want.ID,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: body,
		Judge:  want.judgeWrite,
		Extras: loadgen.Extras{Peer: accountKey(want.To), Session: sessionOf(want.From)},
	}
}

func readTransfer(t transfer) loadgen.Operation {
	return loadgen.Operation{
		Op: ReadTransfer, Key: t.ID, Method: http.MethodGet, Path: "/v2/transfers/" + t.ID, Judge: t.judgeRead,
	}
}

func readAccount(account int) loadgen.Operation {
	id := accountID(account)
	return loadgen.Operation{
		Op: ReadAccount, Key: accountKey(int64(id)), Method: http.MethodGet, Path: "/v2/accounts/" + accountKey(int64(id)),
		Judge: id.judgeRead, Extras: loadgen.Extras{Saw: sawAccount},
	}
}
