//go:build integration

package stack

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// testReadYourWrites changes an account again and again, and reads each change
// at once from wherever a replica may answer, by its position. The standbys are
// behind by a moment all the time; no answer may be.
func testReadYourWrites(t *testing.T, s *Stack) {
	t.Helper()
	const writes = 60
	api, _ := s.Endpoint("api")
	read := func(query string, header http.Header) (balance int64, source string) {
		t.Helper()
		body, answered := ask(t, http.MethodGet, api+"/v2/accounts/1?"+query, "", header)
		var account struct {
			Balance *int64 `json:"balance"`
		}
		if err := json.Unmarshal(body, &account); err != nil || account.Balance == nil {
			t.Fatalf("account: %v in %s", err, body)
		}
		return *account.Balance, answered.Get("Ledger-Source")
	}
	want, _ := read("consistency=strong", nil)
	sources := map[string]int{}
	for range writes {
		_, written := ask(t, http.MethodPut, api+"/v2/transfers/"+uuid.NewString(), `{"from":1,"to":2,"amount":1,"currency":"EUR"}`,
			http.Header{"Content-Type": {"application/json"}})
		want--
		balance, source := read("consistency=replica", http.Header{"Ledger-Position": {written.Get("Ledger-Position")}})
		sources[source]++
		if balance != want {
			t.Errorf("at %s the %s says %d; want %d", written.Get("Ledger-Position"), source, balance, want)
		}
	}
	t.Logf("answered by: %v", sources)
	if sources["replica"] == 0 {
		t.Errorf("no replica answered any of %d reads: %v", writes, sources)
	}
}

// ask sends a request and returns a good answer.
func ask(t *testing.T, method, url, body string, header http.Header) ([]byte, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= http.StatusBadRequest {
		t.Fatalf("%s %s: %s, %v: %s", method, url, resp.Status, err, answer)
	}
	return answer, resp.Header
}
