package httpload

import (
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
)

// TestWritesOfEarlierDrills are looked up again after the last drill: one that is
// gone by then is not found, and that all were asked for is recorded only if they
// were.
func TestWritesOfEarlierDrills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := New(t.Context(), parseText(t, `
requests:
  - {name: make, set: {id: "${drill}-${seq}"}, put: "/orders/${id}", ack: {key: "${id}", lookup: {get: "/orders/${key}", within: 1s}}}
`), Config{BaseURL: "http://localhost"})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		gone, down := "", ""
		w.client = &http.Client{Transport: transport(func(r *http.Request) int {
			switch r.URL.Path {
			case gone:
				return http.StatusNotFound
			case down:
				return http.StatusServiceUnavailable
			}
			return http.StatusOK
		})}
		rec, err := history.NewRecorder(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		defer rec.Close()
		drill := func(n int, earlier bool) (seen []string, err error) {
			remove := rec.Tap(func(e *history.Event) { seen = append(seen, string(e.Kind)+" "+e.Op+" "+e.ID) })
			defer remove()
			for seq := range uint64(2) {
				op := w.Next(n, seq)
				op.Then(loadgen.End{Kind: history.OK, Status: http.StatusCreated})
			}
			err = w.Audit(t.Context(), AuditConfig{Drill: n, Earlier: earlier, Recorder: rec, Within: 5 * time.Second})
			slices.Sort(seen)
			return seen, err
		}
		for _, tt := range []struct {
			name       string
			n          int
			earlier    bool
			gone, down string
			want       []string
			fails      bool
		}{
			{name: "first", n: 1, want: []string{"info write 1-0", "info write 1-1"}},
			{name: "not asked for", n: 2, gone: "/orders/1-0", want: []string{"info write 2-0", "info write 2-1"}},
			{
				name: "gone", n: 3, earlier: true, gone: "/orders/1-0",
				want: []string{"fail write 1-0", "info earlier ", "info write 1-1", "info write 2-0", "info write 2-1", "info write 3-0", "info write 3-1"},
			},
			{
				name: "not answered", n: 4, earlier: true, down: "/orders/2-1", fails: true,
				want: []string{"fail earlier ", "info write 1-0", "info write 1-1", "info write 2-0", "info write 3-0", "info write 3-1", "info write 4-0", "info write 4-1"},
			},
		} {
			gone, down = tt.gone, tt.down
			seen, err := drill(tt.n, tt.earlier)
			if diff := cmp.Diff(tt.want, seen); diff != "" || (err != nil) != tt.fails {
				t.Errorf("%s: %v; recorded (-want +got):\n%s", tt.name, err, diff)
			}
		}
	})
}
