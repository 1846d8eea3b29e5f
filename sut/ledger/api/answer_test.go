package api_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/api"
	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/obs"
	"github.com/proofload/proofload/sut/ledger/payments"
)

func TestCompression(t *testing.T) {
	items := 0
	h := newHandler(t, fake{
		list: func(domain.Page) (payments.List[domain.Transfer], error) {
			return payments.List[domain.Transfer]{Items: make([]domain.Transfer, items)}, nil
		},
		read: func(domain.Reading) (domain.Origin, error) { return domain.Origin{}, nil },
	})
	tests := []struct {
		path, accept   string
		items          int
		encoding, vary string
	}{
		{"/v2/transfers", "gzip", 100, "gzip", "Accept-Encoding"},
		{"/v2/transfers", "br;q=1, gzip;q=0.5", 100, "gzip", "Accept-Encoding"},
		{"/v2/transfers", "", 100, "", "Accept-Encoding"},
		{"/v2/transfers", "gzip;q=0", 100, "", "Accept-Encoding"},
		{"/v2/transfers", "gzip", 1, "", ""},
		{"/v2/accounts/1", "gzip", 0, "", ""},
		{"/v2/nothing", "gzip", 0, "", ""},
		{"/docs", "gzip", 0, "gzip", "Accept-Encoding"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.path, tt.accept, tt.items), func(t *testing.T) {
			items = tt.items
			w := do(t, h, http.MethodGet, tt.path, "", "Accept-Encoding", tt.accept)
			wantHeaders(t, w, map[string]string{"Content-Encoding": tt.encoding, "Vary": tt.vary})
			if tt.encoding == "" {
				return
			}
			plain := do(t, h, http.MethodGet, tt.path, "").Body.String()
			size := w.Body.Len()
			unzip, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(unzip)
			if err != nil || string(got) != plain {
				t.Errorf("%d bytes, %v; want the %d bytes of the plain answer", len(got), err, len(plain))
			}
			if size >= len(plain)/2 {
				t.Errorf("%d bytes were compressed to %d", len(plain), size)
			}
		})
	}
}

// TestSlowClients has clients that begin a body and do not end it. They are
// answered in time, and hold no place meanwhile.
func TestSlowClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := &pipes{accepted: make(chan net.Conn)}
		srv := &http.Server{Handler: newHandler(t, fake{place: placed(false)}), ReadHeaderTimeout: time.Minute}
		go func() { _ = srv.Serve(ln) }()
		defer srv.Close()
		began := time.Now()
		slow := make([]net.Conn, 5)
		for i := range slow {
			slow[i] = ln.dial()
			fmt.Fprintf(slow[i], "PUT /v2/transfers/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n{", transferID, len(body))
		}
		synctest.Wait()
		quick := ln.dial()
		fmt.Fprintf(quick, "PUT /v2/transfers/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", transferID, len(body), body)
		if status, text, _ := answerOn(t, quick); status != http.StatusCreated {
			t.Errorf("quick client = %d %s; want 201", status, text)
		}
		quick.Close()
		for _, conn := range slow {
			status, text, end := answerOn(t, conn)
			var p report
			if err := json.Unmarshal([]byte(text), &p); err != nil {
				t.Fatal(err)
			}
			if status != http.StatusRequestTimeout || p.Code != "body_timeout" || !end {
				t.Errorf("slow client = %d %+v, close %t; want 408 body_timeout and the end", status, p, end)
			}
			conn.Close()
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("slow clients were answered after %s; want 3s", took)
		}
	})
}

// TestMetrics expects one series for each route, whatever the ids are, and one
// for all that has no route.
func TestMetrics(t *testing.T) {
	telemetry, err := obs.NewTelemetry(t.Context(), obs.TelemetryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h := newHandler(t, fake{
		place: placed(false), read: func(domain.Reading) (domain.Origin, error) { return domain.Origin{}, nil },
	}, func(o *api.Options) { o.Telemetry = telemetry })
	for id := range 3 {
		do(t, h, http.MethodGet, fmt.Sprintf("/v2/accounts/%d", 1+id), "")
		do(t, h, http.MethodGet, fmt.Sprintf("/v1/accounts/%d", 1+id), "")
		do(t, h, http.MethodPut, "/v2/transfers/"+uuid.NewString(), body)
		do(t, h, http.MethodGet, fmt.Sprintf("/nowhere/%d", id), "")
		do(t, h, http.MethodDelete, "/v2/transfers/"+uuid.NewString(), "")
	}
	do(t, h, http.MethodPut, "/v2/transfers/"+uuid.NewString(), "{}")
	w := httptest.NewRecorder()
	telemetry.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	var got []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "ledger_http_requests_total{") {
			got = append(got, strings.TrimSpace(strings.TrimPrefix(line, "ledger_http_requests_total")))
		}
	}
	want := []string{
		`{method="DELETE",route="unmatched",status="405"} 3`,
		`{method="GET",route="/v1/accounts/{id}",status="200"} 3`,
		`{method="GET",route="/v2/accounts/{id}",status="200"} 3`,
		`{method="GET",route="unmatched",status="404"} 3`,
		`{method="PUT",route="/v2/transfers/{id}",status="201"} 3`,
		`{method="PUT",route="/v2/transfers/{id}",status="422"} 1`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
}

