package ledgerload

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/proofload/proofload/loadgen"
)

// TestRepeat asks once more for what was acknowledged, which is no write, and
// only as long as no failover can have lost it.
func TestRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkload(t, 1)
		made := create("id-1", 1, 2, 250)
		w.Observe(&made, false)
		if op, ok := w.repeat(); ok {
			t.Errorf("%s of what was not acknowledged", op.Op)
		}
		w.Observe(&made, true)
		loadgen.Wait(t.Context(), repeatWithin)
		op, ok := w.repeat()
		if !ok || op.Op != RepeatTransfer || op.Write || op.ID != "" || op.Key != "id-1" || op.Amount != 0 || op.Peer != "" || op.Promise != "repeated" ||
			op.Method != made.Method || op.Path != made.Path || !bytes.Equal(op.Body, made.Body) {
			t.Errorf("repeat = %+v, %t; want the same request, not as a write", op, ok)
		}
		if made.Op != CreateTransfer || !made.Write || made.ID != "id-1" {
			t.Errorf("the first request became %+v", made)
		}
		same := `{"id":"id-1","from":1,"to":2,"amount":250,"currency":"EUR"}`
		for _, tt := range []struct {
			status int
			body   string
			want   loadgen.Answer
		}{
			{200, same, loadgen.Done},
			{201, same, loadgen.Broken}, // made once more
			{200, `{"id":"id-1","from":1,"to":2,"amount":500,"currency":"EUR"}`, loadgen.Broken},
			{409, same, loadgen.Broken},
			{503, "", loadgen.Broken},
		} {
			if got := op.Judge(tt.status, nil, []byte(tt.body)); got != tt.want {
				t.Errorf("Judge(%d, %s) = %d, want %d", tt.status, tt.body, got, tt.want)
			}
		}
		loadgen.Wait(t.Context(), 1)
		if op, ok := w.repeat(); ok {
			t.Errorf("%s after more than %s", op.Op, repeatWithin)
		}
	})
}
