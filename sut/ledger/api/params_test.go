package api

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/proofload/proofload/sut/ledger/domain"
)

func TestParseID(t *testing.T) {
	const valid = "6f1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01"
	for _, bad := range []string{"", "1", "{" + valid + "}", "urn:uuid:" + valid, "6f1f6d1e0c384bd49f5a5f1c3d9e0a01", valid + "0", "zf1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01"} {
		if got, err := parseID(bad); err == nil {
			t.Errorf("parseID(%q) = %s; want an error", bad, got)
		}
	}
	if got, err := parseID(strings.ToUpper(valid)); err != nil || got.String() != valid {
		t.Errorf("parseID(%q) = %s, %v; want the same", valid, got, err)
	}
}

// TestSorts holds the documented orders against those that lists offer.
func TestSorts(t *testing.T) {
	for input, sorts := range map[reflect.Type][]domain.SortKey{
		reflect.TypeFor[listCustomers]():  domain.CustomerSorts(),
		reflect.TypeFor[listAccounts]():   domain.AccountSorts(),
		reflect.TypeFor[listTransfers]():  domain.TransferSorts(),
		reflect.TypeFor[listStatements](): domain.StatementSorts(),
	} {
		var want []string
		for _, s := range sorts {
			want = append(want, string(s), "-"+string(s))
		}
		f, _ := input.FieldByName("Sort")
		if got := strings.Split(f.Tag.Get("enum"), ","); !slices.Equal(got, want) || f.Tag.Get("default") != want[0] {
			t.Errorf("%s: orders %q, default %q; want %q, the first", input, got, f.Tag.Get("default"), want)
		}
	}
}

func TestAccepts(t *testing.T) {
	tests := []struct {
		accept string
		want   bool
	}{
		{"", true},
		{"*/*", true},
		{"application/*", true},
		{"application/json", true},
		{"Application/JSON", true},
		{"application/json; q=0.1", true},
		{"text/html, application/json;q=0.5", true},
		{"application/json;charset=utf-8", true},
		{"text/html", false},
		{"application/problem+json", false},
		{"application/json;q=0", false},
		{"*/*;q=0", false},
		{"*/*, application/json;q=0", false},
		{"application/json;q=0, */*", false},
		{"*/*;q=0, application/json", true},
		{";,,;q", false},
		{"application/json;,b", true},
	}
	for _, tt := range tests {
		if got := accepts([]string{tt.accept}); got != tt.want {
			t.Errorf("accepts(%q) = %t; want %t", tt.accept, got, tt.want)
		}
	}
	if !accepts(nil) {
		t.Error("accepts nothing without a header; want JSON")
	}
	if !accepts([]string{"text/html", "application/json"}) {
		t.Error("accepts the first header only")
	}
}

func TestAcceptsGzip(t *testing.T) {
	tests := []struct {
		header string
		want   bool
	}{
		{"", false},
		{"gzip", true},
		{"br, gzip", true},
		{"gzip;q=0.5", true},
		{"gzip; q=0", false},
		{"gzip;q=0.000", false},
		{"*", true},
		{"br", false},
		{"gzip;q=x", false},
		{"xgzip", false},
	}
	for _, tt := range tests {
		if got := acceptsGzip([]string{tt.header}); got != tt.want {
			t.Errorf("acceptsGzip(%q) = %t; want %t", tt.header, got, tt.want)
		}
	}
}
