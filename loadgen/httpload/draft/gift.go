package draft

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// A gift is a value that an answer gave, which a later request may send.
type gift struct {
	step int    // index of its request
	want string // what it would be called
	from any    // where it is: what extract: says
	name string // once it is used
}

// use returns the name of what an earlier answer gave, and has it extracted.
func (h *recording) use(v string) string {
	g, ok := h.given[v]
	if !ok {
		return ""
	}
	if g.name == "" {
		g.name = h.names.fresh("v-" + kebab(g.want))
		h.given[v] = g
		r := &h.w.requests[g.step]
		r.extract = append(r.extract, pair{g.name, g.from})
	}
	return g.name
}

// shortGift is the shortest text that is taken for the same when it comes
// again; shorter ones are so by chance.
const shortGift = 4

// remember keeps what an answer gave.
func (h *recording) remember(e tree) {
	h.rememberLocation(e)
	content := e.get("response", "content")
	kind := content.get("mimeType").text()
	text := content.get("text").text()
	if content.get("encoding").text() == "base64" {
		plain, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return
		}
		text = string(plain)
	}
	if strings.Contains(kind, "html") {
		h.rememberPage(text)
	}
	if !strings.Contains(kind, "json") {
		return
	}
	if doc, err := decodeAny(text); err == nil {
		h.gifts("$", doc, 0)
	}
}

// made is a path that says which thing was made: its last part has a number.
var made = regexp.MustCompile(`^/[^?#]*/[^/?#]*\d[^/?#]*$`)

// locationPath finds the path in a Location, which may be a whole URL.
const locationPath = `^(?:https?://[^/]+)?(/[^?#]+)`

// rememberLocation keeps where an answer sent the browser, if that is a thing of
// its own: the next client is sent to another.
func (h *recording) rememberLocation(e tree) {
	for _, f := range e.get("response", "headers").items() {
		if !strings.EqualFold(f.get("name").text(), "Location") {
			continue
		}
		u, err := url.Parse(f.get("value").text())
		if err != nil || u.Host != "" && u.Scheme+"://"+u.Host != h.site || !made.MatchString(u.EscapedPath()) {
			continue
		}
		h.give(u.EscapedPath(), gift{want: "location", from: pairs{{"header", "Location"}, {"regex", locationPath}}})
	}
}

// redirected returns the beginning of a path that an earlier answer sent the
// browser to, by its name, and the rest.
func (h *recording) redirected(path string) (name, rest string) {
	for at := len(path); at > 0; at = strings.LastIndexByte(path[:at], '/') {
		if g, ok := h.given[path[:at]]; ok && g.want == "location" {
			return "${" + h.use(path[:at]) + "}", path[at:]
		}
	}
	return "", path
}

// What a page has for the next form: a hidden field, or a token of its head.
var (
	pageTag   = regexp.MustCompile(`(?i)<(?:input|meta)\b[^>]*>`)
	pageName  = regexp.MustCompile(`(?i)\bname="([\w.:-]+)"`)
	pageValue = regexp.MustCompile(`(?i)\b(value|content)="([^"]*)"`)
)

// rememberPage keeps the values of a page's fields. One that is written with
// entities is none of them: it would be extracted as it is written.
func (h *recording) rememberPage(text string) {
	for _, tag := range pageTag.FindAllString(text, -1) {
		name, value := pageName.FindStringSubmatchIndex(tag), pageValue.FindStringSubmatchIndex(tag)
		if name == nil || value == nil {
			continue
		}
		key, v := tag[name[2]:name[3]], tag[value[4]:value[5]]
		place := tag[value[2]:value[3]] + `="([^"]+)"`
		named := `name="` + regexp.QuoteMeta(key) + `"`
		if name[0] < value[0] {
			place = named + `[^>]*\b` + place
		} else {
			place += `[^>]*\b` + named
		}
		if !strings.Contains(v, "&") {
			h.give(v, gift{want: key, from: pairs{{"regex", place}}})
		}
	}
}

var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (h *recording) gifts(at string, v any, depth int) {
	if depth > 6 {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			if plainKey.MatchString(k) {
				h.gifts(at+"."+k, v[k], depth+1)
			}
		}
	case []any:
		for i := range v[:min(len(v), 3)] {
			h.gifts(fmt.Sprintf("%s[%d]", at, i), v[i], depth+1)
		}
	case string:
		h.give(v, gift{want: lastKey(at), from: at})
	case json.Number:
		h.give(v.String(), gift{want: lastKey(at), from: at})
	}
}

func (h *recording) give(v string, g gift) {
	if _, known := h.given[v]; !known && len(v) >= shortGift {
		g.step = len(h.w.requests) - 1
		h.given[v] = g
	}
}

// lastKey returns the last name in a JSONPath.
func lastKey(path string) string {
	parts := strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune("$.[]'", r) })
	names := slices.DeleteFunc(parts, func(p string) bool { return strings.Trim(p, "0123456789") == "" })
	if len(names) == 0 {
		return "value"
	}
	return names[len(names)-1]
}
