package api

import (
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// compressFrom is the size from which on compressing pays, in bytes.
const compressFrom = 1 << 10

// compress encodes answers with gzip that are large enough, if the client takes
// it. Every handler of this package writes its body at once, so that the first
// write tells the size.
func compress() func(http.Handler) http.Handler {
	writers := &sync.Pool{New: func() any {
		w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
		return w
	}}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := &compressed{ResponseWriter: w, writers: writers, accepted: acceptsGzip(r.Header.Values("Accept-Encoding"))}
			next.ServeHTTP(c, r)
			c.finish()
		})
	}
}

// acceptsGzip reports whether gzip is among the encodings with a quality other
// than zero.
func acceptsGzip(headers []string) bool {
	for item := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		name, params, _ := strings.Cut(item, ";")
		name = strings.TrimSpace(name)
		if name != "gzip" && name != "*" {
			continue
		}
		quality, ok := strings.CutPrefix(strings.TrimSpace(params), "q=")
		q, err := strconv.ParseFloat(quality, 64)
		return !ok || err == nil && q > 0
	}
	return false
}

// compressed is an answer that may become a compressed one.
type compressed struct {
	http.ResponseWriter

	writers  *sync.Pool
	accepted bool
	status   int // 0 until there is one
	begun    bool
	gzip     *gzip.Writer
}

// WriteHeader implements [http.ResponseWriter]. The header is held back until
// the size is known.
func (c *compressed) WriteHeader(status int) {
	if !c.begun {
		c.status = status
	}
}

// Write implements [http.ResponseWriter].
func (c *compressed) Write(p []byte) (int, error) {
	if !c.begun {
		c.begin(len(p))
	}
	if c.gzip != nil {
		return c.gzip.Write(p)
	}
	return c.ResponseWriter.Write(p)
}

// begin sends the header of an answer whose first part has a size.
func (c *compressed) begin(size int) {
	c.begun = true
	// A strong entity tag promises the same bytes.
	if h := c.Header(); size >= compressFrom && !strings.HasPrefix(h.Get("ETag"), `"`) {
		h.Add("Vary", "Accept-Encoding")
		if c.accepted {
			h.Set("Content-Encoding", "gzip")
			c.gzip, _ = c.writers.Get().(*gzip.Writer)
			c.gzip.Reset(c.ResponseWriter)
		}
	}
	if c.status != 0 {
		c.ResponseWriter.WriteHeader(c.status)
	}
}

// finish sends what is held back.
func (c *compressed) finish() {
	if !c.begun {
		c.begin(0)
	}
	if c.gzip != nil {
		_ = c.gzip.Close() // the client is gone if this fails; there is nobody to tell
		c.writers.Put(c.gzip)
	}
}

// Unwrap serves [http.ResponseController].
func (c *compressed) Unwrap() http.ResponseWriter { return c.ResponseWriter }
