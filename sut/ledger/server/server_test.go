package server_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proofload/proofload/sut/ledger/server"
)

func check(h *server.Health, path string) (int, string) {
	w := httptest.NewRecorder()
	h.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody)) //nolint:noctx // needs no context
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestHealth(t *testing.T) {
	h := server.NewHealth("database", "broker")
	steps := []struct {
		do     func()
		status int
		text   string
	}{
		{func() {}, 503, "waiting for broker, database"},
		{func() { h.Pass("broker") }, 503, "waiting for database"},
		{func() { h.Pass("database") }, 200, "ready"},
		{h.Drain, 503, "draining"},
		{func() { h.Pass("database") }, 503, "draining"},
	}
	for i, s := range steps {
		s.do()
		if status, text := check(h, "/readyz"); status != s.status || text != s.text {
			t.Errorf("step %d: /readyz = %d %q; want %d %q", i, status, text, s.status, s.text)
		}
		if status, _ := check(h, "/livez"); status != 200 {
			t.Errorf("step %d: /livez = %d; want 200", i, status)
		}
	}
}

func TestPassWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := server.NewHealth("database")
		tries := 0
		began := time.Now()
		h.PassWhen(t.Context(), "database", time.Second, func(context.Context) error {
			tries++
			if tries < 3 {
				return errors.New("not yet")
			}
			return nil
		}, slog.New(slog.DiscardHandler))
		if status, _ := check(h, "/readyz"); status != 200 || time.Since(began) != 2*time.Second {
			t.Errorf("/readyz = %d after %s; want 200 after 2s", status, time.Since(began))
		}
	})
}

// TestRunDrains stops a server with a request in flight: it becomes
// unready at once, finishes the request and only then returns.
func TestRunDrains(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	health := server.NewHealth()
	entered, leave := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.Handle("/", health.Handler())
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		_, _ = io.WriteString(w, "done")
	})
	lines := make(chan string, 10)
	log := slog.New(slog.NewTextHandler(lineWriter(lines), nil))
	ran := make(chan error, 1)
	go func() {
		ran <- server.Run(ctx, mux, health, server.Options{
			Listen: "127.0.0.1:0", RequestTimeout: time.Minute, DrainTimeout: time.Minute,
		}, log)
	}()
	_, addr, _ := strings.Cut(strings.TrimSpace(<-lines), "addr=")
	slow := make(chan string, 1)
	go func() { slow <- get(t, "http://"+addr+"/slow") }()
	<-entered
	stop()
	<-lines // draining
	if _, got := check(health, "/readyz"); got != "draining" {
		t.Errorf("/readyz after the stop = %q; want draining", got)
	}
	select {
	case err := <-ran:
		t.Errorf("Run returned %v with a request in flight", err)
	default:
	}
	close(leave)
	if got := <-slow; got != "done" {
		t.Errorf("request in flight got %q; want done", got)
	}
	if err := <-ran; err != nil {
		t.Errorf("Run = %v; want nil", err)
	}
}

type lineWriter chan<- string

func (w lineWriter) Write(p []byte) (int, error) {
	w <- string(p)
	return len(p), nil
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Error(err)
		return ""
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return string(body)
}
