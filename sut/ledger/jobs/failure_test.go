package jobs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/resilience"
)

func TestClassesOfErrors(t *testing.T) {
	tests := []struct {
		err                 error
		environment, poison bool
	}{
		{domain.ErrUnavailable, true, false},
		{domain.ErrUnknownOutcome, true, false},
		{resilience.ErrOpen, true, false},
		{context.DeadlineExceeded, true, false},
		{errMalformed, false, true},
		{domain.ErrNotFound, false, true},
		{domain.ErrUnknownAccount, false, true},
		{errTooSlow, false, false},
		{errors.New("whatever"), false, false},
	}
	for _, tt := range tests {
		err := fmt.Errorf("settle: %w", tt.err)
		if environment, poison := isEnvironment(err), isPoison(err); environment != tt.environment || poison != tt.poison {
			t.Errorf("%q: environment = %t, poison = %t; want %t, %t", err, environment, poison, tt.environment, tt.poison)
		}
	}
}

// TestOnward follows a message that keeps failing through the levels.
func TestOnward(t *testing.T) {
	c := newConsumer(Job{})
	errBad := errors.New("bad")
	headers := amqp.Table{
		"X-Correlation-ID": "corr-1", "traceparent": "00-1", "x-death": "of the broker",
	}
	d := amqp.Delivery{MessageId: "m1", Type: topicAccepted, Body: []byte("{}"), Headers: headers}
	for level, mean := range c.broker.delays {
		m := c.onward(t.Context(), d, errBad)
		want := amqp.Table{
			"X-Correlation-ID": "corr-1", "traceparent": "00-1",
			AttemptsHeader: int32(level + 1), levelHeader: strconv.Itoa(level + 1),
		}
		if diff := cmp.Diff(want, m.Headers); diff != "" {
			t.Errorf("headers after failure %d (-want +got):\n%s", level+1, diff)
		}
		if m.exchange != "ledger.retry" || m.key != "ledger.settlement" || m.MessageId != "m1" || m.Type != topicAccepted || string(m.Body) != "{}" {
			t.Errorf("failure %d goes to %s as %s with %+v; want the way back to its queue, unchanged", level+1, m.exchange, m.key, m.Publishing)
		}
		ms, err := strconv.ParseInt(m.Expiration, 10, 64)
		if delay := time.Duration(ms) * time.Millisecond; err != nil || delay < mean*3/4 || delay > mean*5/4 {
			t.Errorf("delay after failure %d = %q ms; want %s, give or take a quarter", level+1, m.Expiration, mean)
		}
		d.Headers = m.Headers
	}
	m := c.onward(t.Context(), d, errBad)
	if m.exchange != "ledger.dead" || m.key != "ledger.settlement.dead" || m.Expiration != "" {
		t.Errorf("the last failure goes to %s as %s, expiring %q; want the dead letters for good", m.exchange, m.key, m.Expiration)
	}
	died, err := time.Parse(time.RFC3339, m.Headers[DeadTimeHeader].(string))
	if err != nil || time.Since(died) > time.Minute {
		t.Errorf("died at %v, %v; want now", died, err)
	}
	delete(m.Headers, DeadTimeHeader)
	want := amqp.Table{
		"X-Correlation-ID": "corr-1", "traceparent": "00-1",
		AttemptsHeader: int32(3), DeadReasonHeader: "bad", DeadQueueHeader: "ledger.settlement",
	}
	if diff := cmp.Diff(want, m.Headers); diff != "" {
		t.Errorf("headers of the dead letter (-want +got):\n%s", diff)
	}
}

func TestPoisonGoesAtOnce(t *testing.T) {
	m := newConsumer(Job{}).onward(t.Context(), amqp.Delivery{}, fmt.Errorf("%w: no transfer_id", errMalformed))
	if m.exchange != "ledger.dead" || m.Headers[AttemptsHeader] != int32(1) {
		t.Errorf("poison goes to %s after %v attempts; want the dead letters after 1", m.exchange, m.Headers[AttemptsHeader])
	}
}

func TestAttemptsOf(t *testing.T) {
	tests := []struct {
		header any
		want   int
	}{{nil, 0}, {int32(3), 3}, {int64(4), 4}, {int32(-5), 0}, {int64(1 << 62), maxAttempts}, {"7", 0}}
	for _, tt := range tests {
		if got := attemptsOf(amqp.Table{AttemptsHeader: tt.header}); got != tt.want {
			t.Errorf("attemptsOf(%v) = %d; want %d", tt.header, got, tt.want)
		}
	}
}

func TestDelayed(t *testing.T) {
	for u, want := range map[float64]time.Duration{0: 750 * time.Millisecond, 0.5: time.Second, 1: 1250 * time.Millisecond} {
		if got := delayed(time.Second, u); got != want {
			t.Errorf("delayed(1s, %g) = %s; want %s", u, got, want)
		}
	}
}

func TestShortened(t *testing.T) {
	if got := shortened("short"); got != "short" {
		t.Errorf("shortened = %q; want it unchanged", got)
	}
	got := shortened(strings.Repeat("ä", maxReason))
	if len(got) > maxReason+3 || !utf8.ValidString(got) || !strings.HasSuffix(got, "...") {
		t.Errorf("shortened to %d bytes, valid = %t: %q; want at most %d and no broken character", len(got), utf8.ValidString(got), got, maxReason+3)
	}
}
