// Package ledgerload is the load of the sample payments ledger, and the audit
// of its books after a drill.
//
// It knows the ledger only by its HTTP contract and its tables, and shares no
// types with it: a mistake in the service cannot hide by being made on both
// sides.
package ledgerload

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"

	"github.com/google/uuid"

	"github.com/proofload/proofload/loadgen"
)

// Name is the workload's name in scenario files.
const Name = "ledger/mixed"

// The operations.
const (
	ReadAccount    = "read-account"
	ReadTransfer   = "read-transfer"
	CreateTransfer = "create-transfer"
)

// The mix, in percent of operations; the rest are reads of accounts.
const (
	createShare       = 30
	readTransferShare = 25
)

const (
	// DefaultAccounts is how many accounts the ledger is seeded with.
	DefaultAccounts = 1000

	// MaxDrills is how many drills have ids of their own.
	MaxDrills = 1<<12 - 1

	// maxAmount bounds the amount of a transfer, in minor units. It is so
	// small beside the opening balances that no account runs dry.
	maxAmount = 10_000

	// recent is how many acknowledged transfers are remembered for reading.
	recent = 1024
)

// A Config describes the load.
type Config struct {
	Seed     uint64
	Accounts int     // accounts are 1 to this; zero is [DefaultAccounts]
	Nonce    [6]byte // tells the transfers of this run from those of others
}

// A Workload reads accounts (45 % of operations), reads transfers that were
// lately acknowledged (25 %) and makes transfers (30 %). As long as there is no
// transfer to read, it reads an account instead.
//
// Ids of transfers are UUIDs of version 8: 48 bits of the run's nonce, the
// number of the drill and that of the arrival. The same seed gives the same
// operations, except for which transfers are read.
type Workload struct {
	Config

	mu    sync.Mutex
	acked []string // a ring, once it has grown to recent
	next  int      // where in the ring the next one goes
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
func (w *Workload) Ops() []string { return []string{CreateTransfer, ReadAccount, ReadTransfer} }

// Next implements [loadgen.Workload].
func (w *Workload) Next(drill int, seq uint64) loadgen.Operation {
	rng := rand.New(rand.NewPCG(w.Seed^uint64(drill)<<48, seq)) //nolint:gosec // any bits will do
	kind, account, pick := rng.IntN(100), 1+rng.IntN(w.Accounts), rng.Uint64()
	if kind < createShare {
		other := 1 + (account+rng.IntN(w.Accounts-1))%w.Accounts // not the same
		return create(w.id(drill, seq), account, other, 1+rng.Int64N(maxAmount))
	}
	if kind < createShare+readTransferShare {
		if id, ok := w.recent(pick); ok {
			return readTransfer(id)
		}
	}
	return readAccount(account)
}

// Observe implements [loadgen.Workload].
func (w *Workload) Observe(op *loadgen.Operation, ok bool) {
	if !ok || !op.Write {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.acked) < recent {
		w.acked = append(w.acked, op.ID)
		return
	}
	w.acked[w.next] = op.ID
	w.next = (w.next + 1) % recent
}

// recent picks one of the latest acknowledged transfers.
func (w *Workload) recent(pick uint64) (id string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.acked) == 0 {
		return "", false
	}
	return w.acked[pick%uint64(len(w.acked))], true
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
	return loadgen.Operation{
		Op: CreateTransfer, Write: true, ID: id, Key: strconv.Itoa(from), Amount: amount,
		Method: http.MethodPut, Path: "/v1/transfers/" + id,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: body,
		Judge: want.judgeCreate,
	}
}

func readTransfer(id string) loadgen.Operation {
	return loadgen.Operation{
		Op: ReadTransfer, Key: id, Method: http.MethodGet, Path: "/v1/transfers/" + id,
		Judge: transfer{ID: id}.judgeRead,
	}
}

func readAccount(account int) loadgen.Operation {
	id := strconv.Itoa(account)
	return loadgen.Operation{
		Op: ReadAccount, Key: id, Method: http.MethodGet, Path: "/v1/accounts/" + id,
		Judge: accountID(account).judgeRead,
	}
}
