package httpload

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOnce goes through every journey once, makers first.
func TestOnce(t *testing.T) {
	w := workload(t, parseText(t, `
requests:
  - {name: refund, post: "/refunds/${recent.pay}"}
  - {name: pay, post: "/pay/${recent.open}", ack: {key: $.id}}
  - {name: visit, steps: [{name: open, post: /carts, ack: {key: $.id}}, {name: look, get: "/carts/${recent.open}"}]}
  - {name: home, get: /}
`), 1)
	o := w.Once()
	var got []string
	for n := 1; n <= o.Len(); n++ {
		got = append(got, o.Steps(n)...)
		op := o.Next(n, 0)
		got = append(got, op.Path)
		reply(&op, 201, nil, `{"id": "k"}`)
	}
	want := []string{"open", "look", "/carts", "pay", "/pay/k", "refund", "/refunds/k", "home", "/"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps and the first path of each journey (-want +got):\n%s", diff)
	}
}
