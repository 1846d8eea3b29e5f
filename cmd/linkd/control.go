package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/Shopify/toxiproxy/v2/stream"
)

// A server holds all links of the process.
type server struct {
	links  map[string]*link
	logger *slog.Logger
}

// newServer makes all links and lets them listen.
func newServer(ctx context.Context, cfg config, logger *slog.Logger) (*server, error) {
	registerToxics()
	s := &server{links: map[string]*link{}, logger: logger}
	var errs []error
	for i, entry := range cfg.Links {
		l, err := newLink(entry, cfg.Seed, logger)
		if err == nil {
			s.links[entry.Name] = l
			err = l.enable(ctx)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("links[%d]: %w", i, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// close closes all links.
func (s *server) close() {
	for _, l := range s.links {
		l.close()
	}
}

// routes returns the control interface.
func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		s.reply(r.Context(), w, http.StatusOK, map[string]any{"status": "ok", "links": len(s.links)})
	})
	mux.HandleFunc("GET /links/{link}/counters", s.withLink(func(w http.ResponseWriter, r *http.Request, l *link) {
		s.reply(r.Context(), w, http.StatusOK, l.counters())
	}))
	mux.HandleFunc("/links/{link}/{rest...}", s.withLink(s.serveLink))
	return mux
}

// counters are the bytes that a link has passed since it was made.
type counters struct {
	UpstreamIn    int64 `json:"upstream_bytes_in"`    // read from clients
	UpstreamOut   int64 `json:"upstream_bytes_out"`   // delivered to the upstream
	DownstreamIn  int64 `json:"downstream_bytes_in"`  // read from the upstream
	DownstreamOut int64 `json:"downstream_bytes_out"` // delivered to clients
	Connections   int   `json:"connections"`          // open now
	Resets        int64 `json:"resets"`               // connections that a toxic has reset

	// What toxics have let pass. A connection that meets none is not counted.
	UpstreamPieces    int64 `json:"upstream_pieces"`
	UpstreamWaited    int64 `json:"upstream_waited_us"` // of all pieces together, for latencies; what other toxics add is not counted
	UpstreamDropped   int64 `json:"upstream_bytes_dropped"`
	DownstreamPieces  int64 `json:"downstream_pieces"`
	DownstreamWaited  int64 `json:"downstream_waited_us"`
	DownstreamDropped int64 `json:"downstream_bytes_dropped"`
}

func (l *link) counters() counters {
	// Out first: what is delivered between the reads must not look held back
	// the other way round, as more out than in.
	up, down := &l.traffic[stream.Upstream], &l.traffic[stream.Downstream]
	c := counters{UpstreamOut: up.out.Load(), DownstreamOut: down.out.Load(), Connections: l.connections()}
	c.UpstreamIn, c.DownstreamIn = up.in.Load(), down.in.Load()
	c.Resets = l.resetCount.Load()
	c.UpstreamPieces, c.UpstreamWaited, c.UpstreamDropped = up.pieces.Load(), up.waited.Load(), up.dropped.Load()
	c.DownstreamPieces, c.DownstreamWaited, c.DownstreamDropped = down.pieces.Load(), down.waited.Load(), down.dropped.Load()
	return c
}

// withLink finds the link that a request names.
func (s *server) withLink(next func(http.ResponseWriter, *http.Request, *link)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		l, ok := s.links[r.PathValue("link")]
		if !ok {
			s.refuse(r.Context(), w, http.StatusNotFound, fmt.Errorf("no link %q", r.PathValue("link")))
			return
		}
		next(w, r, l)
	}
}

// serveLink hands a request to Toxiproxy's API of the link, unless it could do
// harm there, and puts a change of toxics into effect.
func (s *server) serveLink(w http.ResponseWriter, r *http.Request, l *link) {
	l.apiMu.Lock()
	defer l.apiMu.Unlock()

	inner := r.Clone(r.Context())
	inner.URL.Path, inner.URL.RawPath = "/"+r.PathValue("rest"), ""
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		inner.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		if status, err := l.admit(inner); err != nil {
			s.refuse(r.Context(), w, status, err)
			return
		}
		defer l.applyToxics()
		l.logger.LogAttrs(r.Context(), slog.LevelInfo, "control request",
			slog.String("method", r.Method), slog.String("path", inner.URL.Path))
	}
	l.routes.ServeHTTP(w, inner)
}

