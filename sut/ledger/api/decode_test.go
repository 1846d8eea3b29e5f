package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
)

// bodies returns an empty body of each kind.
func bodies() []strictBody {
	return []strictBody{
		new(newTransfer), new(newRefund), new(newAccount), new(accountChange), new(newCustomer), new(customerFields),
		new(customerChange), new(newStatement), new(newTransferV1),
	}
}

func TestDecode(t *testing.T) {
	const number = "must be an integer from 1 to 9223372036854775807"
	tests := []struct {
		name string
		body string
		want []string // what is wrong
	}{
		{"valid", `{"from":1,"to":2,"amount":250,"currency":"EUR"}`, nil},
		{"with reference", `{"from":1,"to":2,"amount":9223372036854775807,"currency":"EUR","reference":"Zürich 🎁"}`, nil},
		{"order and space", " {\n\"currency\":\"EUR\", \"amount\":250,\"to\":2,\"from\":1 }\n", nil},
		{"empty", ``, []string{"must be a JSON object"}},
		{"null", `null`, []string{"must be a JSON object"}},
		{"array", `[]`, []string{"must be a JSON object"}},
		{"not UTF-8", "{\"from\":\"\xff\"}", []string{"must be UTF-8"}},
		{"cut off", `{"from":1,"to":2,"amount":250,"currency":"EU`, []string{"is not valid JSON at byte 41"}},
		{"cut off in a key", `{"from":1,"t`, []string{"is not valid JSON at byte 10"}},
		{"not closed", `{"from":1,"to":2,"amount":250,"currency":"EUR"`, []string{"is not valid JSON at byte 46"}},
		{"two objects", `{"from":1,"to":2,"amount":250,"currency":"EUR"}{}`, []string{"goes on after the object"}},
		{"garbage after", `{"from":1,"to":2,"amount":250,"currency":"EUR"}x`, []string{"goes on after the object"}},
		{"missing amount", `{"from":1,"to":2,"currency":"EUR"}`, []string{"amount: is missing"}},
		{"unknown field", `{"from":1,"to":2,"amount":250,"currency":"EUR","fee":1}`, []string{"fee: is unknown"}},
		{"given twice", `{"from":1,"to":2,"amount":250,"amount":1,"currency":"EUR"}`, []string{"amount: is given twice"}},
		{"other case", `{"From":1,"to":2,"amount":250,"currency":"EUR"}`, []string{"From: is unknown", "from: is missing"}},
		{"null field", `{"from":null,"to":2,"amount":250,"currency":"EUR"}`, []string{"from: " + number}},
		{"text for a number", `{"from":"1","to":2,"amount":250,"currency":"EUR"}`, []string{"from: " + number}},
		{"zero", `{"from":1,"to":2,"amount":0,"currency":"EUR"}`, []string{"amount: " + number}},
		{"negative", `{"from":1,"to":2,"amount":-5,"currency":"EUR"}`, []string{"amount: " + number}},
		{"fraction", `{"from":1,"to":2,"amount":2.5,"currency":"EUR"}`, []string{"amount: " + number}},
		{"exponent", `{"from":1,"to":2,"amount":1e3,"currency":"EUR"}`, []string{"amount: " + number}},
		{"too large", `{"from":1,"to":2,"amount":9223372036854775808,"currency":"EUR"}`, []string{"amount: " + number}},
		{"small letters", `{"from":1,"to":2,"amount":250,"currency":"eur"}`, []string{`currency: must be three capital letters such as "EUR"`}},
		{"long currency", `{"from":1,"to":2,"amount":250,"currency":"EURO"}`, []string{`currency: must be three capital letters such as "EUR"`}},
		{"newline in currency", `{"from":1,"to":2,"amount":250,"currency":"EUR\n"}`, []string{`currency: must be three capital letters such as "EUR"`}},
		{"number for currency", `{"from":1,"to":2,"amount":250,"currency":978}`, []string{`currency: must be three capital letters such as "EUR"`}},
		{"NUL in text", `{"from":1,"to":2,"amount":250,"currency":"EUR","reference":"a\u0000"}`, []string{"reference: must be text of 0 to 140 characters without control characters"}},
		{"long text", `{"from":1,"to":2,"amount":250,"currency":"EUR","reference":"` + strings.Repeat("ä", 141) + `"}`, []string{"reference: must be text of 0 to 140 characters without control characters"}},
		{"several", `{"from":0,"to":{},"fee":[1]}`, []string{
			"from: " + number, "to: " + number, "fee: is unknown", "amount: is missing", "currency: is missing",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, err := range decode([]byte(tt.body), new(newTransfer).fields()) {
				got = append(got, err.Error())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("decode(%s) (-want +got):\n%s", tt.body, diff)
			}
		})
	}
}

