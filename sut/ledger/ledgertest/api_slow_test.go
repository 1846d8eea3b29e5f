//go:build integration

package ledgertest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// dial connects to the site.
func (s *site) dial() *net.TCPConn {
	s.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(s.t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn) //nolint:forcetypeassert // it is one
}

// raw sends bytes and returns the answer as it came, until the site closes.
func (s *site) raw(request string) string {
	s.t.Helper()
	conn := s.dial()
	if _, err := io.WriteString(conn, request); err != nil {
		s.t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// slowSite is a process with short limits, and a place for one request.
func slowSite(t *testing.T) (s *site, accounts []int64) {
	t.Helper()
	s, _ = serveBooks(t, newBooks(t), map[string]string{
		"LEDGER_REQUEST_TIMEOUT": "1s", "LEDGER_CLIENT_TIMEOUT": "300ms", "LEDGER_MAX_IN_FLIGHT": "1",
	})
	accounts = s.accounts(200)
	return s, accounts
}

// wantServed checks that others have a place meanwhile.
func (s *site) wantServed(account int64) {
	s.t.Helper()
	wantStatus(s.t, s.read(fmt.Sprintf("/v2/accounts/%d", account)), http.StatusOK)
}

// TestAPISlowHead begins the head of a request and does not end it. There is no
// request to answer yet, so the connection is closed.
func TestAPISlowHead(t *testing.T) {
	s, a := slowSite(t)
	unchanged := s.wantUnchanged()
	for _, version := range []string{"/v1", "/v2"} {
		conn := s.dial()
		if _, err := fmt.Fprintf(conn, "PUT %s/transfers/%s HTTP/1.1\r\nHost: x\r\nX-Slow: a", version, uuid.NewString()); err != nil {
			t.Fatal(err)
		}
		s.wantServed(a[0])
		if text, err := io.ReadAll(conn); err != nil || len(text) != 0 {
			t.Errorf("%s: %q, %v; want the connection closed", version, text, err)
		}
	}
	unchanged()
}

// TestAPISlowBody begins a body and does not end it.
func TestAPISlowBody(t *testing.T) {
	s, a := slowSite(t)
	unchanged := s.wantUnchanged()
	body := transferBody(a[0], a[1], 1)
	for _, version := range []string{"/v1", "/v2"} {
		conn := s.dial()
		if _, err := fmt.Fprintf(conn, "PUT %s/transfers/%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			version, uuid.NewString(), len(body), body[:10]); err != nil {
			t.Fatal(err)
		}
		s.wantServed(a[0])
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.Body.Close() != nil || !answer.Close {
			t.Errorf("%s: %v, Connection: close %t; want an answer that ends the connection", version, err, answer.Close)
		}
		wantRefused(t, response{answer.StatusCode, answer.Header, string(text)}, http.StatusRequestTimeout, "body_timeout")
	}
	unchanged()
}

// TestAPISlowReader asks for more and more and reads none of it. Once the
// buffers between are full its request holds the one place there is, but not
// for longer than an answer may take; the connection ends in the middle of it.
func TestAPISlowReader(t *testing.T) {
	const requests = 1000
	s, a := slowSite(t)
	unchanged := s.wantUnchanged()
	page := s.read("/v2/accounts?limit=200")
	wantStatus(t, page, http.StatusOK)
	conn := s.dial()
	if err := conn.SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, strings.Repeat("GET /v2/accounts?limit=200 HTTP/1.1\r\nHost: x\r\n\r\n", requests)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it holds the place", func() bool {
		return s.read(fmt.Sprintf("/v2/accounts/%d", a[0])).status == http.StatusServiceUnavailable
	})
	eventually(t, "it holds the place no longer", func() bool {
		for range 5 { // it does not between two of its own requests either
			if s.read(fmt.Sprintf("/v2/accounts/%d", a[0])).status != http.StatusOK {
				return false
			}
		}
		return true
	})
	n, err := io.Copy(io.Discard, conn)
	if full := int64(requests * len(page.text)); n >= full {
		t.Errorf("%d bytes came, then %v; want fewer than the %d of all answers", n, err, full)
	}
	unchanged()
}
