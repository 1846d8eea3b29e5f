package httpload

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/proofload/proofload/scenarios"
)

// Options are what a file is read with. The zero value reads files and knows no
// environment.
type Options struct {
	// Lookup resolves ${VAR} and ${secret:NAME}.
	Lookup func(name string) (string, bool)

	// ReadFile reads a file of data, by its path. Nil reads from the disk.
	ReadFile func(path string) ([]byte, error)
}

// Parse reads a workload file and the data that it names, and checks all that
// can be checked without the system. File names it in messages, and data is
// looked for relative to its directory.
//
// The error is *[scenarios.Problems] with every mistake of the file.
func Parse(file string, src []byte, o Options) (*File, error) {
	r, root, err := scenarios.Open("workload", file, src, o.Lookup)
	if err != nil {
		return nil, err
	}
	if o.ReadFile == nil {
		o.ReadFile = readData
	}
	p := &parser{
		Reader: r, file: &File{Path: file, Source: src}, options: o,
		vars: map[string]value{}, acked: map[string]bool{},
	}
	p.Mapping(root, "a workload", p.fileFields())
	p.settings()
	p.sums()
	p.requests()
	p.compileAll()
	if err := r.Err(); err != nil {
		return nil, err
	}
	p.file.Warnings = r.Warnings()
	return p.file, nil
}

// readData reads a file unless it is too large.
func readData(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxData+1))
	if err == nil && len(data) > maxData {
		err = fmt.Errorf("it has more than %d MiB", maxData>>20)
	}
	return data, err
}

// A parser collects what a file says. Keys can be in any order, so the parts
// that speak of each other are read first and understood later.
type parser struct {
	*scenarios.Reader

	file    *File
	options Options
	nodes   fileNodes
	drafts  []*draft // of the steps of the file, in their order
	vars    map[string]value
	acked   map[string]bool // requests with ack:
	values  int             // in JSON bodies
}

// fileNodes are the parts of a file; nil where it has none.
type fileNodes struct {
	base, headers, vars, data, auth, endpoints, maxBody, sums, requests *scenarios.Node
}

// keep makes a setter that keeps the value for later.
func keep(dst **scenarios.Node) func(key, value *scenarios.Node) {
	return func(_, value *scenarios.Node) { *dst = value }
}

// fileFields are the keys at the top of the file.
func (p *parser) fileFields() []scenarios.Field {
	n := &p.nodes
	return []scenarios.Field{
		{Key: "proofload", Need: true, Set: func(_, _ *scenarios.Node) {}}, // read before all others
		{Key: "name", Need: true, Set: func(k, v *scenarios.Node) { p.file.Name, _ = p.Name(v, k.Text()) }},
		{Key: "about", Set: func(k, v *scenarios.Node) { p.file.About, _ = p.Words(v, k.Text()) }},
		{Key: "base", Set: keep(&n.base)},
		{Key: "headers", Set: keep(&n.headers)},
		{Key: "vars", Set: keep(&n.vars)},
		{Key: "data", Set: keep(&n.data)},
		{Key: "auth", Set: keep(&n.auth)},
		{Key: "endpoints", Set: keep(&n.endpoints)},
		{Key: "max_body", Set: keep(&n.maxBody)},
		{Key: "answers", Set: func(_, v *scenarios.Node) { p.Mapping(v, "what answers say", p.answersFields()) }},
		{Key: "sums", Set: keep(&n.sums)},
		{Key: "requests", Need: true, Set: keep(&n.requests)},
	}
}

// settings reads what the requests use.
func (p *parser) settings() {
	if n := p.nodes.vars; n != nil {
		p.Pairs(n, "variables and their values", "{tenant: acme}", func(k, v *scenarios.Node) { p.vars[k.Text()] = p.fixed(v, k.Text()) })
	}
	if n := p.nodes.data; n != nil {
		p.Pairs(n, "names and their data", "{skus: {csv: ./skus.csv}}", p.data)
	}
	if n := p.nodes.endpoints; n != nil {
		p.Pairs(n, "names and where they are", "{books: postgres/pgbouncer}", p.endpointOf)
	}
	if n := p.nodes.base; n != nil {
		p.file.Base = p.fixed(n, "base").text
		if s := p.file.Base; s != "" && !strings.HasPrefix(s, "http://") && !strings.HasPrefix(s, "https://") {
			p.Add(n, "this is no address of a system", "write for example http://localhost:8080")
		}
	}
}

