package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	maxBody        = 8 << 10 // bytes
	mergePatchType = "application/merge-patch+json"
)

// negotiate refuses what the second version cannot read or answer in the form
// that the client wants. The first one never looked.
func negotiate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := checkQuery(r.URL.RawQuery)
		switch {
		case strings.HasPrefix(r.URL.Path, v1+"/"):
			r.Header.Set("Content-Type", jsonType)
		case err != nil:
		case !accepts(r.Header.Values("Accept")):
			err = refuse("not_acceptable", "answers are %s", jsonType)
		case takesBody(r) && !readable(r):
			err = refuse("unsupported_media_type", "the body must be %s in UTF-8, uncompressed", jsonType)
		}
		if err != nil {
			writeProblem(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// checkQuery refuses queries that could be understood in two ways, and values
// that no database holds.
func checkQuery(raw string) error {
	if raw == "" {
		return nil
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return refuse("malformed", "the query cannot be read")
	}
	for name, values := range query {
		if len(values) > 1 {
			return refuse("malformed", "query parameter %q is given twice", name)
		}
		if !isPlain(name) || !isPlain(values[0]) {
			return refuse("malformed", "query parameter %q has control characters or is not UTF-8", name)
		}
	}
	return nil
}

// accepts reports whether a client that sends these Accept headers takes JSON.
func accepts(headers []string) bool {
	list := strings.Join(headers, ",")
	if list == "" {
		return true
	}
	// The most specific range that fits decides.
	specific := map[string]int{"*/*": 0, "application/*": 1, jsonType: 2}
	best, quality := -1, 0.0
	for item := range strings.SplitSeq(list, ",") {
		media, params, err := mime.ParseMediaType(item)
		rank, fits := specific[media]
		if err != nil || !fits || rank < best {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		if err != nil {
			q = 1
		}
		best, quality = rank, q
	}
	return quality > 0
}

func takesBody(r *http.Request) bool {
	return r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch
}

// readable reports whether the media type of the body is one that is read. A
// body without one is taken for JSON.
func readable(r *http.Request) bool {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return false
	}
	header := r.Header.Get("Content-Type")
	if header == "" {
		return true
	}
	media, params, err := mime.ParseMediaType(header)
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	return err == nil && (media == jsonType || r.Method == http.MethodPatch && media == mergePatchType)
}

// receive reads the body before anything is done. A slow client so holds no
// place among the requests being worked on, and no database connection.
func receive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !takesBody(r) {
			next.ServeHTTP(w, r)
			return
		}
		body, err := readAll(w, r)
		if err != nil {
			// Nobody wants the rest of the body.
			w.Header().Set("Connection", "close")
			writeProblem(w, r, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

func readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	errTooLarge := refuse("too_large", "the body is larger than %d bytes", maxBody)
	if r.ContentLength > maxBody {
		return nil, errTooLarge
	}
	conn := http.NewResponseController(w)
	// Without a connection, in tests, there is no deadline; the body is there.
	end, _ := r.Context().Deadline()
	_ = conn.SetReadDeadline(end)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, errTooLarge
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, refuse("body_timeout", "the body did not arrive in time")
	}
	if err != nil {
		return nil, refuse("malformed", "the body ended early")
	}
	_ = conn.SetReadDeadline(time.Time{})
	return body, nil
}