func TestSetters(t *testing.T) {
	tests := []struct {
		body strictBody
		text string
		want string // the error
	}{
		{new(newCustomer), `{"name":"Ada","email":"a@b"}`, ""},
		{new(newCustomer), `{"name":"","email":"a@b"}`, "name: must be text of 1 to 200 characters without control characters"},
		{new(newCustomer), `{"name":"a\nb","email":"a@b"}`, "name: must be text of 1 to 200 characters without control characters"},
		{new(newCustomer), `{"name":"Ada","email":"@b.c"}`, "email: must be an email address of 3 to 254 characters"},
		{new(newCustomer), `{"name":"Ada","email":"ada@"}`, "email: must be an email address of 3 to 254 characters"},
		{new(newCustomer), `{"name":"Ada","email":"a b@c"}`, "email: must be an email address of 3 to 254 characters"},
		{new(newCustomer), `{"name":"Ada","email":"a@` + strings.Repeat("b", 253) + `"}`, "email: must be an email address of 3 to 254 characters"},
		{new(newCustomer), `{"name":"Ada","email":"a@b","status":"gone"}`, `status: must be one of ["active" "suspended"]`},
		{new(customerFields), `{"name":"Ada","email":"a@b"}`, "status: is missing"},
		{new(customerChange), `{}`, ""},
		{new(customerChange), `{"status":"suspended"}`, ""},
		{new(customerChange), `{"email":null}`, "email: must be an email address of 3 to 254 characters"},
		{new(accountChange), `{"status":"closed"}`, ""},
		{new(accountChange), `{}`, "status: is missing"},
		{new(newRefund), `{"transfer":"6f1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01","amount":1}`, ""},
		{new(newRefund), `{"transfer":"6f1f6d1e0c384bd49f5a5f1c3d9e0a01","amount":1}`, "transfer: must be a UUID such as 6f1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01"},
		{new(newStatement), `{"account":1,"from":"2026-01-02T03:04:05.123456789+01:00","to":"2026-02-01T00:00:00Z"}`, ""},
		{new(newStatement), `{"account":1,"from":"2026-02-30T00:00:00Z","to":"2026-03-01T00:00:00Z"}`, `from: must be a time such as "2026-01-02T15:04:05Z"`},
		{new(newStatement), `{"account":1,"from":1767322800,"to":"2026-03-01T00:00:00Z"}`, `from: must be a time such as "2026-01-02T15:04:05Z"`},
	}
	for _, tt := range tests {
		found := decode([]byte(tt.text), tt.body.fields())
		switch {
		case tt.want == "" && len(found) > 0:
			t.Errorf("decode(%s) = %v; want nothing wrong", tt.text, found)
		case tt.want != "" && (len(found) != 1 || found[0].Error() != tt.want):
			t.Errorf("decode(%s) = %v; want %s", tt.text, found, tt.want)
		}
	}
	var s newStatement
	if found := decode([]byte(tests[16].text), s.fields()); found != nil || s.From.String() != "2026-01-02 02:04:05.123456 +0000 UTC" {
		t.Errorf("from = %s, %v; want it in UTC and whole microseconds", s.From, found)
	}
}

// TestSchemas holds what the document says of bodies against what is read: the
// same fields, the same ones required, the examples accepted, and each rule
// enforced.
func TestSchemas(t *testing.T) {
	schemas := huma.NewMapRegistry("#/", huma.DefaultSchemaNamer)
	for _, b := range bodies() {
		kind := reflect.TypeOf(b).Elem()
		t.Run(kind.Name(), func(t *testing.T) {
			s := schemas.Schema(kind, false, "")
			var required, names []string
			for _, f := range b.fields() {
				names = append(names, f.name)
				if !f.optional {
					required = append(required, f.name)
				}
			}
			slices.Sort(names)
			if diff := cmp.Diff(slices.Sorted(maps.Keys(s.Properties)), names); diff != "" {
				t.Errorf("fields (-documented +read):\n%s", diff)
			}
			if diff := cmp.Diff(s.Required, required); diff != "" {
				t.Errorf("required fields (-documented +read):\n%s", diff)
			}
			e, ok := reflect.TypeAssert[exampler](reflect.Zero(kind))
			if !ok {
				t.Fatal("there is no example")
			}
			text, err := json.Marshal(e.example())
			if err != nil {
				t.Fatal(err)
			}
			if found := decode(text, b.fields()); found != nil {
				t.Errorf("example %s: %v", text, found)
			}
			for _, f := range b.fields() {
				wantEnforced(t, f, s.Properties[f.name])
			}
		})
	}
}

