package obs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/otel/trace"
)

const (
	alertTries      = 3
	alertFirstPause = 500 * time.Millisecond
	maxAlertAnswer  = 4 << 10 // bytes of the webhook's answer that are read, to keep its connection
)

// A Notification is what a webhook is posted, as JSON.
type Notification struct {
	Text        string            `json:"text"` // all of it in a line, for chat systems
	Time        time.Time         `json:"time"`
	Service     string            `json:"service"`
	Instance    string            `json:"instance"`
	Message     string            `json:"message"`
	Correlation string            `json:"correlation_id,omitempty"`
	Trace       string            `json:"trace_id,omitempty"`
	Attributes  map[string]string `json:"attributes,omitempty"`
	Suppressed  int               `json:"suppressed"` // of the same kind since the last one
}

// kind is the same for notifications of which one is enough for a while.
func (n Notification) kind() string {
	if d := n.Attributes[DependencyKey]; d != "" {
		return DependencyKey + " " + d
	}
	return n.Message
}

// alertHandler has critical records sent.
type alertHandler struct {
	slog.Handler
	notifier *Notifier
	attrs    []slog.Attr
	prefix   string // of keys: the groups
}

// Handle implements [slog.Handler].
func (h alertHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= LevelCritical {
		h.notifier.offer(h.notification(ctx, r))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h alertHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(attrs)
	h.attrs = slices.Clip(h.attrs)
	for _, a := range attrs {
		h.attrs = append(h.attrs, slog.Attr{Key: h.prefix + a.Key, Value: a.Value})
	}
	return h
}

// WithGroup implements [slog.Handler].
func (h alertHandler) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	h.prefix += name + "."
	return h
}

func (h alertHandler) notification(ctx context.Context, r slog.Record) Notification {
	opts := h.notifier.opts
	note := Notification{
		Time: r.Time, Service: opts.Service, Instance: opts.Instance, Message: r.Message,
		Text:        fmt.Sprintf("%s %s: %s", opts.Service, opts.Instance, r.Message),
		Correlation: Correlation(ctx), Attributes: map[string]string{},
	}
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		note.Trace = span.TraceID().String()
	}
	add := func(key string, value slog.Value) {
		text := value.Resolve().String()
		note.Attributes[key] = text
		note.Text += fmt.Sprintf(" %s=%q", key, text)
	}
	for _, a := range h.attrs {
		add(a.Key, a.Value)
	}
	r.Attrs(func(a slog.Attr) bool {
		if !slices.Contains([]string{correlationKeyName, traceKeyName, criticalKeyName}, a.Key) { // the notification says these itself
			add(h.prefix+a.Key, a.Value)
		}
		return true
	})
	return note
}

// send posts a notification, up to three times: to hear of a thing twice is
// better than not at all.
func (n *Notifier) send(ctx context.Context, note Notification) error {
	body, err := json.Marshal(note)
	if err != nil {
		return fmt.Errorf("encode notification: %w", err)
	}
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval = alertFirstPause
	_, err = backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, n.post(ctx, body) },
		backoff.WithBackOff(pause), backoff.WithMaxTries(alertTries))
	return err
}

func (n *Notifier) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.opts.Webhook, bytes.NewReader(body))
	if err != nil {
		return backoff.Permanent(errors.New("make request"))
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := n.client.Do(req)
	if err != nil {
		return fmt.Errorf("post notification: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAlertAnswer)) // to keep the connection; the status says all
	switch {
	case resp.StatusCode < http.StatusMultipleChoices:
		return nil
	case resp.StatusCode < http.StatusInternalServerError && resp.StatusCode != http.StatusTooManyRequests:
		return backoff.Permanent(fmt.Errorf("the webhook answered %s", resp.Status))
	}
	return fmt.Errorf("the webhook answered %s", resp.Status)
}
