package loadgen

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"

	"github.com/proofload/proofload/reports/history"
)

// The classes of errors. There are no others, however many different messages
// a system can produce.
const (
	// Nothing was sent: the operation did not happen.
	ClassShed        = history.ClassShed // over our own cap of operations in flight
	ClassDialRefused = "dial_refused"
	ClassDialTimeout = "dial_timeout"
	ClassTLS         = "tls"      // the handshake failed
	ClassNotSent     = "not_sent" // no connection for another reason, or it broke before the first byte

	// Sent, no whole answer: the operation may have happened.
	ClassReset         = "reset" // connection reset, or found broken while writing
	ClassEOF           = "eof"   // connection closed before or within the answer
	ClassHeaderTimeout = "header_timeout"
	ClassTimeout       = "timeout"  // of the whole operation
	ClassCanceled      = "canceled" // the load was stopped

	// Answered, not as the contract says.
	Class4xx         = "status_4xx"
	Class5xx         = "status_5xx"
	ClassStatusOther = "status_other"
	ClassBadBody     = "bad_body"  // a status that promises success, with a body that does not
	ClassTooLarge    = "too_large" // a body longer than the operation allows

	ClassOther = "other"
)

// The causes of an operation's cancelled context.
var (
	errTotal = errors.New("operation timed out")
	errStop  = errors.New("load was stopped")
)

// classifyUnsent returns the class of an error before the first byte was sent.
func classifyUnsent(ctx context.Context, err error) string {
	if _, ok := errors.AsType[*dialError](err); ok {
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			return ClassDialRefused
		case isTimeout(err):
			return ClassDialTimeout
		}
		return ClassNotSent
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errStop):
		return ClassCanceled
	case cause != nil:
		return ClassDialTimeout // the total timeout passed while it waited for a connection
	}
	var record tls.RecordHeaderError
	var verify *tls.CertificateVerificationError
	var alert tls.AlertError
	if errors.As(err, &record) || errors.As(err, &verify) || errors.As(err, &alert) || isTimeout(err) {
		return ClassTLS
	}
	return ClassNotSent
}

// classifySent returns the class of an error after a byte was sent. Headers
// says whether the head of the answer had arrived.
func classifySent(ctx context.Context, err error, headers bool) string {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errStop):
		return ClassCanceled
	case cause != nil:
		return ClassTimeout
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return ClassReset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ClassEOF
	case isTimeout(err) && !headers:
		return ClassHeaderTimeout
	case isTimeout(err):
		return ClassTimeout
	}
	return ClassOther
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}

// classifyStatus returns the class of an answer that is not Done.
func classifyStatus(status int) string {
	switch status / 100 {
	case 2:
		return ClassBadBody
	case 4:
		return Class4xx
	case 5:
		return Class5xx
	}
	return ClassStatusOther
}

// judgeStatus is the judge of operations that have none of their own.
func judgeStatus(status int, _ http.Header, _ []byte) Answer {
	switch status / 100 {
	case 2:
		return Done
	case 4:
		return Refused
	}
	return Broken
}
