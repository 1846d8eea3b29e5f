package draft

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// HAR writes a workload from a browser's recording in the HTTP Archive format:
// one journey of the requests to the site, with the pauses of the person as
// think times. Styles, pictures and other sites are left out, and so are
// cookies: a client keeps those that the system gives it.
//
// What one answer gave and a later request sent is extracted. No password and no
// token of the recording is written: there are names of secrets in their place.
func HAR(file string, src []byte) ([]byte, error) {
	doc, err := decodeJSON(file, src)
	if err != nil {
		return nil, fmt.Errorf("read recording: %w", err)
	}
	root := tree{root: doc, at: doc}
	if !root.get("log", "entries").exists() {
		return nil, fmt.Errorf("read recording: %s: it has no log.entries: it is no HTTP Archive", file)
	}
	h := &recording{names: names{}, given: map[string]gift{}, seen: map[string]int{}}
	h.w = workload{from: filepath.Base(file), name: "recorded", journey: "recorded"}
	if pages := root.get("log", "pages").items(); len(pages) > 0 {
		if title := pages[0].get("title").text(); title != "" && !strings.Contains(title, "://") {
			h.w.name = kebab(title)
		}
	}
	entries := root.get("log", "entries").items()
	h.site = mainSite(entries)
	for _, e := range entries {
		h.entry(e)
	}
	if len(h.w.requests) == 0 {
		return nil, fmt.Errorf("read recording: %s: %w", file, errNoRequests)
	}
	h.w.base = "${BASE_URL:-" + h.site + "}"
	h.summary()
	return h.w.text(), nil
}

// A recording is one that a workload is written from.
type recording struct {
	w     workload
	site  string // scheme and host
	names names
	given map[string]gift // what answers gave, by value
	ended time.Time       // the last request
	seen  map[string]int  // what is left out, by why
}

// mainSite is the one with the most requests that are no decoration.
func mainSite(entries []tree) string {
	n := map[string]int{}
	best := ""
	for _, e := range entries {
		u, err := url.Parse(e.get("request", "url").text())
		if err != nil || u.Host == "" || decoration(e) {
			continue
		}
		site := u.Scheme + "://" + u.Host
		n[site]++
		if n[site] > n[best] {
			best = site
		}
	}
	return best
}

// decoration reports whether an entry is a file that changes nothing.
func decoration(e tree) bool {
	kind := strings.ToLower(e.get("response", "content", "mimeType").text())
	for _, k := range []string{"image/", "font/", "video/", "audio/", "text/css", "javascript", "application/wasm", "application/font"} {
		if strings.Contains(kind, k) {
			return true
		}
	}
	u, err := url.Parse(e.get("request", "url").text())
	return err == nil && slices.Contains([]string{
		".css", ".js", ".mjs", ".map", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".ico", ".webp", ".avif", ".woff", ".woff2", ".ttf", ".mp4",
	}, strings.ToLower(path.Ext(u.Path)))
}

// entry writes one request.
func (h *recording) entry(e tree) {
	u, err := url.Parse(e.get("request", "url").text())
	method := strings.ToLower(e.get("request", "method").text())
	status, _ := e.get("response", "status").number()
	switch {
	case err != nil || u.Scheme+"://"+u.Host != h.site || !hostName.MatchString(u.Host):
		h.seen["to other sites"]++
		return
	case decoration(e):
		h.seen["for styles, scripts, pictures and fonts"]++
		return
	case !slices.Contains([]string{"get", "post", "put", "patch", "delete", "head"}, method) || !(status >= 200 && status < 600):
		h.seen["without an answer, or that browsers send by themselves"]++
		return
	}
	r := request{method: method, name: h.names.fresh(kebab(method + " " + u.Path)), status: []any{int64(status)}}
	r.think = h.think(e)
	r.path = h.pathOf(u)
	h.headers(e, &r)
	h.body(e, &r)
	h.w.requests = append(h.w.requests, r)
	h.remember(e)
}

// Think times outside of these are no person's.
const (
	shortThink = 100 * time.Millisecond
	longThink  = 30 * time.Second
)

// think returns how long the person thought before a request.
func (h *recording) think(e tree) string {
	began, err := time.Parse(time.RFC3339, e.get("startedDateTime").text())
	if err != nil {
		return ""
	}
	took, _ := e.get("time").number()
	last := h.ended
	if end := began.Add(time.Duration(took * float64(time.Millisecond))); end.After(h.ended) {
		h.ended = end
	}
	pause := began.Sub(last).Round(shortThink)
	if last.IsZero() || pause < shortThink || len(h.w.requests) == 0 {
		return ""
	}
	return min(pause, longThink).String()
}