// wantEnforced checks that a field takes what its rules allow at their limits
// and nothing beyond.
func wantEnforced(t *testing.T, f field, s *huma.Schema) {
	t.Helper()
	type value struct {
		v  any
		ok bool
	}
	var values []value
	if s.Minimum != nil {
		values = append(values, value{json.Number(fmt.Sprint(*s.Minimum)), true}, value{json.Number(fmt.Sprint(*s.Minimum - 1)), false})
	}
	fill := "a"
	if f.name == "email" {
		fill = "@"
	}
	long := func(n int) string { return strings.Repeat("a", max(0, n/2)) + strings.Repeat(fill, n-n/2) }
	if f.name == "email" {
		long = func(n int) string { return "a@" + strings.Repeat("b", n-2) }
	}
	if s.MaxLength != nil {
		values = append(values, value{long(*s.MaxLength), true}, value{long(*s.MaxLength + 1), false})
	}
	if s.MinLength != nil {
		values = append(values, value{long(*s.MinLength), true}, value{long(*s.MinLength + 1)[2:], *s.MinLength <= 1 && f.name != "name"})
	}
	for _, e := range s.Enum {
		values = append(values, value{fmt.Sprint(e), true}, value{fmt.Sprint(e) + "x", false})
	}
	if s.Pattern != "" {
		values = append(values, value{"EUR", true}, value{"EU", false}, value{"eur", false}, value{"EURO", false})
	}
	if s.Format == "uuid" || s.Format == "date-time" {
		values = append(values, value{"", false}, value{"x", false})
	}
	if len(values) == 0 {
		t.Errorf("%s has no rules", f.name)
	}
	for _, v := range values {
		if err := f.set(v.v); (err == nil) != v.ok {
			t.Errorf("%s = %q: %v; want accepted = %t", f.name, v.v, err, v.ok)
		}
	}
}

// FuzzBodies checks for bodies of every kind that whatever is accepted keeps
// the documented rules and survives being written and read again.
func FuzzBodies(f *testing.F) {
	for i, b := range bodies() {
		if e, ok := reflect.TypeAssert[exampler](reflect.ValueOf(b).Elem()); ok {
			text, err := json.Marshal(e.example())
			if err != nil {
				f.Fatal(err)
			}
			f.Add(byte(i), string(text))
		}
	}
	f.Add(byte(0), `{"from":1,"from":2,"amount":9223372036854775807,"currency":"EUR"}`)
	f.Add(byte(0), `{"from":1e0,"to":[{}],"amount":null}`)
	f.Add(byte(0), `{"\u0066rom":1,"to":2,"amount":1,"currency":"\u0045UR","reference":"\ud800"} `)
	f.Add(byte(4), `{"name":"\u0000","email":"a@b"}`)
	f.Add(byte(7), `{"account":1,"from":"0000-01-01T00:00:00Z","to":"9999-12-31T23:59:60Z"}`)
	schemas := huma.NewMapRegistry("#/", huma.DefaultSchemaNamer)
	f.Fuzz(func(t *testing.T, kind byte, text string) {
		i := int(kind) % len(bodies())
		b := bodies()[i]
		if found := decode([]byte(text), b.fields()); found != nil {
			for _, err := range found {
				if e, ok := errors.AsType[*fieldError](err); !ok || e.detail == "" {
					t.Fatalf("decode(%q) = %v; want field errors", text, err)
				}
			}
			return
		}
		written, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		var parsed any
		if err := json.Unmarshal(written, &parsed); err != nil {
			t.Fatal(err)
		}
		var result huma.ValidateResult
		s := schemas.Schema(reflect.TypeOf(b).Elem(), false, "")
		huma.Validate(schemas, s, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, parsed, &result)
		if len(result.Errors) > 0 {
			t.Fatalf("decode(%q) accepted what the document does not allow: %v", text, result.Errors)
		}
		again := bodies()[i]
		if found := decode(written, again.fields()); found != nil || !reflect.DeepEqual(again, b) {
			t.Fatalf("%q was read as %s and that as %+v, %v", text, written, again, found)
		}
	})
}