// admit decides whether a request that changes something may reach Toxiproxy.
// It carries out enabling and disabling itself and turns the request into one
// that shows the result.
func (l *link) admit(r *http.Request) (status int, err error) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/proxies/"+proxyName)
	name, isToxic := strings.CutPrefix(rest, "/toxics/")
	switch {
	case !ok:
		return http.StatusForbidden, fmt.Errorf("%s %s: linkd serves one proxy, %q, and its configuration file says where", r.Method, r.URL.Path, proxyName)
	case rest == "/toxics" && r.Method == http.MethodPost:
		return http.StatusBadRequest, admitToxic(r)
	case isToxic && r.Method == http.MethodDelete && isGuard(name):
		return http.StatusForbidden, fmt.Errorf("toxic %q carries out all others and stays", name)
	case isToxic && r.Method == http.MethodDelete:
		return 0, nil
	case isToxic:
		return http.StatusMethodNotAllowed, fmt.Errorf("toxic %q cannot be changed: delete it and add another", name)
	case rest == "" && (r.Method == http.MethodPatch || r.Method == http.MethodPost):
		return l.switchProxy(r)
	}
	return http.StatusMethodNotAllowed, fmt.Errorf("%s %s is not possible", r.Method, r.URL.Path)
}

// admitToxic checks the toxic in a request's body and puts it back.
func admitToxic(r *http.Request) error {
	var body struct {
		Name       string          `json:"name"`
		Type       string          `json:"type"`
		Stream     string          `json:"stream"`
		Toxicity   float64         `json:"toxicity"`
		Attributes json.RawMessage `json:"attributes"`
	}
	body.Stream, body.Toxicity, body.Attributes = stream.Downstream.String(), 1, json.RawMessage("{}")
	if err := decode(r.Body, &body); err != nil {
		return fmt.Errorf("read toxic: %w", err)
	}
	t := newToxic(body.Type)
	if t == nil {
		return fmt.Errorf("no toxic of type %q: linkd offers %s", body.Type, strings.Join(offered(), ", "))
	}
	if err := decode(bytes.NewReader(body.Attributes), t); err != nil {
		return fmt.Errorf("read attributes of %s: %w", body.Type, err)
	}
	if err := t.check(); err != nil {
		return fmt.Errorf("add %s: %w", body.Type, err)
	}
	if !(body.Toxicity > 0 && body.Toxicity <= 1) {
		return fmt.Errorf("add %s: toxicity is %v, but it is a share of the connections, above 0 and up to 1", body.Type, body.Toxicity)
	}
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("rewrite toxic: %w", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	r.ContentLength = int64(len(data))
	return nil
}

// isGuard reports whether a toxic is one of the two that every link has.
func isGuard(name string) bool {
	return name == typeGuard+"_upstream" || name == typeGuard+"_downstream"
}

// switchProxy enables or disables the link as a request's body says, or lets it
// lead to another upstream: its connections are closed then.
func (l *link) switchProxy(r *http.Request) (status int, err error) {
	body := struct {
		Name     string          `json:"name"`
		Listen   string          `json:"listen"`
		Upstream string          `json:"upstream"`
		Enabled  bool            `json:"enabled"`
		Toxics   json.RawMessage `json:"toxics"` // Toxiproxy's client repeats them; they stay as they are
	}{Name: proxyName, Listen: l.proxy.Listen, Upstream: l.proxy.Upstream, Enabled: l.proxy.Enabled}
	if err := decode(r.Body, &body); err != nil {
		return http.StatusBadRequest, fmt.Errorf("read proxy: %w", err)
	}
	if body.Name != proxyName || body.Listen != l.proxy.Listen {
		return http.StatusForbidden, errors.New(`only "enabled" and "upstream" can be changed: the configuration file says where a link listens`)
	}
	if body.Upstream != l.proxy.Upstream {
		if err := checkAddress(body.Upstream, true); err != nil {
			return http.StatusBadRequest, fmt.Errorf("upstream %q: %w", body.Upstream, err)
		}
		l.disable()
		l.proxy.Upstream = body.Upstream
	}
	if !body.Enabled {
		l.disable()
	} else if err := l.enable(r.Context()); err != nil {
		return http.StatusInternalServerError, fmt.Errorf("enable: %w", err)
	}
	r.Method, r.Body, r.ContentLength = http.MethodGet, http.NoBody, 0
	return 0, nil
}

// decode reads one JSON value without unknown fields.
func decode(r io.Reader, into any) error {
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// refuse answers with an error in the form that Toxiproxy's clients read.
func (s *server) refuse(ctx context.Context, w http.ResponseWriter, status int, err error) {
	s.reply(ctx, w, status, map[string]any{"error": err.Error(), "status": status})
}

func (s *server) reply(ctx context.Context, w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		s.logger.LogAttrs(ctx, slog.LevelWarn, "write answer", slog.Any("error", err))
	}
}
