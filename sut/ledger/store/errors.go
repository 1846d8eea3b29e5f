package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/resilience"
)

// SQLSTATE codes that mean something to the ledger.
const (
	codeReadOnly      = "25006" // the node was demoted
	codeInRecovery    = "55000" // a primary's function called on a standby
	codeIdleTimeout   = "25P03"
	codeLockTimeout   = "55P03"
	codeForeignKey    = "23503"
	codeUnique        = "23505"
	codeCheck         = "23514"
	codeRestrict      = "23001"
	codeSerialization = "40001"
	codeDeadlock      = "40P01"
	classConnection   = "08"
	classData         = "22"
	classNoResources  = "53"
	classIntervention = "57"
)

// isUnavailable reports whether a SQLSTATE says that this server cannot serve
// now, as opposed to having refused what it was asked.
func isUnavailable(code string) bool {
	switch code {
	case codeReadOnly, codeInRecovery, codeIdleTimeout:
		return true
	}
	return strings.HasPrefix(code, classConnection) ||
		strings.HasPrefix(code, classNoResources) ||
		strings.HasPrefix(code, classIntervention)
}

// wrap adds what was being done to an error of the driver, and
// [domain.ErrUnavailable] if trying again later may help. It is for
// operations that did not reach their commit. A result that cannot be read, say,
// is a mistake in the program, which time does not mend.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	pgErr, isPg := errors.AsType[*pgconn.PgError](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.Is(err, pgx.ErrNoRows), errors.Is(err, domain.ErrNotFound), errors.Is(err, domain.ErrBehind):
		return fmt.Errorf("%s: %w", doing, err)
	case isPg && (isUnavailable(pgErr.Code) ||
		pgErr.Code == codeLockTimeout || pgErr.Code == codeSerialization || pgErr.Code == codeDeadlock),
		!isPg && isConnection(err):
		return fmt.Errorf("%s: %w: %w", doing, domain.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// isConnection reports whether an error that the server did not send says that
// there is no connection to it, or none any more.
func isConnection(err error) bool {
	for _, known := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, resilience.ErrOpen, domain.ErrUnavailable} {
		if errors.Is(err, known) {
			return true
		}
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	_, ok := errors.AsType[*pgconn.ConnectError](err)
	return ok || pgconn.SafeToRetry(err)
}

// refusal returns the server's refusal of what it was asked, nil if err is
// something else.
func refusal(err error) *pgconn.PgError {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || isUnavailable(pgErr.Code) {
		return nil
	}
	return pgErr
}

// violates reports whether err is a violation of the named constraint.
func violates(err error, code, constraint string) bool {
	pgErr := refusal(err)
	return pgErr != nil && pgErr.Code == code && pgErr.ConstraintName == constraint
}
