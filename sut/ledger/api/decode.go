package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// A malformedError says what is wrong with a request, in words for its sender.
type malformedError string

// Error implements error.
func (e malformedError) Error() string { return string(e) }

func malformed(format string, args ...any) error {
	return malformedError(fmt.Sprintf(format, args...))
}

// decodeTransfer reads the body of a transfer.
//
// It is stricter than encoding/json, because money depends on it: each field
// exactly once, spelled exactly so, numbers that are integers, nothing else and
// nothing after it.
func decodeTransfer(body []byte) (domain.Transfer, error) {
	var t domain.Transfer
	fields := map[string]func(any) error{
		"from":     integer(&t.From),
		"to":       integer(&t.To),
		"amount":   integer(&t.Amount),
		"currency": currency(&t.Currency),
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return domain.Transfer{}, malformed("the body must be a JSON object")
	}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return domain.Transfer{}, malformed("the body is not valid JSON at byte %d", dec.InputOffset())
		}
		name, _ := tok.(string) // keys of an object are strings, or Token fails
		set, ok := fields[name]
		if !ok {
			return domain.Transfer{}, malformed("field %q is unknown or given twice", name)
		}
		delete(fields, name)
		var value any
		if err := dec.Decode(&value); err != nil {
			return domain.Transfer{}, malformed("the body is not valid JSON at byte %d", dec.InputOffset())
		}
		if err := set(value); err != nil {
			return domain.Transfer{}, malformed("field %q must be %v", name, err)
		}
	}
	if _, err := dec.Token(); err != nil {
		return domain.Transfer{}, malformed("the body is not valid JSON at byte %d", dec.InputOffset())
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return domain.Transfer{}, malformed("the body goes on after the object")
	}
	for _, name := range []string{"from", "to", "amount", "currency"} {
		if _, missing := fields[name]; missing {
			return domain.Transfer{}, malformed("field %q is missing", name)
		}
	}
	return t, nil
}

var (
	errInteger  = errors.New("an integer from 1 to 9223372036854775807")
	errCurrency = errors.New("three capital letters such as \"EUR\"")
)

func integer(into *int64) func(any) error {
	return func(value any) error {
		n, ok := value.(json.Number)
		if !ok {
			return errInteger
		}
		i, err := strconv.ParseInt(n.String(), 10, 64)
		if err != nil || i < 1 {
			return errInteger
		}
		*into = i
		return nil
	}
}

var currencyPattern = regexp.MustCompile(`^[A-Z]{3}$`)

func currency(into *string) func(any) error {
	return func(value any) error {
		s, ok := value.(string)
		if !ok || !currencyPattern.MatchString(s) {
			return errCurrency
		}
		*into = s
		return nil
	}
}

// parseID reads a transfer's id in its one canonical length; the parser itself
// would also take braces, a urn: prefix, or no hyphens.
func parseID(s string) (uuid.UUID, error) {
	const canonical = 36
	id, err := uuid.Parse(s)
	if err != nil || len(s) != canonical {
		return uuid.UUID{}, malformed("the id must be a UUID such as 6f1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01")
	}
	return id, nil
}

func parseAccount(s string) (int64, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id < 1 {
		return 0, malformed("the account must be a positive integer")
	}
	return id, nil
}

func parseConsistency(s string) (domain.Consistency, error) {
	switch c := domain.Consistency(s); c {
	case domain.Default, domain.Strong, domain.Follower:
		return c, nil
	}
	return "", malformed("consistency must be strong, replica or absent")
}
