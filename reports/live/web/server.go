// Package web shows runs while they go on to browsers on this machine, and to
// systems that scrape metrics.
//
// It decides nothing and holds nothing up: events are handed over in a bounded
// queue, a browser gets the newest state and not the way to it, and closing
// takes no longer than a moment whoever is connected.
package web

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/proofload/proofload/reports/html"
)

const (
	maxReaders   = 32               // browsers at a time
	writeTimeout = 5 * time.Second  // for one browser to take what changed
	beat         = 15 * time.Second // between signs of life
	farewell     = time.Second      // for all browsers to take how it ended
)

// The events that a browser is sent.
const (
	eventPart   = "part"   // an [html.Part]
	eventReport = "report" // the report of a run that is over
	eventEnd    = "end"    // nothing comes after it
)

// A Config says what a page can do beside showing.
type Config struct {
	Address string                           // loopback only; empty: any free port of 127.0.0.1
	Stop    func()                           // stop the run and mend, as Ctrl-C does
	Answer  func(id string, goOn bool) error // to what the run asks; nil: it asks nothing
}

// A Server is the page. Runs are shown on it one after the other.
type Server struct {
	cfg     Config
	board   *board
	painter *html.Painter
	token   string
	policy  string // content security policy of all that is served below the token
	host    string // and port, as it listens
	http    *http.Server
	served  chan struct{} // closed when it does not listen any more

	readers atomic.Int32
	feed    atomic.Pointer[Feed] // of the run under way
	ended   []html.Ended         // only touched by who runs the runs
}

// Open begins to listen. The page is only for those who know [Server.URL].
func Open(cfg Config) (*Server, error) {
	painter, err := html.NewPainter()
	if err != nil {
		return nil, err
	}
	source, err := html.ScriptSource()
	if err != nil {
		return nil, fmt.Errorf("open live page: %w", err)
	}
	l, err := Listen(cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("open live page: %w", err)
	}
	s := &Server{
		cfg: cfg, board: newBoard(), painter: painter, token: strings.ToLower(rand.Text()), policy: policyWith(source),
		host: l.Addr().String(), served: make(chan struct{}),
	}
	s.http = &http.Server{Handler: s.handler(), ReadHeaderTimeout: writeTimeout, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	go func() {
		defer close(s.served)
		_ = s.http.Serve(l) // ends with Close
	}()
	return s, nil
}

// Listen listens on an address of this machine alone: HOST:PORT, :PORT or PORT.
// What is left out is 127.0.0.1, and any free port.
func Listen(address string) (net.Listener, error) {
	host, port, err := Address(address)
	if err != nil {
		return nil, err
	}
	return net.Listen("tcp", net.JoinHostPort(host, port)) //nolint:noctx // it takes no time on loopback
}

// Address reads an address to listen on, and says what is wrong with it.
func Address(address string) (host, port string, err error) {
	host, port = "127.0.0.1", "0"
	switch _, number := strconv.Atoi(address); {
	case address == "":
	case number == nil:
		port = address
	default:
		h, p, err := net.SplitHostPort(address)
		if err != nil {
			return "", "", fmt.Errorf("address %q: write HOST:PORT or PORT, for example 127.0.0.1:8080", address)
		}
		if h != "" {
			host = h
		}
		port = p
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", "", fmt.Errorf("address %q: want a port between 0 and 65535", address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", "", fmt.Errorf("address %q: it is for this machine alone; want 127.0.0.1, ::1 or localhost, and ssh -L from elsewhere", address)
	}
	return host, port, nil
}

// URL is the address of the page. Whoever knows it can stop the run.
func (s *Server) URL() string { return "http://" + s.host + "/" + s.token + "/" }

// handler serves the page below the token to browsers that were sent there, and
// not by a name that somebody else gave this machine.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{token}/{$}", s.page)
	mux.HandleFunc("GET /{token}/live.js", s.script)
	mux.HandleFunc("GET /{token}/events", s.events)
	mux.HandleFunc("GET /{token}/report", s.report)
	mux.HandleFunc("POST /{token}/stop", s.stop)
	mux.HandleFunc("POST /{token}/answer/{id}/{answer}", s.answer)
	return local(s.host, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) != 1 {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", s.policy)
		mux.ServeHTTP(w, r)
	}))
}

