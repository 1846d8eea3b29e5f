package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/proofload/proofload/sut/ledger/domain"
)

func TestCheckURL(t *testing.T) {
	if err := CheckURL("postgres://u:hunter2@host:port/db"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("CheckURL of a bad URL = %v; want an error without the password", err)
	}
	if err := CheckURL("postgres://u:hunter2@host:5432/db"); err != nil {
		t.Errorf("CheckURL of a good URL = %v; want nil", err)
	}
}

func TestErrorsOfTheServer(t *testing.T) {
	tests := []struct {
		code, severity string
		keep           bool // the connection is still good
		unavailable    bool // trying again may help
	}{
		{"25006", "ERROR", false, true},
		{"55000", "ERROR", false, true},
		{"08P01", "FATAL", false, true},
		{"57P01", "FATAL", false, true},
		{"53300", "FATAL", false, true},
		{"28P01", "FATAL", false, false},
		{"40P01", "ERROR", true, true},
		{"55P03", "ERROR", true, true},
		{"23505", "ERROR", true, false},
		{"23514", "ERROR", true, false},
		{"42601", "ERROR", true, false},
	}
	for _, tt := range tests {
		pgErr := &pgconn.PgError{Code: tt.code, Severity: "in another language", SeverityUnlocalized: tt.severity}
		if keep := keepAfter(nil, pgErr); keep != tt.keep {
			t.Errorf("keepAfter(%s %s) = %t; want %t", tt.severity, tt.code, keep, tt.keep)
		}
		err := wrap("work", pgErr)
		if got := errors.Is(err, domain.ErrUnavailable); got != tt.unavailable {
			t.Errorf("wrap(%s) = %v; want unavailable %t", tt.code, err, tt.unavailable)
		}
	}
}

func TestWrap(t *testing.T) {
	if err := wrap("work", nil); err != nil {
		t.Errorf("wrap(nil) = %v; want nil", err)
	}
	if err := wrap("work", net.ErrClosed); !errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("wrap(%v) = %v; want unavailable", net.ErrClosed, err)
	}
	err := wrap("work", fmt.Errorf("timeout: %w", context.DeadlineExceeded))
	if errors.Is(err, domain.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wrap of a deadline = %v; want the deadline alone", err)
	}
}

// TestSoleDialer dials as the driver does: to connect, possibly more than once,
// and after the handshake to cancel.
func TestSoleDialer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a listener of the test's own
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cc := &pgx.ConnConfig{}
	(&soleDialer{}).install(cc)
	first, err := cc.DialFunc(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatalf("first dial: %v", err)
	}
	defer first.Close()
	second, err := cc.DialFunc(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatalf("dial again before the handshake: %v", err)
	}
	cc.BuildContextWatcherHandler(&pgconn.PgConn{})
	if _, err := cc.DialFunc(t.Context(), "tcp", ln.Addr().String()); !errors.Is(err, errNoCancel) {
		t.Errorf("dial after the handshake = %v; want %v", err, errNoCancel)
	}
	if err := second.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close of the given up connection = %v; want %v", err, net.ErrClosed)
	}
}
