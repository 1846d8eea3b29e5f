package server_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/proofload/proofload/sut/ledger/server"
)

// TestRunDrains stops a server with a request in flight: it becomes
// unready at once, finishes the request and only then returns.
func TestRunDrains(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	health := server.NewHealth(server.HealthOptions{})
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
	wantReady(t, health, "/readyz", http.StatusServiceUnavailable, "draining")
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
