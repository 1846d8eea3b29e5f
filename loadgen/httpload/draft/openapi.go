package draft

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// errNoRequests is why nothing is written.
var errNoRequests = errors.New("it has no requests that load could be made of")

// OpenAPI writes a workload from an OpenAPI 3 document, in JSON or YAML. File
// names it in messages. What deletes is left out.
//
// A request that makes something which another can read gets ack: and a lookup,
// and what it made is what others ask for.
func OpenAPI(file string, src []byte) ([]byte, error) {
	doc, err := decode(file, src)
	if err != nil {
		return nil, fmt.Errorf("read OpenAPI document: %w", err)
	}
	root := tree{root: doc, at: doc}
	version := root.get("openapi").text()
	if !strings.HasPrefix(version, "3.") {
		if v := root.get("swagger").text(); v != "" {
			return nil, fmt.Errorf("read OpenAPI document: %s: this is Swagger %s, only OpenAPI 3 is read; convert it first", file, v)
		}
		return nil, fmt.Errorf("read OpenAPI document: %s: it does not begin with openapi: 3.x", file)
	}
	a := &api{tree: root, names: names{}, made: map[string]string{}, wants: map[string][]string{}}
	a.w = workload{
		from:  filepath.Base(file),
		name:  kebab(root.get("info", "title").text()),
		about: fixedText(oneLine(firstSentence(root.get("info", "description").text()))),
	}
	a.server()
	a.security()
	a.operations()
	if len(a.w.requests) == 0 {
		return nil, fmt.Errorf("read OpenAPI document: %s: %w", file, errNoRequests)
	}
	return a.w.text(), nil
}

// An api is an OpenAPI document that a workload is written from.
type api struct {
	tree

	w      workload
	names  names
	prefix string              // of every path
	made   map[string]string   // requests that make what a path with a parameter is about, by that path
	wants  map[string][]string // by request: the requests that make what it speaks of
}

// An operation is one of the document.
type operation struct {
	tree

	method, path, name string
	parameters         []tree
}

// readWeight is how often a read is sent beside a write.
const readWeight = 5

// server reads where the system is.
func (a *api) server() {
	servers := a.get("servers").items()
	if len(servers) == 0 {
		return
	}
	address := servers[0].get("url").text()
	for _, name := range servers[0].get("variables").keys() {
		address = strings.ReplaceAll(address, "{"+name+"}", servers[0].get("variables", name, "default").text())
	}
	u, err := url.Parse(address)
	if err != nil {
		return
	}
	a.prefix = safePath(strings.TrimRight(u.EscapedPath(), "/"))
	if a.prefix != "" && a.prefix[0] != '/' {
		a.prefix = "/" + a.prefix
	}
	if u.Host != "" && hostName.MatchString(u.Host) && (u.Scheme == "http" || u.Scheme == "https") {
		u.User = nil
		a.w.base = fmt.Sprintf("${BASE_URL:-%s://%s}", u.Scheme, u.Host)
	}
}

// security reads how clients show who they are. Where they do it is not written
// down: only names of secrets are.
func (a *api) security() {
	needed := a.get("security").items()
	if len(needed) == 0 {
		for _, o := range a.all() {
			needed = append(needed, o.get("security").items()...)
		}
	}
	for _, n := range needed {
		for _, name := range n.keys() {
			if a.scheme(a.get("components", "securitySchemes", name)) {
				return
			}
		}
	}
}

// scheme writes one way to show who one is, if it is known here.
func (a *api) scheme(s tree) bool {
	switch kind, scheme := s.get("type").text(), strings.ToLower(s.get("scheme").text()); {
	case kind == "apiKey" && s.get("in").text() == "header" && headerName.MatchString(s.get("name").text()):
		a.w.headers = append(a.w.headers, pair{s.get("name").text(), "${secret:API_KEY}"})
	case kind == "http" && scheme == "basic":
		a.w.headers = append(a.w.headers, pair{"Authorization", "Basic ${secret:API_BASIC}"})
	case kind == "oauth2" && strings.HasPrefix(s.get("flows", "clientCredentials", "tokenUrl").text(), "/"): // elsewhere is not for load
		a.w.auth = pairs{
			{"post", safePath(s.get("flows", "clientCredentials", "tokenUrl").text())},
			{"form", pairs{{"grant_type", "client_credentials"}, {"client_id", "${CLIENT_ID:?set CLIENT_ID}"}, {"client_secret", "${secret:CLIENT_SECRET}"}}},
			{"token", "$.access_token"},
			{"expires", "$.expires_in"},
		}
	case kind == "http" && scheme == "bearer", kind == "oauth2", kind == "openIdConnect":
		a.w.headers = append(a.w.headers, pair{"Authorization", "Bearer ${secret:API_TOKEN}"})
	default:
		return false
	}
	return true
}

