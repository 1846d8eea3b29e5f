package api

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/sut/ledger/domain"
)

func TestDecodeTransfer(t *testing.T) {
	valid := domain.Transfer{From: 1, To: 2, Amount: 250, Currency: "EUR"}
	tests := []struct {
		name string
		body string
		want string // what is wrong, "" for nothing
	}{
		{"valid", `{"from":1,"to":2,"amount":250,"currency":"EUR"}`, ""},
		{"order and space", " {\n\"currency\":\"EUR\", \"amount\":250,\"to\":2,\"from\":1 }\n", ""},
		{"empty", ``, "the body must be a JSON object"},
		{"null", `null`, "the body must be a JSON object"},
		{"array", `[]`, "the body must be a JSON object"},
		{"cut off", `{"from":1,"to":2,"amount":250,"currency":"EU`, "the body is not valid JSON at byte 41"},
		{"cut off in a key", `{"from":1,"t`, "the body is not valid JSON at byte 10"},
		{"not closed", `{"from":1,"to":2,"amount":250,"currency":"EUR"`, "the body is not valid JSON at byte 46"},
		{"two objects", `{"from":1,"to":2,"amount":250,"currency":"EUR"}{}`, "the body goes on after the object"},
		{"garbage after", `{"from":1,"to":2,"amount":250,"currency":"EUR"}x`, "the body goes on after the object"},
		{"missing amount", `{"from":1,"to":2,"currency":"EUR"}`, `field "amount" is missing`},
		{"unknown field", `{"from":1,"to":2,"amount":250,"currency":"EUR","fee":1}`, `field "fee" is unknown or given twice`},
		{"given twice", `{"from":1,"to":2,"amount":250,"amount":1,"currency":"EUR"}`, `field "amount" is unknown or given twice`},
		{"other case", `{"From":1,"to":2,"amount":250,"currency":"EUR"}`, `field "From" is unknown or given twice`},
		{"null field", `{"from":null,"to":2,"amount":250,"currency":"EUR"}`, `field "from" must be an integer from 1 to 9223372036854775807`},
		{"text for a number", `{"from":"1","to":2,"amount":250,"currency":"EUR"}`, `field "from" must be an integer from 1 to 9223372036854775807`},
		{"zero", `{"from":1,"to":2,"amount":0,"currency":"EUR"}`, `field "amount" must be an integer from 1 to 9223372036854775807`},
		{"negative", `{"from":1,"to":2,"amount":-5,"currency":"EUR"}`, `field "amount" must be an integer from 1 to 9223372036854775807`},
		{"fraction", `{"from":1,"to":2,"amount":2.5,"currency":"EUR"}`, `field "amount" must be an integer from 1 to 9223372036854775807`},
		{"exponent", `{"from":1,"to":2,"amount":1e3,"currency":"EUR"}`, `field "amount" must be an integer from 1 to 9223372036854775807`},
		{"too large", `{"from":1,"to":2,"amount":9223372036854775808,"currency":"EUR"}`, `field "amount" must be an integer from 1 to 9223372036854775807`},
		{"small letters", `{"from":1,"to":2,"amount":250,"currency":"eur"}`, `field "currency" must be three capital letters such as "EUR"`},
		{"long currency", `{"from":1,"to":2,"amount":250,"currency":"EURO"}`, `field "currency" must be three capital letters such as "EUR"`},
		{"newline in currency", `{"from":1,"to":2,"amount":250,"currency":"EUR\n"}`, `field "currency" must be three capital letters such as "EUR"`},
		{"number for currency", `{"from":1,"to":2,"amount":250,"currency":978}`, `field "currency" must be three capital letters such as "EUR"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decodeTransfer([]byte(tt.body))
			if tt.want == "" {
				if err != nil {
					t.Fatalf("decodeTransfer(%s) = %v; want no error", tt.body, err)
				}
				if diff := cmp.Diff(valid, got); diff != "" {
					t.Errorf("decodeTransfer(%s) (-want +got):\n%s", tt.body, diff)
				}
				return
			}
			if _, ok := errors.AsType[malformedError](err); !ok || err.Error() != tt.want {
				t.Errorf("decodeTransfer(%s) = %v; want %q", tt.body, err, tt.want)
			}
		})
	}
}

// FuzzDecodeTransfer checks that whatever is accepted is within the rules and
// survives being written and read again, and that whatever is refused is
// refused as malformed.
func FuzzDecodeTransfer(f *testing.F) {
	f.Add(`{"from":1,"to":2,"amount":250,"currency":"EUR"}`)
	f.Add(`{"from":1,"from":2,"amount":9223372036854775807,"currency":"EUR"}`)
	f.Add(`{"from":1e0,"to":[{}],"amount":null}`)
	f.Add(`{"\u0066rom":1,"to":2,"amount":1,"currency":"\u0045UR"} `)
	f.Fuzz(func(t *testing.T, body string) {
		got, err := decodeTransfer([]byte(body))
		if err != nil {
			if _, ok := errors.AsType[malformedError](err); !ok {
				t.Fatalf("decodeTransfer(%q) = %v; want a malformedError", body, err)
			}
			return
		}
		if got.From < 1 || got.To < 1 || got.Amount < 1 || !currencyPattern.MatchString(got.Currency) {
			t.Fatalf("decodeTransfer(%q) = %+v; out of bounds", body, got)
		}
		written := fmt.Sprintf(`{"from":%d,"to":%d,"amount":%d,"currency":%q}`, got.From, got.To, got.Amount, got.Currency)
		again, err := decodeTransfer([]byte(written))
		if err != nil || again != got {
			t.Fatalf("decodeTransfer(%s) = %+v, %v; want %+v", written, again, err, got)
		}
	})
}

func TestParse(t *testing.T) {
	const id = "6f1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01"
	for _, bad := range []string{"", "1", "{" + id + "}", "urn:uuid:" + id, "6f1f6d1e0c384bd49f5a5f1c3d9e0a01", id + "0", "zf1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01"} {
		if got, err := parseID(bad); err == nil {
			t.Errorf("parseID(%q) = %s; want an error", bad, got)
		}
	}
	if got, err := parseID(id); err != nil || got.String() != id {
		t.Errorf("parseID(%q) = %s, %v; want the same", id, got, err)
	}
	for _, bad := range []string{"", "0", "-1", "1.0", "x", "9223372036854775808"} {
		if got, err := parseAccount(bad); err == nil {
			t.Errorf("parseAccount(%q) = %d; want an error", bad, got)
		}
	}
	if _, err := parseConsistency("eventual"); err == nil {
		t.Error(`parseConsistency("eventual") = nil error; want one`)
	}
}
