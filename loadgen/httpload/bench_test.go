package httpload

import (
	"net/http"
	"testing"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
)

// BenchmarkOperation is what a workload file costs for each request beside
// sending it: making it, judging its answer and taking note of its end.
func BenchmarkOperation(b *testing.B) {
	for _, bench := range []struct{ name, file, body string }{
		{"plain", "requests: [{name: a, get: /orders}]", ""},
		{"template", `requests: [{name: a, set: {id: "${uuid}"}, put: "/orders/${id}", json: {sku: "A-${int(1, 99)}", n: "${seq}"}}]`, ""},
		{"ack", `requests: [{name: a, post: /orders, json: {n: 1}, expect: {json: {$.state: done}}, ack: {key: $.id, lookup: "/o/${key}"}}]`, `{"id": "o1", "state": "done"}`},
	} {
		b.Run(bench.name, func(b *testing.B) {
			w, err := New(b.Context(), parseText(b, bench.file), Config{BaseURL: "http://localhost", NoAudit: true})
			if err != nil {
				b.Fatal(err)
			}
			defer w.Close()
			b.ReportAllocs()
			for seq := uint64(0); b.Loop(); seq++ {
				op := w.Next(1, seq)
				if op.Judge(http.StatusOK, nil, []byte(bench.body)) != loadgen.Done {
					b.Fatal("the answer is not good")
				}
				op.Then(loadgen.End{Kind: history.OK, Status: http.StatusOK})
			}
		})
	}
}
