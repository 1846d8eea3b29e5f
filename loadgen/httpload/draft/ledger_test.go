package draft

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/loadgen/httpload"
	ledger "github.com/proofload/proofload/sut/ledger/api"
)

// TestLedger writes a workload from the document of the sample ledger as it
// serves it, in both formats.
func TestLedger(t *testing.T) {
	h, err := ledger.New(nil, ledger.Options{Instance: "api-1", RequestTimeout: time.Second, MaxInFlight: 1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var written [2]string
	for i, path := range []string{"/openapi.json", "/openapi.yaml"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		text, err := OpenAPI("openapi", w.Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		f := read(t, text)
		if !f.Counts() {
			t.Errorf("%s: no write is counted:\n%s", path, text)
		}
		for _, op := range []string{"place-transfer", "get-transfer", "get-account"} {
			if !slices.Contains(f.Ops(), op) {
				t.Errorf("%s: no %s among %q", path, op, f.Ops())
			}
		}
		written[i] = string(text)
		run, err := httpload.New(t.Context(), f, httpload.Config{Seed: 1, BaseURL: "http://localhost"})
		if err != nil {
			t.Fatal(err)
		}
		for seq := range uint64(100) {
			if op := run.Next(1, seq); op.Path == "" {
				t.Errorf("operation %d: %+v", seq, op)
			}
		}
		run.Close()
	}
	if written[0] != written[1] {
		t.Errorf("from JSON:\n%s\nfrom YAML:\n%s", written[0], written[1])
	}
	if want := "transfer: \"${recent.place-transfer}\""; !strings.Contains(written[0], want) {
		t.Errorf("a refund does not speak of a transfer that was made, %s:\n%s", want, written[0])
	}
}