// TestCutOff has a client that ends the connection in the middle of a body.
func TestCutOff(t *testing.T) {
	h := newHandler(t, fake{})
	w := doReader(t, h, io.MultiReader(strings.NewReader("{"), broken{}))
	wantProblem(t, w, 400, "malformed")
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// pipes is a listener without a network.
type pipes struct{ accepted chan net.Conn }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.accepted <- server
	return client
}

func (p *pipes) Accept() (net.Conn, error) {
	conn, ok := <-p.accepted
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p *pipes) Close() error {
	close(p.accepted)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

func answerOn(t *testing.T, conn net.Conn) (status int, text string, end bool) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Close
}

// FuzzRequest sends whatever there is and expects an answer that is no failure:
// what the ledger refuses is a problem document.
func FuzzRequest(f *testing.F) {
	ok := domain.Origin{Source: domain.Primary}
	h := newHandler(f, fake{
		place: placed(false),
		read:  func(domain.Reading) (domain.Origin, error) { return ok, nil },
		list: func(domain.Page) (payments.List[domain.Transfer], error) {
			return payments.List[domain.Transfer]{}, nil
		},
		refund: func(r domain.Refund) (payments.Written[domain.Transfer], error) {
			return payments.Written[domain.Transfer]{Value: domain.Transfer{ID: r.ID, RefundOf: r.Of}}, nil
		},
		customer: func(domain.Versions, domain.CustomerChange) (payments.Written[domain.Customer], error) {
			return payments.Written[domain.Customer]{}, nil
		},
	})
	f.Add(byte(0), transferID, "", body, `"3"`, "application/json;,b")
	f.Add(byte(1), "1", "consistency=replica", "", `W/"3", *`, "*/*;q=0.1")
	f.Add(byte(2), "", "limit=1&sort=-amount&cursor=AXQzLQ&created_from=2026-01-02T15%3A04%3A05Z", "", "*", "")
	f.Add(byte(3), transferID, "x=%zz", `{"transfer":"`+transferID+`","amount":1}`, "3", "text/html")
	f.Add(byte(4), "7", "", `{"name":"a","status":null}`, `"9223372036854775808"`, "application/*")
	f.Fuzz(func(t *testing.T, which byte, id, query, body, tag, accept string) {
		op := [][2]string{
			{http.MethodPut, "/v2/transfers/"},
			{http.MethodGet, "/v2/accounts/"},
			{http.MethodGet, "/v2/transfers"},
			{http.MethodPut, "/v2/refunds/"},
			{http.MethodPatch, "/v2/customers/"},
		}[which%5]
		r, err := http.NewRequestWithContext(t.Context(), op[0], "/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Path, r.URL.RawQuery = op[1], query
		if op[1] != "/v2/transfers" {
			r.URL.Path += id
		}
		r.Header.Set("If-Match", tag)
		r.Header.Set("If-None-Match", tag)
		r.Header.Set("Ledger-Position", tag)
		r.Header.Set("Accept", accept)
		w := serve(h, r)
		if w.Code >= 500 {
			t.Fatalf("%s %s = %d %s", r.Method, r.URL, w.Code, w.Body)
		}
		if ct := w.Header().Get("Content-Type"); w.Code >= 400 && ct != "application/problem+json" {
			t.Fatalf("%s %s = %d %s", r.Method, r.URL, w.Code, ct)
		}
	})
}

func TestUUIDsAreCanonical(t *testing.T) {
	h := newHandler(t, fake{place: placed(false)})
	w := do(t, h, http.MethodPut, "/v2/transfers/"+strings.ToUpper(transferID), body)
	if w.Code != 201 || !strings.Contains(w.Body.String(), uuid.MustParse(transferID).String()) {
		t.Errorf("PUT with capital letters = %d %s; want 201 with small ones", w.Code, w.Body)
	}
}
