package ledgerload

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
)

// What answers say of where they come from.
const (
	sourceHeader   = "Ledger-Source"
	positionHeader = "Ledger-Position"
)

func accountKey(account int64) string { return strconv.FormatInt(account, 10) }

// sessionOf names the customer that an account belongs to.
func sessionOf(account int64) string { return "customer-" + accountKey(account%customers) }

// promised has a write remember the position that its customer is given with the
// acceptance.
func (w *Workload) promised(op loadgen.Operation) loadgen.Operation {
	judge := op.Judge
	op.Judge = func(status int, header http.Header, body []byte) loadgen.Answer {
		answer := judge(status, header, body)
		if position := header.Get(positionHeader); answer == loadgen.Done && position != "" {
			t, _ := parse(body) // it was judged
			w.mu.Lock()
			defer w.mu.Unlock()
			w.visited[t.From%customers] = own{t, position}
		}
		return answer
	}
	return op
}

// readOwn has a customer read from a replica what it has done last: by turns the
// transfer, and the account.
func (w *Workload) readOwn(pick uint64) (op loadgen.Operation, ok bool) {
	w.mu.Lock()
	mine := w.visited[pick%customers]
	w.mu.Unlock()
	if mine.position == "" {
		return op, false
	}
	if pick/customers%2 == 0 {
		op = readTransfer(mine.transfer)
	} else {
		op = readAccount(int(mine.From))
	}
	op.Op, op.Session = ReadOwn, sessionOf(mine.From)
	op.Path += "?consistency=replica"
	op.Header = http.Header{positionHeader: {mine.position}}
	return op, true
}

// readBalance reads one of the hot accounts from the primary.
func (w *Workload) readBalance(account int) loadgen.Operation {
	op := readAccount(w.hot(account))
	op.Op, op.Promise = ReadBalance, history.PromiseStrong
	op.Path += "?consistency=strong"
	return op
}

// readAccounts reads the hot accounts from a replica, in one answer.
func (w *Workload) readAccounts() loadgen.Operation {
	n := min(hotAccounts, w.Accounts)
	return loadgen.Operation{
		Op: ReadAccounts, Method: http.MethodGet, Path: fmt.Sprintf("/v2/accounts?limit=%d&consistency=replica", n),
		Judge: func(status int, _ http.Header, body []byte) loadgen.Answer {
			return doneIf(status == http.StatusOK && len(accountsIn(body)) == n)
		},
		Extras: loadgen.Extras{Saw: sawAccounts},
	}
}

// overdraw asks for a transfer of more than the account has. It is no write, for
// it has to be refused; one that is accepted is in the books, where the audit
// finds what nobody asked for.
func overdraw(id string, from, to int) loadgen.Operation {
	op := create(id, from, to, tooMuch)
	op.Op, op.Write, op.ID, op.Key, op.Amount = Overdraw, false, "", "", 0
	op.Extras = loadgen.Extras{Promise: history.PromiseRefused}
	op.Judge = func(status int, _ http.Header, _ []byte) loadgen.Answer {
		return doneIf(status == http.StatusUnprocessableEntity)
	}
	return op
}

// accountsIn returns the accounts of a page.
func accountsIn(body []byte) []versioned {
	var page struct{ Items []versioned }
	if json.Unmarshal(body, &page) != nil {
		return nil
	}
	return page.Items
}

// versioned is what a page says of an account.
type versioned struct{ ID, Version int64 }

// sawAccounts says which versions of accounts an answer shows at one moment.
func sawAccounts(header http.Header, body []byte) loadgen.Sight {
	saw := loadgen.Sight{Source: header.Get(sourceHeader)}
	for _, a := range accountsIn(body) {
		saw.Several = history.AppendSaw(saw.Several, accountKey(a.ID), a.Version)
	}
	return saw
}

// readDoubtful asks for a transfer whose outcome its client was not told.
func readDoubtful(id string) loadgen.Operation {
	op := readTransfer(transfer{ID: id})
	found := op.Judge
	op.Judge = func(status int, header http.Header, body []byte) loadgen.Answer {
		if status == http.StatusNotFound {
			return loadgen.Done
		}
		return found(status, header, body)
	}
	return op
}

// sawAccount says which version of an account an answer shows.
func sawAccount(header http.Header, body []byte) loadgen.Sight {
	var a struct {
		Balance, Version int64
	}
	if json.Unmarshal(body, &a) != nil {
		return loadgen.Sight{} // cannot be: the answer was judged
	}
	return loadgen.Sight{Source: header.Get(sourceHeader), Version: a.Version, Balance: a.Balance}
}
