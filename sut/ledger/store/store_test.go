package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/proofload/proofload/sut/ledger/domain"
	"github.com/proofload/proofload/sut/ledger/resilience"
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
	for _, mistake := range []error{pgx.ScanArgError{Err: errors.New("no number")}, errors.New("failed to encode args[0]")} {
		if err := wrap("work", mistake); errors.Is(err, domain.ErrUnavailable) || !errors.Is(err, mistake) {
			t.Errorf("wrap(%v) = %v; want the mistake alone, since time does not mend it", mistake, err)
		}
	}
	for _, lost := range []error{io.EOF, fmt.Errorf("read: %w", io.ErrUnexpectedEOF), &net.OpError{Op: "read"}, &pgconn.ConnectError{}, resilience.ErrOpen} {
		if err := wrap("work", lost); !errors.Is(err, domain.ErrUnavailable) {
			t.Errorf("wrap(%v) = %v; want unavailable", lost, err)
		}
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

// TestPage builds the parts of a query that make a page of a list.
func TestPage(t *testing.T) {
	byName := column{sql: "c.name", kind: "text", tie: "c.id", tieAs: "bigint"}
	after := &domain.Cursor{Value: "Ada", ID: "7"}
	tests := []struct {
		by   column
		page domain.Page
		want string
		args []any
	}{
		{column{sql: "c.id", kind: "bigint"}, domain.Page{Limit: 10}, " WHERE c.status = $1 ORDER BY c.id LIMIT $2", []any{"active", 11}},
		{byName, domain.Page{Limit: 10}, " WHERE c.status = $1 ORDER BY c.name, c.id LIMIT $2", []any{"active", 11}},
		{
			byName,
			domain.Page{Limit: 1, Descending: true, After: after},
			" WHERE c.status = $1 AND (c.name, c.id) < ($2::text::text, $3::text::bigint) ORDER BY c.name DESC, c.id DESC LIMIT $4",
			[]any{"active", "Ada", "7", 2},
		},
		{
			column{sql: "c.id", kind: "bigint"},
			domain.Page{Limit: 1, After: after},
			" WHERE c.status = $1 AND c.id > $2::text::bigint ORDER BY c.id LIMIT $3",
			[]any{"active", "Ada", 2},
		},
	}
	for _, tt := range tests {
		var l listing
		l.where("c.status = %s", "active")
		if diff := cmp.Diff(tt.want, l.page(tt.by, tt.page)); diff != "" {
			t.Errorf("page %+v (-want +got):\n%s", tt.page, diff)
		}
		if diff := cmp.Diff(tt.args, l.args); diff != "" {
			t.Errorf("arguments of page %+v (-want +got):\n%s", tt.page, diff)
		}
	}
}

// TestSeedRows checks what a data set promises of its transfers, whatever the
// seed.
func TestSeedRows(t *testing.T) {
	for seed := range uint64(5) {
		plan := SeedPlan{Accounts: 5, Transfers: 3000, Currency: "EUR", Opening: 7, Seed: seed}
		rows := newSeedRows(plan)
		balances := map[int64]int64{}
		for id := range int64(5) {
			balances[id+1] = plan.Opening
		}
		refunded := map[uuid.UUID]int64{}
		var all []domain.Transfer
		for chunk := rows.next(700); len(chunk) > 0; chunk = rows.next(700) {
			all = append(all, chunk...)
		}
		for i, tr := range all {
			balances[tr.From] -= tr.Amount
			balances[tr.To] += tr.Amount
			if tr.Amount < 1 || tr.From == tr.To || balances[tr.From] < 0 || i > 0 && tr.CreatedAt.Before(all[i-1].CreatedAt) {
				t.Fatalf("seed %d: transfer %d = %+v leaves %d", seed, i, tr, balances[tr.From])
			}
			refunded[tr.RefundOf] += tr.Amount
		}
		for _, tr := range all {
			if refunded[tr.ID] != tr.Refunded {
				t.Errorf("seed %d: transfer %s says %d was refunded, its refunds %d", seed, tr.ID, tr.Refunded, refunded[tr.ID])
			}
		}
		if last := all[len(all)-1]; len(all) != plan.Transfers || len(refunded) < 50 || last.ID != plan.transferID(plan.Transfers-1) {
			t.Errorf("seed %d: %d transfers, %d refunded, the last %s", seed, len(all), len(refunded), last.ID)
		}
	}
}

// TestListingIs writes what is harmless into the statement and nothing else.
func TestListingIs(t *testing.T) {
	l := &listing{}
	l.is("a.status", "frozen")
	l.is("a.currency", "E'R")
	if diff := cmp.Diff([]string{"a.status = 'frozen'", "a.currency = $1"}, l.conditions); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
}
