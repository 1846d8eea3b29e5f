package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/proofload/proofload/sut/ledger/domain"
)

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		newHandler(b, fake{})
	}
}

// The two requests that are most of the load, without what the ledger does.

func BenchmarkGetAccount(b *testing.B) {
	h := newHandler(b, fake{read: func(domain.Reading) (domain.Origin, error) { return domain.Origin{Source: domain.Cache}, nil }})
	benchmark(b, h, http.MethodGet, "/v2/accounts/1", "")
}

func BenchmarkPutTransfer(b *testing.B) {
	benchmark(b, newHandler(b, fake{place: placed(false)}), http.MethodPut, "/v2/transfers/"+transferID, body)
}

func benchmark(b *testing.B, h http.Handler, method, target, body string) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), method, target, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept-Encoding", "gzip")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= http.StatusMultipleChoices {
			b.Fatalf("status = %d", w.Code)
		}
	}
}