// policyWith is the policy of the page and of the reports that it opens. These
// have their script inside, and source names it.
func policyWith(source string) string {
	return "default-src 'none'; script-src 'self' " + source + "; style-src 'unsafe-inline'; connect-src 'self'; img-src data:; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

// local refuses what does not come from a page of this very server: a Host
// that is another name is DNS rebinding, another Origin is a foreign page.
func local(host string, next http.Handler) http.Handler {
	_, port, _ := net.SplitHostPort(host)
	ours := map[string]bool{host: true, "localhost:" + port: true}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		if !ours[r.Host] || origin != "" && !ours[strings.TrimPrefix(origin, "http://")] {
			http.Error(w, "this page is for "+host+" alone", http.StatusForbidden)
			return
		}
		site := r.Header.Get("Sec-Fetch-Site")
		if r.Method == http.MethodPost && site != "" && site != "same-origin" {
			http.Error(w, "only its own page may answer", http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	s.refresh(r.Context())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = s.painter.Page(w, s.board.parts()) // a browser that is gone
}

func (s *Server) script(w http.ResponseWriter, _ *http.Request) {
	script, err := s.painter.Script()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	_, _ = w.Write(script) // a browser that is gone
}

// report is the report of the latest run that is over.
func (s *Server) report(w http.ResponseWriter, r *http.Request) {
	var text struct {
		HTML string `json:"html"`
	}
	if err := json.Unmarshal([]byte(s.board.text(eventReport)), &text); err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(text.HTML)) // a browser that is gone
}

func (s *Server) stop(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Stop != nil {
		s.cfg.Stop()
	}
	s.done(w, r)
}

// done answers a script with nothing, and a form with the page.
func (s *Server) done(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Proofload") != "" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Redirect(w, r, "/"+s.token+"/", http.StatusSeeOther)
}

// Ask shows what the run asks people; no question takes it away.
func (s *Server) Ask(questions []html.Question) error {
	parts, err := s.painter.Asked(questions)
	if err != nil {
		return err
	}
	for _, p := range parts {
		s.board.put(eventPart, p.Name, p.HTML)
	}
	return nil
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	answer := r.PathValue("answer")
	if s.cfg.Answer == nil || answer != "continue" && answer != "abort" {
		http.NotFound(w, r)
		return
	}
	if err := s.cfg.Answer(r.PathValue("id"), answer == "continue"); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	s.done(w, r)
}

// refresh draws the run under way as it is now.
func (s *Server) refresh(ctx context.Context) {
	if f := s.feed.Load(); f != nil {
		f.draw(ctx)
	}
}

// events sends what changes, from the first state on or from where a broken
// connection left off, until the end.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	if s.readers.Add(1) > maxReaders {
		s.readers.Add(-1)
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	defer s.readers.Add(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	seen, _ := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64) // 0 if there is none
	s.refresh(r.Context())
	tick := time.NewTicker(beat)
	defer tick.Stop()
	out := http.NewResponseController(w)
	for {
		posts, changed, ended := s.board.since(seen)
		if err := send(w, out, posts, ended); err != nil || ended {
			return // it is gone, or too slow: it comes back for the newest state
		}
		if len(posts) > 0 {
			seen = posts[len(posts)-1].version
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// send writes events to one browser.
func send(w http.ResponseWriter, out *http.ResponseController, posts []post, ended bool) error {
	if err := out.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	for _, p := range posts {
		data := p.text
		if p.event == eventPart {
			encoded, err := json.Marshal(html.Part{Name: p.name, HTML: p.text})
			if err != nil {
				return err
			}
			data = string(encoded)
		}
		if _, err := fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", p.version, p.event, data); err != nil {
			return err
		}
	}
	last := ": still here\n\n"
	if ended {
		last = "event: " + eventEnd + "\ndata: {}\n\n"
	}
	if _, err := fmt.Fprint(w, last); err != nil {
		return err
	}
	return out.Flush()
}

// Close tells every browser how it ended and stops to listen. It waits for
// nobody for longer than a moment, and does so whether or not ctx is done.
func (s *Server) Close(ctx context.Context) {
	s.board.end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // who is too slow for that is cut off
	}
	<-s.served
}