// all lists the operations in the order of their paths.
func (a *api) all() []operation {
	var list []operation
	for _, path := range a.get("paths").keys() {
		item := a.get("paths", path)
		if !strings.HasPrefix(path, "/") {
			continue // x-something
		}
		for _, method := range []string{"post", "put", "get", "patch", "delete"} {
			if o := item.get(method); o.exists() {
				list = append(list, operation{tree: o, method: method, path: path, parameters: append(item.get("parameters").items(), o.get("parameters").items()...)})
			}
		}
	}
	return list
}

// operations writes the requests: first who makes what, then all of them.
func (a *api) operations() {
	var list []operation
	for _, o := range a.all() {
		if why := o.unfit(); why != "" {
			a.w.left = append(a.w.left, fmt.Sprintf("%s %s: %s", strings.ToUpper(o.method), o.path, why))
			continue
		}
		name := o.get("operationId").text()
		if name == "" {
			name = o.method + " " + strings.NewReplacer("{", "", "}", "").Replace(o.path)
		}
		o.name = a.names.fresh(kebab(name))
		if item, _ := a.makes(o); item != "" && a.made[item] == "" {
			a.made[item] = o.name
		}
		list = append(list, o)
	}
	for _, o := range list {
		a.request(o)
	}
}

// unfit says why no request is made of an operation, or nothing.
func (o operation) unfit() string {
	if o.method == "delete" {
		return "it deletes"
	}
	if o.get("deprecated").truth() {
		return "it is deprecated"
	}
	content := o.get("requestBody", "content")
	if len(content.keys()) == 0 || !o.get("requestBody", "required").truth() {
		return ""
	}
	for _, kind := range content.keys() {
		if strings.Contains(kind, "json") || strings.HasPrefix(kind, formType) {
			return ""
		}
	}
	return "it sends what is no JSON and no form"
}

// formType is the content type of a form.
const formType = "application/x-www-form-urlencoded"

var parameter = regexp.MustCompile(`\{([^{}]+)\}`)

// makes returns the path at which what a request makes can be read, and the
// property of the answer that is its key; empty if it makes nothing of the kind.
func (a *api) makes(o operation) (item, key string) {
	if o.method == "put" && a.get("paths", o.path, "get").exists() && strings.HasSuffix(o.path, "}") {
		if a.isUUID(o) {
			return o.path, ""
		}
		return "", ""
	}
	if o.method != "post" {
		return "", ""
	}
	for _, path := range a.get("paths").keys() {
		rest, below := strings.CutPrefix(path, strings.TrimRight(o.path, "/")+"/")
		if !below || !parameter.MatchString(rest) || strings.Contains(rest, "/") || !a.get("paths", path, "get").exists() {
			continue
		}
		name := parameter.FindStringSubmatch(rest)[1]
		properties := a.answer(o).get("properties")
		for _, candidate := range []string{name, "id", "uuid", "key"} {
			if properties.get(candidate).exists() {
				return path, candidate
			}
		}
	}
	return "", ""
}

// isUUID reports whether the last parameter of a path is a UUID, which the
// client makes.
func (a *api) isUUID(o operation) bool {
	all := parameter.FindAllStringSubmatch(o.path, -1)
	return len(all) > 0 && o.parameter(all[len(all)-1][1]).get("schema", "format").text() == "uuid"
}

// parameter returns one of the path.
func (o operation) parameter(name string) tree {
	i := slices.IndexFunc(o.parameters, func(p tree) bool { return p.get("in").text() == "path" && p.get("name").text() == name })
	if i < 0 {
		return tree{root: o.root}
	}
	return o.parameters[i]
}

// answer returns the schema of a good answer.
func (a *api) answer(o operation) tree {
	for _, status := range o.good() {
		content := o.get("responses", status, "content")
		for _, kind := range content.keys() {
			if strings.Contains(kind, "json") && !strings.Contains(kind, "problem") {
				return content.get(kind, "schema")
			}
		}
	}
	return tree{root: o.root}
}

// good lists the statuses of success.
func (o operation) good() []string {
	return slices.DeleteFunc(o.get("responses").keys(), func(s string) bool { return len(s) != 3 || s[0] != '2' })
}

// firstSentence returns the beginning of a text.
func firstSentence(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, "\n"); i >= 0 {
		s = s[:i]
	}
	if i := strings.Index(s, ". "); i >= 0 {
		s = s[:i+1]
	}
	return s
}
