package server

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Live answers the liveness check.
func (h *Health) Live(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, "text/plain; charset=utf-8", []byte("alive\n"))
}

// Ready answers the readiness check. Dependencies that the query names as
// exclude, as often as need be, are left out. With draining=404 an instance
// that drains answers 404 instead of 503, which HAProxy takes as the wish to
// get no new requests and to finish those in flight.
func (h *Health) Ready(w http.ResponseWriter, r *http.Request) {
	status, text := http.StatusOK, "ready"
	query := r.URL.Query()
	draining, missing := h.missing(query["exclude"])
	switch {
	case draining && query.Get("draining") == "404":
		status, text = http.StatusNotFound, "draining"
	case draining:
		status, text = http.StatusServiceUnavailable, "draining"
	case len(missing) > 0:
		status, text = http.StatusServiceUnavailable, "waiting for "+strings.Join(missing, ", ")
	}
	answer(w, status, "text/plain; charset=utf-8", []byte(text+"\n"))
}

// missing returns what is required and does not work, by name.
func (h *Health) missing(exclude []string) (draining bool, names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range h.deps {
		if d.Required && d.state != up && !slices.Contains(exclude, d.Name) {
			names = append(names, d.Name)
		}
	}
	return h.draining.Load(), names
}

// A report is the answer of /healthz.
type report struct {
	Status       string             `json:"status"` // up, degraded, down or draining
	Dependencies []dependencyReport `json:"dependencies"`
}

type dependencyReport struct {
	Name        string     `json:"name"`
	State       state      `json:"state"`
	Required    bool       `json:"required"`
	Since       time.Time  `json:"since"` // of the state
	Checked     *time.Time `json:"checked_at,omitempty"`
	LatencyMS   float64    `json:"latency_ms"` // of the last check
	LastError   string     `json:"last_error,omitempty"`
	LastErrorAt *time.Time `json:"last_error_at,omitempty"`
	Breaker     string     `json:"breaker,omitempty"` // closed, half-open or open
}

// Report answers with the state of each dependency.
func (h *Health) Report(w http.ResponseWriter, _ *http.Request) {
	r := h.report()
	status := http.StatusOK
	if r.Status == string(down) {
		status = http.StatusServiceUnavailable
	}
	body, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"status":"unknown"}`)
	}
	answer(w, status, "application/json", append(body, '\n'))
}

func (h *Health) report() report {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := report{Status: string(up), Dependencies: []dependencyReport{}}
	for _, d := range h.deps {
		one := dependencyReport{
			Name: d.Name, State: d.state, Required: d.Required, Since: d.since.UTC(), Checked: timeOf(d.checked),
			LatencyMS: float64(d.latency.Microseconds()) / 1000, LastError: d.lastError, LastErrorAt: timeOf(d.errorAt),
		}
		if d.Breaker != nil {
			one.Breaker = d.Breaker.State().String()
		}
		r.Dependencies = append(r.Dependencies, one)
		switch {
		case d.state == up:
		case d.Required:
			r.Status = string(down)
		case r.Status == string(up):
			r.Status = "degraded"
		}
	}
	if h.draining.Load() && r.Status != string(down) {
		r.Status = "draining"
	}
	return r
}

// timeOf leaves out times that never were.
func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// Handler serves nothing but the health checks.
func (h *Health) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", h.Live)
	mux.HandleFunc("GET /readyz", h.Ready)
	mux.HandleFunc("GET /healthz", h.Report)
	return mux
}

func answer(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone if this fails; there is nobody to tell
}
