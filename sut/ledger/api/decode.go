package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
)

// A strictBody is a request body that decodes itself.
type strictBody interface {
	fields() []field
	keep(found []error)
}

// strict is a part of every body. It reports to huma what is wrong with it.
type strict struct{ found []error }

func (s *strict) keep(found []error) { s.found = found }

// Resolve implements [huma.Resolver].
func (s *strict) Resolve(huma.Context) []error { return s.found }

// A fieldError says what is wrong with a field of a body, or with the body if
// the field is "".
type fieldError struct{ field, detail string }

// Error implements error.
func (e *fieldError) Error() string {
	if e.field == "" {
		return e.detail
	}
	return e.field + ": " + e.detail
}

// ErrorDetail implements [huma.ErrorDetailer]. It does not repeat the value.
func (e *fieldError) ErrorDetail() *huma.ErrorDetail {
	d := &huma.ErrorDetail{Location: "body", Message: e.detail}
	if e.field != "" {
		d.Location += "." + e.field
	}
	return d
}

// A field is one that a body has or may have.
type field struct {
	name     string
	set      func(value any) error
	optional bool
}

// decode reads a body and returns what is wrong with it: one error if it
// cannot be read, otherwise one for each field.
//
// It is stricter than encoding/json, because money depends on it: each field
// exactly once, spelled exactly so, numbers that are integers, no null, nothing
// else and nothing after it.
func decode(data []byte, fields []field) []error {
	if !utf8.Valid(data) {
		return unreadable("must be UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return unreadable("must be a JSON object")
	}
	var found []error
	given := make([]bool, len(fields))
	for dec.More() {
		name, value, err := member(dec)
		if err != nil {
			return unreadable(fmt.Sprintf("is not valid JSON at byte %d", dec.InputOffset()))
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		switch {
		case i < 0:
			found = append(found, &fieldError{name, "is unknown"})
		case given[i]:
			found = append(found, &fieldError{name, "is given twice"})
		default:
			given[i] = true
			if err := fields[i].set(value); err != nil {
				found = append(found, &fieldError{name, "must be " + err.Error()})
			}
		}
	}
	if _, err := dec.Token(); err != nil {
		return unreadable(fmt.Sprintf("is not valid JSON at byte %d", dec.InputOffset()))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return unreadable("goes on after the object")
	}
	for i, f := range fields {
		if !given[i] && !f.optional {
			found = append(found, &fieldError{f.name, "is missing"})
		}
	}
	return found
}

func unreadable(detail string) []error { return []error{&fieldError{detail: detail}} }

// member reads a name and a value. Names are strings, or the decoder fails.
func member(dec *json.Decoder) (name string, value any, err error) {
	tok, err := dec.Token()
	if err != nil {
		return "", nil, err
	}
	name, _ = tok.(string)
	err = dec.Decode(&value)
	return name, value, err
}

// The setters return errors that go on after "must be".

func positive(into *int64) func(any) error {
	return func(value any) error {
		n, ok := value.(json.Number)
		i, err := strconv.ParseInt(n.String(), 10, 64)
		if !ok || err != nil || i < 1 {
			return errors.New("an integer from 1 to 9223372036854775807")
		}
		*into = i
		return nil
	}
}

func currency(into *string) func(any) error {
	return func(value any) error {
		s, ok := value.(string)
		if !ok || !isCurrency(s) {
			return errors.New(`three capital letters such as "EUR"`)
		}
		*into = s
		return nil
	}
}

func isCurrency(s string) bool {
	return len(s) == 3 && strings.IndexFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' }) < 0
}

// text takes text of so many characters, none of them a control character: no
// line ends that would forge a line elsewhere, and no NUL, which the database
// cannot store.
func text(into *string, least, most int) func(any) error {
	return func(value any) error {
		s, ok := value.(string)
		if n := utf8.RuneCountInString(s); !ok || n < least || n > most || strings.ContainsFunc(s, unicode.IsControl) {
			return fmt.Errorf("text of %d to %d characters without control characters", least, most)
		}
		*into = s
		return nil
	}
}

func email(into *string) func(any) error {
	return func(value any) error {
		var s string
		err := text(&s, 3, 254)(value)
		local, host, ok := strings.Cut(s, "@")
		if err != nil || !ok || local == "" || host == "" || strings.ContainsFunc(s, unicode.IsSpace) {
			return errors.New("an email address of 3 to 254 characters")
		}
		*into = s
		return nil
	}
}

func oneOf[T ~string](into *T, choices ...T) func(any) error {
	return func(value any) error {
		s, _ := value.(string)
		if !slices.Contains(choices, T(s)) {
			return fmt.Errorf("one of %q", choices)
		}
		*into = T(s)
		return nil
	}
}

func clientID(into *uuid.UUID) func(any) error {
	return func(value any) error {
		s, _ := value.(string)
		parsed, err := parseID(s)
		*into = parsed
		return err
	}
}

// instant takes a time in UTC or not, and keeps what the database would.
func instant(into *time.Time) func(any) error {
	return func(value any) error {
		s, _ := value.(string)
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return errors.New(`a time such as "2026-01-02T15:04:05Z"`)
		}
		*into = t.UTC().Truncate(time.Microsecond)
		return nil
	}
}

// maybe sets a pointer, which stays nil if the field is not given.
func maybe[T any](into **T, set func(*T) func(any) error) func(any) error {
	return func(value any) error {
		var v T
		if err := set(&v)(value); err != nil {
			return err
		}
		*into = &v
		return nil
	}
}