// fixed reads a value that is the same for all requests.
func (p *parser) fixed(n *scenarios.Node, what string) value {
	if n.IsScalar() && !n.IsText() {
		v, ok := p.constantJSON(n)
		if !ok {
			return value{}
		}
		return literal(v)
	}
	t, ok := p.template(n, what, &scope{})
	if ok && !t.isConstant() {
		p.Add(n, what+" is the same for all requests", "give a request set: for what changes")
		return value{}
	}
	return text(t.render(nil))
}

// data reads one table.
func (p *parser) data(name, n *scenarios.Node) {
	f := &feed{name: name.Text(), pick: pickSequential, broken: true}
	p.file.feeds = append(p.file.feeds, f) // also if it is broken, so that it is known
	var csvFile, jsonl, types *scenarios.Node
	sound := p.Mapping(n, "data", p.feedFields(f, &csvFile, &jsonl, &types))
	if !localName.MatchString(f.name) || p.reserved(f.name) {
		p.Add(name, fmt.Sprintf("data cannot be called %q", f.name), "use a to z, 0 to 9, - and _, and no name of a function")
		return
	}
	source := csvFile
	if source == nil {
		source = jsonl
	}
	switch {
	case !sound:
		return
	case csvFile == nil && jsonl == nil, csvFile != nil && jsonl != nil:
		p.Add(name, f.name+" needs one file", "write csv: or jsonl:")
		return
	case types != nil && jsonl != nil:
		p.Add(types, "values of a JSONL file have types already", "leave types: out")
		return
	}
	p.readFeed(f, source, types, csvFile != nil)
}

func (p *parser) feedFields(f *feed, csvFile, jsonl, types **scenarios.Node) []scenarios.Field {
	return []scenarios.Field{
		{Key: "csv", Set: keep(csvFile)},
		{Key: "jsonl", Set: keep(jsonl)},
		{Key: "pick", Set: func(k, v *scenarios.Node) {
			f.pick, _ = p.OneOf(v, k.Text(), pickSequential, pickRandom, pickUnique)
		}},
		{Key: "types", Set: keep(types)},
	}
}

// readFeed reads the file of a table.
func (p *parser) readFeed(f *feed, source, types *scenarios.Node, isCSV bool) {
	path := p.fixed(source, "the file").text
	if path == "" {
		return
	}
	f.file = path
	kinds := map[string]string{}
	if types != nil {
		p.Pairs(types, "columns and their types", "{price: number}", func(k, v *scenarios.Node) {
			kinds[k.Text()], _ = p.OneOf(v, "the type of "+k.Text(), "number", "boolean", "text")
			if kinds[k.Text()] == "text" {
				kinds[k.Text()] = ""
			}
		})
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(p.file.Path), path)
	}
	src, err := p.options.ReadFile(path)
	if err != nil {
		p.Add(source, "cannot read the data: "+err.Error(), "the path is relative to the workload file")
		return
	}
	var wrong *mistake
	if isCSV {
		wrong = f.readCSV(src, kinds)
	} else {
		wrong = f.readJSONL(src)
	}
	if wrong != nil {
		p.Add(source, wrong.msg, wrong.hint)
		return
	}
	f.broken = false
}

// reserved reports whether a name already means something in expressions.
func (p *parser) reserved(name string) bool {
	return slices.Contains(append(functionNames(), "vars", "recent", "secret"), name)
}

// size reads a number of bytes.
func (p *parser) size(n *scenarios.Node, what string) int64 {
	source, ok := p.Scalar(n, what)
	if !ok {
		return 0
	}
	for _, unit := range []struct {
		name  string
		bytes int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"KB", 1e3}, {"MB", 1e6}, {"B", 1}} {
		digits, found := strings.CutSuffix(source, unit.name)
		if !found {
			continue
		}
		v, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err == nil && v > 0 && v <= (1<<30)/unit.bytes {
			return v * unit.bytes
		}
		break
	}
	p.Add(n, fmt.Sprintf("%q is no size", source), "write a number and a unit up to 1024 MiB, for example 64KB or 5MB")
	return 0
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
