package ledgerload

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/proofload/proofload/loadgen"
)

// A transfer is one on the wire.
type transfer struct {
	ID       string `json:"id"`
	From     int64  `json:"from"`
	To       int64  `json:"to"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	RefundOf string `json:"refund_of"` // the transfer that a refund gives back; empty of others
}

// parse reads a transfer; ids are in lower case then.
func parse(body []byte) (t transfer, ok bool) {
	ok = json.Unmarshal(body, &t) == nil
	t.ID, t.RefundOf = strings.ToLower(t.ID), strings.ToLower(t.RefundOf)
	return t, ok
}

// judgeWrite takes an acceptance (201), or that of an identical earlier
// request (200), that repeats what was asked for. Malformed (400), unknown
// (404), already used for another transfer (409) and impossible (422) are
// definite refusals. Anything else may have happened.
//
// A refund is unknown, too, if what it refunds was acknowledged and then lost.
// That is a refusal like any other: the audit finds the loss itself.
func (t transfer) judgeWrite(status int, _ http.Header, body []byte) loadgen.Answer {
	switch status {
	case http.StatusCreated, http.StatusOK:
		got, ok := parse(body)
		return doneIf(ok && got == t)
	case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity:
		return loadgen.Refused
	}
	return loadgen.Broken
}

// judgeRead takes the transfer itself, as far as it is known here. It is only
// asked for once it was acknowledged, so that not to find it breaks the
// contract.
func (t transfer) judgeRead(status int, _ http.Header, body []byte) loadgen.Answer {
	got, ok := parse(body)
	if t.Amount == 0 {
		got = transfer{ID: got.ID}
	}
	return doneIf(status == http.StatusOK && ok && got == t)
}

// An accountID is the number of an account.
type accountID int64

// judgeRead takes the account itself; all accounts exist.
func (a accountID) judgeRead(status int, _ http.Header, body []byte) loadgen.Answer {
	var got struct {
		ID accountID `json:"id"`
	}
	return doneIf(status == http.StatusOK && json.Unmarshal(body, &got) == nil && got.ID == a)
}

func doneIf(ok bool) loadgen.Answer {
	if ok {
		return loadgen.Done
	}
	return loadgen.Broken
}
