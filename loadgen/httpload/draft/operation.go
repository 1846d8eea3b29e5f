package draft

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// request writes one request.
func (a *api) request(o operation) {
	r := request{name: o.name, method: o.method, weight: 1}
	if o.method == "get" {
		r.weight = readWeight
	}
	for _, s := range o.good() {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			r.status = append(r.status, n)
		}
	}
	item, key := a.makes(o)
	r.path = a.pathOf(o, &r, item == o.path)
	a.parameters(o, &r)
	a.body(o, &r)
	if item != "" && a.reachable(item) {
		made := "$." + key
		if item == o.path {
			made = "${id}"
		}
		last := parameter.FindAllStringIndex(item, -1)
		at := last[len(last)-1]
		r.ack = pairs{{"key", made}, {"lookup", a.prefix + safePath(item[:at[0]]) + "${key}" + safePath(item[at[1]:])}}
	}
	a.w.requests = append(a.w.requests, r)
}

// reachable reports whether a path has no parameter but its last, which is the
// key.
func (*api) reachable(item string) bool { return len(parameter.FindAllString(item, -1)) == 1 }

// recent returns the expression for what another request made, or nothing: that
// must be known, and requests must not wait for each other.
func (a *api) recent(maker, item, name string) string {
	if maker == "" || maker == name || !a.reachable(item) || a.waits(maker, name, 0) {
		return ""
	}
	if !slices.Contains(a.wants[name], maker) {
		a.wants[name] = append(a.wants[name], maker)
	}
	return "${recent." + maker + "}"
}

// waits reports whether one request needs what another made.
func (a *api) waits(name, other string, depth int) bool {
	return depth < maxDepth && slices.ContainsFunc(a.wants[name], func(w string) bool { return w == other || a.waits(w, other, depth+1) })
}

// refer returns the expression for a property that names something which a
// request makes: customer or customer_id, if there is /customers/{id}.
func (a *api) refer(property, name string) string {
	thing := strings.TrimSuffix(kebab(property), "-id")
	for _, item := range sortedKeys(a.made) {
		segments := strings.Split(strings.Trim(item, "/"), "/")
		if len(segments) < 2 {
			continue
		}
		collection := kebab(segments[len(segments)-2])
		if collection == thing+"s" || collection == thing+"es" || strings.HasSuffix(thing, "y") && collection == strings.TrimSuffix(thing, "y")+"ies" {
			if x := a.recent(a.made[item], item, name); x != "" {
				return x
			}
		}
	}
	return ""
}

// vary makes of a sample what clients would send: it speaks of what other
// requests made, and of no one twice who can be there but once. An example would
// be the same each time.
func (a *api) vary(v any, schema tree, name string) any {
	p, ok := v.(pairs)
	if !ok {
		return v
	}
	login := slices.ContainsFunc(p, func(e pair) bool { return secretKey.MatchString(e.key) })
	for i, e := range p {
		s := schema.get("properties", e.key)
		switch e.value.(type) {
		case pairs:
			p[i].value = a.vary(e.value, s, name)
			continue
		case []any, bool, nil:
			continue
		}
		if x := a.refer(e.key, name); x != "" {
			p[i].value = x
		} else if s.get("format").text() == "email" {
			p[i].value = sampleString(s)
		} else if text, isText := e.value.(string); isText && mailAddress.MatchString(text) && !login {
			p[i].value = sampleMail
		}
	}
	return p
}

// mailAddress is one that a document gives as an example, and does not call so.
var mailAddress = regexp.MustCompile(`^[^@\s${}]+@[^@\s${}]+\.[a-z]+$`)

// pathOf writes a path with its parameters. Client says that the client makes
// the last one.
func (a *api) pathOf(o operation, r *request, client bool) string {
	all := parameter.FindAllStringSubmatchIndex(o.path, -1)
	var b strings.Builder
	b.WriteString(a.prefix)
	from := 0
	for i, at := range all {
		b.WriteString(safePath(o.path[from:at[0]]))
		name, item := o.path[at[2]:at[3]], o.path[:at[1]]
		maker := a.made[item]
		switch {
		case client && i == len(all)-1:
			r.set = pairs{{"id", "${uuid}"}}
			b.WriteString("${id}")
		case a.recent(maker, item, o.name) != "":
			b.WriteString(a.recent(maker, item, o.name))
		default:
			p := o.parameter(name)
			v := sample(p.get("schema"), 0)
			if e := p.get("example"); e.exists() {
				v = ordered(e.at)
			}
			b.WriteString(segment(v))
		}
		from = at[1]
	}
	b.WriteString(safePath(o.path[from:]))
	return b.String()
}

// safePath writes what a path cannot hold as it is in its encoded form.
func safePath(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("$\"<>\\^`{|}#", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// segment writes a sample into a path.
func segment(v any) string {
	switch v := v.(type) {
	case string:
		if strings.Contains(v, "${") && !strings.Contains(v, "$${") {
			return v
		}
		return url.PathEscape(strings.ReplaceAll(v, "$${", "${"))
	case pairs, []any, nil:
		return "${letters(8)}"
	}
	return flow(v)
}

// parameters writes those of query and header that are needed.
func (a *api) parameters(o operation, r *request) {
	for _, p := range o.parameters {
		name := p.get("name").text()
		example := p.get("example")
		if !p.get("required").truth() && !example.exists() && !strings.EqualFold(name, "Idempotency-Key") {
			continue
		}
		v := sample(p.get("schema"), 0)
		switch {
		case strings.EqualFold(name, "Idempotency-Key"):
			v = "${uuid}"
		case example.exists():
			v = ordered(example.at)
		}
		switch in := p.get("in").text(); {
		case in == "query":
			r.query = r.query.with(name, single(v))
		case in == "header" && headerName.MatchString(name) && !strings.EqualFold(name, "Authorization"):
			r.headers = r.headers.with(name, single(v))
		}
	}
}

// body writes what a request sends.
func (a *api) body(o operation, r *request) {
	content := o.get("requestBody", "content")
	for _, kind := range content.keys() {
		media := content.get(kind)
		v := sample(media.get("schema"), 0)
		if e := media.get("example"); e.exists() {
			v = ordered(e.at)
		}
		v = a.vary(v, media.get("schema"), o.name)
		switch form, isMap := v.(pairs); {
		case strings.Contains(kind, "json"):
			r.json = v
			return
		case strings.HasPrefix(kind, formType) && isMap:
			for _, e := range form {
				r.form = r.form.with(e.key, single(e.value))
			}
			return
		}
	}
}
