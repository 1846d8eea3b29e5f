package api

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// cursorVersion is the first byte of a cursor. A change of what follows gets
// another one, so that cursors of other releases are refused, not misread.
const cursorVersion = 1

// maxCursor bounds a cursor, in bytes of its text.
const maxCursor = 2048

// A listKind tells the lists apart.
type listKind byte

// The lists.
const (
	customerList  listKind = 'c'
	accountList   listKind = 'a'
	transferList  listKind = 't'
	statementList listKind = 's'

	notificationList listKind = 'n'
)

// A place says what a cursor is a place of.
//
// Cursors are not secret and not signed: whoever makes one up names a place in
// a list that they may read anyway. They are checked until nothing is left that
// the database could trip over.
type place struct {
	kind       listKind
	sort       domain.SortKey
	descending bool
}

var (
	errCursor      = errors.New("not a cursor of this interface")
	errOtherCursor = errors.New("the cursor belongs to another list or order")
)

// header returns what the cursors of the place begin with.
func (p place) header() []byte {
	direction := byte('+')
	if p.descending {
		direction = '-'
	}
	order := map[domain.SortKey]byte{domain.ByID: 'i', domain.ByCreated: 'c', domain.ByName: 'n', domain.ByAmount: 'a'}
	return []byte{cursorVersion, byte(p.kind), order[p.sort], direction}
}

// encode writes a cursor: the header, how long the value is, and value and id.
func (p place) encode(c domain.Cursor) string {
	raw := binary.AppendUvarint(p.header(), uint64(len(c.Value)))
	raw = append(append(raw, c.Value...), c.ID...)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// decode reads what encode wrote, and nothing else.
func (p place) decode(s string) (domain.Cursor, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	header := p.header()
	if err != nil || len(s) > maxCursor || len(raw) < len(header) || raw[0] != cursorVersion || strings.ContainsAny(s, "\r\n") {
		return domain.Cursor{}, errCursor
	}
	if !bytes.Equal(raw[:len(header)], header) {
		return domain.Cursor{}, errOtherCursor
	}
	raw = raw[len(header):]
	size, n := binary.Uvarint(raw)
	if n <= 0 || size > uint64(len(raw)-n) { //nolint:gosec // n is at most the length
		return domain.Cursor{}, errCursor
	}
	raw = raw[n:]
	c := domain.Cursor{Value: string(raw[:size]), ID: string(raw[size:])}
	// A length that was written with more bytes than it takes, for example.
	if !p.possible(c) || p.encode(c) != s {
		return domain.Cursor{}, errCursor
	}
	return c, nil
}

// possible reports whether there could be an entry with this sort value and id.
func (p place) possible(c domain.Cursor) bool {
	numbered := p.kind == customerList || p.kind == accountList || p.kind == notificationList
	if numbered && !isPositive(c.ID) {
		return false
	}
	if _, err := parseID(c.ID); !numbered && err != nil {
		return false
	}
	switch p.sort {
	case domain.ByID:
		return c.Value == c.ID
	case domain.ByCreated:
		return isTimestamp(c.Value)
	case domain.ByName:
		return isPlain(c.Value)
	case domain.ByAmount:
		return isPositive(c.Value)
	}
	return false
}

// isPositive reports whether s is an integer from 1 on, in its only spelling.
func isPositive(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && n > 0 && strconv.FormatInt(n, 10) == s
}

// isPlain reports whether s is text that the database can hold.
func isPlain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// isTimestamp reports whether s is a time as PostgreSQL writes it.
func isTimestamp(s string) bool {
	for _, zone := range []string{"-07", "-07:00", "-07:00:00"} {
		if _, err := time.Parse("2006-01-02 15:04:05.999999"+zone, s); err == nil {
			return true
		}
	}
	return false
}