// pathOf writes a path with what earlier answers gave.
func (h *recording) pathOf(u *url.URL) string {
	begin, rest := h.redirected(u.EscapedPath())
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		if plain, err := url.PathUnescape(s); err == nil {
			if name := h.use(plain); name != "" {
				segments[i] = "${" + name + "}"
				continue
			}
		}
		segments[i] = safePath(s)
	}
	var b strings.Builder
	b.WriteString(cmp.Or(begin+strings.Join(segments, "/"), "/"))
	separator := "?"
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		plain, err := url.QueryUnescape(value)
		value = safePath(value)
		if err == nil {
			value = url.QueryEscape(plain)
			if v := h.value(key, plain); v != fixedText(plain) {
				value = v
			}
		}
		b.WriteString(separator + url.QueryEscape(unescaped(key)) + "=" + value)
		separator = "&"
	}
	return b.String()
}

func unescaped(s string) string {
	plain, err := url.QueryUnescape(s)
	if err != nil {
		return s
	}
	return plain
}

// headers writes those that a program sends on purpose.
func (h *recording) headers(e tree, r *request) {
	for _, f := range e.get("request", "headers").items() {
		name, value := f.get("name").text(), f.get("value").text()
		switch low := strings.ToLower(name); {
		case low == "authorization":
			scheme, token, _ := strings.Cut(value, " ")
			if used := h.use(token); used != "" {
				r.headers = r.headers.with("Authorization", fixedText(scheme)+" ${"+used+"}")
				continue
			}
			r.headers = r.headers.with("Authorization", fixedText(scheme)+" ${secret:API_TOKEN}")
		case low == "accept" && !strings.Contains(value, "text/html"):
			r.headers = r.headers.with("Accept", fixedText(value))
		case headerName.MatchString(name) && (strings.HasPrefix(low, "x-") || low == "idempotency-key"):
			r.headers = r.headers.with(name, h.value(name, value))
		}
	}
}

// body writes what was sent.
func (h *recording) body(e tree, r *request) {
	post := e.get("request", "postData")
	kind, text := post.get("mimeType").text(), post.get("text").text()
	switch {
	case strings.Contains(kind, "json"):
		if doc, err := decodeAny(text); err == nil {
			r.json = h.replace("", doc)
			return
		}
	case strings.HasPrefix(kind, "application/x-www-form-urlencoded"):
		values, err := url.ParseQuery(text)
		if err == nil && len(values) > 0 {
			for _, key := range sortedKeys(values) {
				r.form = append(r.form, pair{key, h.value(key, values[key][0])})
			}
			return
		}
	}
	switch {
	case text == "":
	case strings.HasPrefix(kind, "multipart/") || secretKey.MatchString(text):
		h.w.left = append(h.w.left, "the body of "+r.name+": it may hold secrets")
	default:
		r.body = fixedText(text)
		r.headers = r.headers.with("Content-Type", fixedText(oneLine(kind)))
	}
}

func decodeAny(text string) (doc any, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	err = d.Decode(&doc)
	return doc, err
}

// replace writes a JSON value with what earlier answers gave.
func (h *recording) replace(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		p := pairs{}
		for _, k := range sortedKeys(v) {
			p = append(p, pair{k, h.replace(k, v[k])})
		}
		return p
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = h.replace(key, v[i])
		}
		return list
	case string:
		return h.value(key, v)
	case json.Number:
		if name := h.use(v.String()); name != "" {
			return "${" + name + "}"
		}
	}
	return v
}

var secretKey = regexp.MustCompile(`(?i)passw|secret|token|csrf|otp|api[-_]?key|session`)

// value writes a value that was sent: what an answer gave by its name, and
// secrets by theirs.
func (h *recording) value(key, v string) string {
	if name := h.use(v); name != "" {
		return "${" + name + "}"
	}
	if secretKey.MatchString(key) && v != "" {
		return "${secret:" + strings.ToUpper(strings.ReplaceAll(kebab(key), "-", "_")) + "}"
	}
	return fixedText(v)
}

// summary says what is left out.
func (h *recording) summary() {
	for _, why := range sortedKeys(h.seen) {
		what := "requests"
		if h.seen[why] == 1 {
			what = "request"
		}
		h.w.left = append(h.w.left, fmt.Sprintf("%d %s %s", h.seen[why], what, why))
	}
}
