package api

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// places returns every list in every order.
func places() []place {
	var all []place
	for kind, sorts := range map[listKind][]domain.SortKey{
		customerList: domain.CustomerSorts(), accountList: domain.AccountSorts(),
		transferList: domain.TransferSorts(), statementList: domain.StatementSorts(), notificationList: domain.NotificationSorts(),
	} {
		for _, sort := range sorts {
			all = append(all, place{kind, sort, false}, place{kind, sort, true})
		}
	}
	return all
}

// cursorAt returns a cursor that is possible at the place.
func cursorAt(p place) domain.Cursor {
	c := domain.Cursor{ID: "6f1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01"}
	if p.kind == customerList || p.kind == accountList || p.kind == notificationList {
		c.ID = "42"
	}
	c.Value = map[domain.SortKey]string{
		domain.ByID: c.ID, domain.ByCreated: "2026-11-24 15:01:02.000345+00", domain.ByName: "Zoë \"Z\" O'Hara", domain.ByAmount: "9223372036854775807",
	}[p.sort]
	return c
}

func TestCursorBelongsToItsPlace(t *testing.T) {
	for _, p := range places() {
		want := cursorAt(p)
		text := p.encode(want)
		for _, other := range places() {
			got, err := other.decode(text)
			if other == p {
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%+v: decode = %v; (-want +got):\n%s", p, err, diff)
				}
				continue
			}
			if !errors.Is(err, errOtherCursor) {
				t.Errorf("cursor of %+v at %+v: %+v, %v; want %v", p, other, got, err, errOtherCursor)
			}
		}
	}
}

func TestCursorIsChecked(t *testing.T) {
	byCreated := place{transferList, domain.ByCreated, false}
	raw := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	const id = "6f1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01"
	valid := byCreated.encode(cursorAt(byCreated))
	tests := []struct {
		name  string
		place place
		text  string
	}{
		{"empty", byCreated, ""},
		{"not base64", byCreated, "!"},
		{"padding", byCreated, valid + "="},
		{"line end", byCreated, valid[:4] + "\n" + valid[4:]},
		{"cut off", byCreated, valid[:len(valid)-4]},
		{"more", byCreated, valid + "AAAA"},
		{"other release", byCreated, raw("\x02tc+\x1d2026-11-24 15:01:02.000345+00" + id)},
		{"length beyond the end", byCreated, raw("\x01tc+\xff\x01" + id)},
		{"length in more bytes than it takes", byCreated, raw("\x01tc+\x9d\x002026-11-24 15:01:02.000345+00" + id)},
		{"no such day", byCreated, byCreated.encode(domain.Cursor{Value: "2026-02-30 15:01:02+00", ID: id})},
		{"SQL", byCreated, byCreated.encode(domain.Cursor{Value: "now()", ID: id})},
		{"infinity", byCreated, byCreated.encode(domain.Cursor{Value: "infinity", ID: id})},
		{"id of another list", byCreated, byCreated.encode(domain.Cursor{Value: "2026-11-24 15:01:02+00", ID: "42"})},
		{"amount", place{transferList, domain.ByAmount, false}, place{transferList, domain.ByAmount, false}.encode(domain.Cursor{Value: "-1", ID: id})},
		{"NUL in a name", place{customerList, domain.ByName, false}, place{customerList, domain.ByName, false}.encode(domain.Cursor{Value: "a\x00", ID: "1"})},
		{"name is not UTF-8", place{customerList, domain.ByName, false}, place{customerList, domain.ByName, false}.encode(domain.Cursor{Value: "\xff", ID: "1"})},
		{"id beyond 64 bits", place{accountList, domain.ByID, false}, place{accountList, domain.ByID, false}.encode(domain.Cursor{Value: "9223372036854775808", ID: "9223372036854775808"})},
		{"too long", place{customerList, domain.ByName, false}, place{customerList, domain.ByName, false}.encode(domain.Cursor{Value: strings.Repeat("a", 2000), ID: "1"})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := tt.place.decode(tt.text); !errors.Is(err, errCursor) {
				t.Errorf("decode(%q) = %+v, %v; want %v", tt.text, got, err, errCursor)
			}
		})
	}
}

func TestTimestamps(t *testing.T) {
	for _, s := range []string{"2026-11-24 15:01:02+00", "2026-11-24 15:01:02.5-03:30", "1890-01-01 00:00:00.000001+00:53:28"} {
		if !isTimestamp(s) {
			t.Errorf("isTimestamp(%q) = false; want true", s)
		}
	}
}

// FuzzCursor checks that whatever is accepted is the one spelling of a place
// that can be in the list.
func FuzzCursor(f *testing.F) {
	for i, p := range places() {
		f.Add(byte(i), p.encode(cursorAt(p)))
	}
	f.Add(byte(0), "AWMwKwA")
	f.Fuzz(func(t *testing.T, which byte, text string) {
		p := places()[int(which)%len(places())]
		c, err := p.decode(text)
		if err != nil {
			if !errors.Is(err, errCursor) && !errors.Is(err, errOtherCursor) {
				t.Fatalf("decode(%q) = %v; want one of two errors", text, err)
			}
			return
		}
		if again := p.encode(c); again != text || !p.possible(c) || !isPlain(c.Value) || !isPlain(c.ID) {
			t.Fatalf("decode(%q) = %+v, which is encoded as %q", text, c, again)
		}
	})
}
