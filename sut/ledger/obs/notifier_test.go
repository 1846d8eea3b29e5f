package obs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/proofload/proofload/sut/ledger/obs"
)

// A hook is a webhook's side of the connection. It answers with the statuses in
// turn, then 204; 0 breaks the connection.
type hook struct {
	statuses []int
	tries    int
	got      []obs.Notification // in answers of 2xx
}

// RoundTrip implements [http.RoundTripper].
func (h *hook) RoundTrip(r *http.Request) (*http.Response, error) {
	h.tries++
	status := http.StatusNoContent
	if len(h.statuses) > 0 {
		status, h.statuses = h.statuses[0], h.statuses[1:]
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || status == 0 {
		return nil, errors.Join(errors.New("connection reset"), err)
	}
	if status < 300 {
		var note obs.Notification
		if err := json.Unmarshal(body, &note); err != nil {
			return nil, err
		}
		h.got = append(h.got, note)
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Body: http.NoBody, Request: r}, nil
}

// messages returns what the hook heard of.
func (h *hook) messages() []string {
	var all []string
	for _, n := range h.got {
		all = append(all, n.Message)
	}
	return all
}

// notify starts a notifier and returns a logger whose critical records it sends.
func notify(t *testing.T, opts obs.NotifierOptions) (*slog.Logger, *obs.Notifier) {
	t.Helper()
	opts.Webhook, opts.Service, opts.Instance = "https://hooks.test/secret-path", "ledger-api", "api-1"
	n, err := obs.NewNotifier(opts)
	if err != nil {
		t.Fatal(err)
	}
	return obs.NewLogger(io.Discard, slog.LevelInfo, "api-1", n.Wrap), n
}

// running runs the notifier until the returned function is called.
func running(t *testing.T, n *obs.Notifier) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

func critical(ctx context.Context, log *slog.Logger, msg string, attrs ...any) {
	log.Log(ctx, obs.LevelCritical, msg, attrs...) //nolint:sloglint // the messages are those of the tests
}

func TestNotification(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hook{}
		log, n := notify(t, obs.NotifierOptions{Transport: h})
		defer running(t, n)()
		log.Error("bad but not critical")
		ctx := obs.WithCorrelation(t.Context(), "corr-1")
		critical(ctx, log.With(slog.String("part", "relay")).WithGroup("job"), "books do not balance",
			slog.Int("transfers", 2), obs.Err(errors.New("off by 1")))
		synctest.Wait()
		want := []obs.Notification{{
			Text: `ledger-api api-1: books do not balance part="relay" job.transfers="2" job.error="off by 1"`,
			Time: time.Now(), Service: "ledger-api", Instance: "api-1", Message: "books do not balance", Correlation: "corr-1",
			Attributes: map[string]string{"part": "relay", "job.transfers": "2", "job.error": "off by 1"},
		}}
		if diff := cmp.Diff(want, h.got, cmpopts.EquateApproxTime(0)); diff != "" {
			t.Errorf("notifications (-want +got):\n%s", diff)
		}
	})
}

// TestOneOfAKind repeats an error: the webhook hears of it once, and after the
// quiet time how often it was repeated.
func TestOneOfAKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hook{}
		log, n := notify(t, obs.NotifierOptions{Transport: h, Quiet: time.Minute})
		defer running(t, n)()
		for i := range 5 {
			critical(t.Context(), log, "circuit opened", slog.String(obs.DependencyKey, "redis"), slog.Int("i", i))
			critical(t.Context(), log, "check failed", slog.String(obs.DependencyKey, "redis"))
			critical(t.Context(), log, "circuit opened", slog.String(obs.DependencyKey, "broker"))
		}
		<-time.After(time.Minute)
		critical(t.Context(), log, "circuit opened", slog.String(obs.DependencyKey, "redis"))
		synctest.Wait()
		if diff := cmp.Diff([]string{"circuit opened", "circuit opened", "circuit opened"}, h.messages()); diff != "" {
			t.Fatalf("notifications (-want +got):\n%s", diff)
		}
		if got := h.got[2].Suppressed; got != 9 {
			t.Errorf("suppressed = %d; want 9", got)
		}
	})
}

func TestNotificationsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hook{}
		log, n := notify(t, obs.NotifierOptions{Transport: h, Queue: 2, PerMinute: 3})
		for _, msg := range []string{"a", "b", "c", "d"} { // nobody sends yet
			critical(t.Context(), log, msg)
		}
		stop := running(t, n)
		synctest.Wait()
		<-time.After(20 * time.Second) // as long as one of three a minute takes
		critical(t.Context(), log, "e")
		critical(t.Context(), log, "f")
		stop()
		if diff := cmp.Diff([]string{"a", "b", "e"}, h.messages()); diff != "" {
			t.Errorf("notifications (-want +got):\n%s", diff)
		}
		want := `# HELP ledger_alerts_dropped_total Notifications that were not sent.
# TYPE ledger_alerts_dropped_total counter
ledger_alerts_dropped_total{reason="queue_full"} 1
ledger_alerts_dropped_total{reason="rate_limited"} 2
# HELP ledger_alerts_sent_total Notifications that the webhook took.
# TYPE ledger_alerts_sent_total counter
ledger_alerts_sent_total 3
`
		registry := prometheus.NewRegistry()
		registry.MustRegister(n)
		if diff := cmp.Diff(want, exposition(t, registry)); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
	})
}

// exposition returns metrics as they are scraped.
func exposition(t *testing.T, from prometheus.Gatherer) string {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

func TestWebhookFails(t *testing.T) {
	tests := []struct {
		name     string
		statuses []int
		tries    int
		told     bool
	}{
		{"once", []int{500}, 2, true},
		{"connection lost once", []int{0}, 2, true},
		{"too many requests once", []int{429}, 2, true},
		{"always", []int{503, 503, 503, 503}, 3, false},
		{"refused", []int{404}, 1, false},
		{"moved", []int{302}, 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &hook{statuses: tt.statuses}
				var out bytes.Buffer
				log, n := notify(t, obs.NotifierOptions{Transport: h, Log: slog.New(slog.NewTextHandler(&out, nil))})
				stop := running(t, n)
				critical(t.Context(), log, "a")
				<-time.After(time.Minute)
				synctest.Wait()
				if h.tries != tt.tries || (len(h.got) == 1) != tt.told {
					t.Errorf("%d tries, %d told; want %d, %t", h.tries, len(h.got), tt.tries, tt.told)
				}
				if logged := strings.Contains(out.String(), "webhook failed"); logged == tt.told || strings.Contains(out.String(), "secret-path") {
					t.Errorf("log %q; want a failure %t, and never the URL", out.String(), !tt.told)
				}
				h.statuses = nil
				critical(t.Context(), log, "a")
				stop()
				if len(h.got) != 1 {
					t.Errorf("told %d times in the end; want once", len(h.got))
				}
			})
		})
	}
}

// TestShutdownSendsWhatWaits ends a notifier with something in its queue, also
// if the webhook does not answer.
func TestShutdownSendsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hook{}
		log, n := notify(t, obs.NotifierOptions{Transport: h})
		critical(t.Context(), log, "last words")
		running(t, n)()
		if diff := cmp.Diff([]string{"last words"}, h.messages()); diff != "" {
			t.Errorf("notifications (-want +got):\n%s", diff)
		}
		log, n = notify(t, obs.NotifierOptions{Transport: &hook{statuses: []int{500, 500, 500, 500}}})
		critical(t.Context(), log, "in vain")
		critical(t.Context(), log, "in vain too")
		began := time.Now()
		running(t, n)()
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("the end took %s", took)
		}
	})
}

// TestWebhookOverHTTP posts to a real server.
func TestWebhookOverHTTP(t *testing.T) {
	got := make(chan string, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- r.Method + " " + r.Header.Get("Content-Type") + " " + string(body)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer srv.Close()
	n, err := obs.NewNotifier(obs.NotifierOptions{Webhook: srv.URL, Service: "ledger-worker", Instance: "worker-1"})
	if err != nil {
		t.Fatal(err)
	}
	defer running(t, n)()
	critical(t.Context(), obs.NewLogger(io.Discard, slog.LevelInfo, "worker-1", n.Wrap), "hello")
	if text := <-got; !strings.HasPrefix(text, `POST application/json {"text":"ledger-worker worker-1: hello"`) {
		t.Errorf("webhook got %s", text)
	}
}

func TestNewNotifierRefuses(t *testing.T) {
	for _, url := range []string{"", "hooks.test/x", "ftp://hooks.test/secret", "http://", "http://h:port/secret"} {
		if _, err := obs.NewNotifier(obs.NotifierOptions{Webhook: url}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("NewNotifier(%q) = %v; want an error that does not repeat it", url, err)
		}
	}
}
