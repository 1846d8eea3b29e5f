package ledgerload

import (
	"net/http"
	"time"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
)

// repeatWithin is how old an acknowledged transfer may be to be asked for once
// more. No failover is that quick, so that a transfer which one has lost is not
// made anew before it is missed.
const repeatWithin = 500 * time.Millisecond

// A repeatable is the latest write that was acknowledged.
type repeatable struct {
	loadgen.Operation

	at time.Time // when that was seen
}

// repeat asks once more for what was acknowledged just now, as a client does
// whose answer got lost. It is no write, for it must change nothing: what takes
// effect twice is in the books, where the audit finds it. The answer has to be
// that of a request that came before (200), with the same transfer.
func (w *Workload) repeat() (op loadgen.Operation, ok bool) {
	w.mu.Lock()
	latest := w.latest
	w.mu.Unlock()
	if latest.ID == "" || time.Since(latest.at) > repeatWithin {
		return op, false
	}
	op = latest.Operation
	judge := op.Judge
	op.Op, op.Write, op.Key = RepeatTransfer, false, op.ID
	op.ID, op.Of, op.Amount, op.Extras = "", "", 0, loadgen.Extras{Promise: history.PromiseRepeated}
	op.Judge = func(status int, header http.Header, body []byte) loadgen.Answer {
		return doneIf(status == http.StatusOK && judge(status, header, body) == loadgen.Done)
	}
	return op, true
}
