package jobs

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestDecodeTransfer(t *testing.T) {
	id := uuid.MustParse("6f1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01")
	tests := []struct {
		name, body string
		ok         bool
	}{
		{"event", `{"transfer_id":"` + id.String() + `","from":1,"to":2,"amount":5,"currency":"EUR","from_version":2,"to_version":3,"timeline":1}`, true},
		{"a field more", `{"transfer_id":"` + id.String() + `","fee":1}`, true},
		{"not JSON", `hello`, false},
		{"nothing", ``, false},
		{"no id", `{}`, false},
		{"id of another form", `{"transfer_id":17}`, false},
		{"negative timeline", `{"transfer_id":"` + id.String() + `","timeline":-1}`, false},
		{"negative version", `{"transfer_id":"` + id.String() + `","to_version":-1}`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := decodeTransfer([]byte(tt.body))
			if tt.ok != (err == nil) || !tt.ok && !errors.Is(err, errMalformed) {
				t.Fatalf("decodeTransfer(%s) = %v; want ok = %t", tt.body, err, tt.ok)
			}
			if tt.ok && (e.TransferID != id || e.Key != "transfer.accepted:"+id.String()) {
				t.Errorf("decodeTransfer(%s) = %+v; want transfer %s and the key of its event", tt.body, e, id)
			}
		})
	}
}

func TestDecodeStatement(t *testing.T) {
	id := uuid.MustParse("6f1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01")
	if got, err := decodeStatement([]byte(`{"statement_id":"` + id.String() + `"}`)); got != id || err != nil {
		t.Errorf("decodeStatement = %s, %v; want %s", got, err, id)
	}
	for _, bad := range []string{``, `{}`, `{"statement_id":"x"}`, `[]`} {
		if _, err := decodeStatement([]byte(bad)); !errors.Is(err, errMalformed) {
			t.Errorf("decodeStatement(%q) = %v; want %v", bad, err, errMalformed)
		}
	}
}

// TestDecoded sees that what is no event is refused alone.
func TestDecoded(t *testing.T) {
	errBad := errors.New("bad")
	decode := func(body []byte) (string, error) {
		if len(body) == 0 {
			return "", errMalformed
		}
		return string(body), nil
	}
	var seen []string
	effect := decoded(decode, func(_ context.Context, events []string) ([]error, error) {
		seen = events
		verdicts := make([]error, len(events))
		verdicts[len(events)-1] = errBad
		return verdicts, nil
	})
	verdicts, err := effect(t.Context(), [][]byte{{}, []byte("a"), {}, []byte("b")})
	if err != nil || len(verdicts) != 4 || !errors.Is(verdicts[0], errMalformed) || verdicts[1] != nil ||
		!errors.Is(verdicts[2], errMalformed) || !errors.Is(verdicts[3], errBad) {
		t.Errorf("verdicts = %v, %v; want malformed, nil, malformed, bad", verdicts, err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, seen); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	seen = nil
	if verdicts, err = effect(t.Context(), [][]byte{{}}); err != nil || len(verdicts) != 1 || seen != nil {
		t.Errorf("without any event: verdicts = %v, %v, effect on %v; want one verdict and no effect", verdicts, err, seen)
	}
}

func TestMissing(t *testing.T) {
	a, b := uuid.New(), uuid.New()
	verdicts := missing([]uuid.UUID{a, b}, []uuid.UUID{b})
	if verdicts[0] != nil || !isPoison(verdicts[1]) {
		t.Errorf("missing = %v; want the second alone", verdicts)
	}
}
