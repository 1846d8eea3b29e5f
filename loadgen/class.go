package loadgen

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/proofload/proofload/reports/history"
)

// The classes of errors, however many different messages a system can produce:
// 16 for HTTP, one for logins, and besides them what a broker or database says by a code. A row
// of a result has no more than [history.MaxClasses] of them.
const (
	// Nothing was sent: the operation did not happen.
	ClassShed        = history.ClassShed // over our own cap of operations in flight
	ClassDNS         = "dns"             // the host's name could not be looked up
	ClassDialRefused = "dial_refused"
	ClassDialTimeout = "dial_timeout"
	ClassTLS         = "tls"      // the handshake failed
	ClassNotSent     = "not_sent" // no connection for another reason, or it broke before the first byte
	ClassNoToken     = history.ClassNoToken

	// Sent, no whole answer: the operation may have happened.
	ClassReset         = "reset" // connection reset, or found broken while writing
	ClassEOF           = "eof"   // connection closed before or within the answer
	ClassHeaderTimeout = history.ClassHeaderTimeout
	ClassTimeout       = history.ClassTimeout // of the whole operation
	ClassCanceled      = "canceled"           // the load was stopped

	// Answered, not as the contract says.
	Class4xx      = "status_4xx"
	Class5xx      = "status_5xx"
	ClassBadBody  = history.ClassBadBody // a status that promises success, with a body that does not
	ClassTooLarge = "too_large"          // a body longer than the operation allows
	ClassNacked   = "nacked"             // a message that the broker did not take
	ClassReturned = "returned"           // a message that the broker had no queue for

	// What a database or a broker says of an error itself: PrefixSQL and the
	// SQLSTATE, PrefixAMQP and the reply code. Of the former there are no more
	// than 8 for one database, and then "sql_other".
	PrefixSQL  = "sql_"
	PrefixAMQP = "amqp_"

	// ClassOther is all else: a status that is none of the above, too.
	ClassOther = history.ClassOther
)

// ErrNoToken is wrapped by the error of an [Extras.Prepare] that has no token
// for its operation.
var ErrNoToken = errors.New("there is no token")

// classifyUnsent returns the class of an error before the first byte was sent.
func classifyUnsent(err error) string {
	var dial *dialError
	var name *dnsError
	var lookup *net.DNSError
	var handshake *handshakeError
	switch {
	case errors.Is(err, errStop):
		return ClassCanceled
	case errors.As(err, &name), errors.As(err, &lookup):
		return ClassDNS
	case errors.As(err, &dial) && errors.Is(err, syscall.ECONNREFUSED):
		return ClassDialRefused
	case errors.As(err, &dial) && isTimeout(err):
		return ClassDialTimeout
	case errors.As(err, &handshake):
		return ClassTLS
	case errors.Is(err, errTotal):
		return ClassDialTimeout // it has passed while the operation waited for a connection
	}
	return ClassNotSent
}

// classifyPrepare returns the class of an operation that could not be made
// ready to be sent.
func classifyPrepare(err error) string {
	switch {
	case errors.Is(err, errStop):
		return ClassCanceled
	case errors.Is(err, ErrNoToken):
		return ClassNoToken
	}
	return ClassNotSent
}

// Classify returns the class of an error after something was sent.
func Classify(err error) string { return classifySent(err, true) }

// ErrTooLarge is wrapped by the error of an answer that is longer than its
// operation allows.
var ErrTooLarge = errors.New("body too long")

// classifySent returns the class of an error after a byte was sent. Headed
// says whether the head of the answer had arrived.
func classifySent(err error, headed bool) string {
	switch {
	case errors.Is(err, errStop):
		return ClassCanceled
	case errors.Is(err, errTotal):
		return ClassTimeout
	case errors.Is(err, ErrTooLarge):
		return ClassTooLarge
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return ClassReset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ClassEOF
	case isTimeout(err) && !headed:
		return ClassHeaderTimeout
	case isTimeout(err):
		return ClassTimeout
	case isStreamReset(err):
		return ClassReset
	}
	return ClassOther
}

// isStreamReset reports whether a stream of HTTP/2 was ended by the server, or
// by net/http together with a broken connection that it was on. The types of
// these errors are private to net/http, and there are many.
func isStreamReset(err error) bool {
	return slices.ContainsFunc([]string{"stream error: ", "http2: ", "after connection loss"}, func(part string) bool {
		return strings.Contains(err.Error(), part)
	})
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}

// classifyStatus returns the class of an answer that is not Done.
func classifyStatus(status int) string {
	switch status / 100 {
	case 1, 2: // 101: a WebSocket was opened, and what came on it is not what it was to be
		return ClassBadBody
	case 4:
		return Class4xx
	case 5:
		return Class5xx
	}
	return ClassOther
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
