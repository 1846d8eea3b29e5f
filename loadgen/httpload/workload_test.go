package httpload

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios"
)

// workload makes the workload of a file.
func workload(t *testing.T, f *File, seed uint64) *Workload {
	t.Helper()
	w, err := New(t.Context(), f, Config{Seed: seed, BaseURL: "http://localhost/"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// reply has an operation answered, and returns what its contract says, and what
// follows it.
func reply(op *loadgen.Operation, status int, header http.Header, body string) (loadgen.Answer, *loadgen.Operation, time.Duration) {
	answer := op.Judge(status, header, []byte(body))
	end := loadgen.End{Kind: history.OK, Status: status}
	switch {
	case answer == loadgen.Refused || answer == loadgen.Broken && !op.Write:
		end.Kind = history.Fail
	case answer == loadgen.Broken:
		end.Kind = history.Info
	}
	next, think := op.Then(end)
	return answer, next, think
}

func describe(op loadgen.Operation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s %s\n", op.Op, op.Method, op.Path)
	if op.ID != "" {
		fmt.Fprintf(&b, "  id %s\n", op.ID)
	}
	for _, name := range sortedKeys(op.Header) {
		fmt.Fprintf(&b, "  %s: %s\n", name, strings.Join(op.Header[name], ", "))
	}
	if len(op.Body) > 0 {
		fmt.Fprintf(&b, "  %s\n", op.Body)
	}
	return b.String()
}

// TestOperations shows what the first operations of testdata/full.yaml are. Two
// workloads of the same seed make the same, and one of another seed others.
func TestOperations(t *testing.T) {
	f := parse(t, "testdata/full.yaml")
	first := func(seed uint64) string {
		w := workload(t, f, seed)
		var b strings.Builder
		for seq := range uint64(12) {
			b.WriteString(describe(w.Next(1, seq)))
		}
		return b.String()
	}
	got := first(7)
	const file = "testdata/operations.golden"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(contents(t, file)), got); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(got, first(7)); diff != "" {
		t.Errorf("the same seed makes other operations:\n%s", diff)
	}
	if got == first(8) {
		t.Error("two seeds make the same operations")
	}
}

// TestPerArrival has three journeys of one step to one of three.
func TestPerArrival(t *testing.T) {
	f := parseText(t, "requests: [{name: a, get: /, weight: 3}, {name: buy, steps: [{get: /}, {get: /a}, {get: /b}]}]")
	if got := f.PerArrival(); got != 1.5 {
		t.Errorf("%g operations an arrival, want 1.5", got)
	}
}

func TestWeights(t *testing.T) {
	w := workload(t, parseText(t, "requests: [{name: a, get: /, weight: 3}, {name: b, get: /b}]"), 1)
	n := map[string]int{}
	for seq := range uint64(4000) {
		n[w.Next(1, seq).Op]++
	}
	if n["a"] < 2900 || n["a"] > 3100 || n["a"]+n["b"] != 4000 {
		t.Errorf("operations = %v, want three to one", n)
	}
}

func TestJudge(t *testing.T) {
	f := parseText(t, `
requests:
  - name: get
    get: /
    expect:
      status: [200, 204]
      headers: {Content-Type: "/^application.json/", X-Seq: "${seq}"}
      body: ok
      json: {$.state: done, "$.items[?(@.n > 1)].id": /^b/, $.n: 3, $.yes: true}
`)
	good := http.Header{"Content-Type": {"application/json"}, "X-Seq": {"0"}}
	const body = `{"state": "done", "items": [{"n": 1, "id": "a"}, {"n": 2, "id": "b2"}], "n": 3, "yes": true, "note": "ok"}`
	for _, tc := range []struct {
		name   string
		status int
		header http.Header
		body   string
		want   loadgen.Answer
		note   string
	}{
		{"good", 200, good, body, loadgen.Done, ""},
		{"another good status", 204, good, body, loadgen.Done, ""},
		{"refused", 404, good, body, loadgen.Refused, ""},
		{"broken", 500, good, body, loadgen.Broken, ""},
		{"a success that is not expected", 201, good, body, loadgen.Broken, "the status 201 was not what is expected"},
		{"wrong header", 200, http.Header{"Content-Type": {"text/html"}, "X-Seq": {"0"}}, body, loadgen.Broken, "9:31: get: the header Content-Type was not what is expected"},
		{"wrong value in a header", 200, http.Header{"Content-Type": {"application/json"}, "X-Seq": {"1"}}, body, loadgen.Broken, "the header X-Seq was"},
		{"wrong text", 200, good, strings.ReplaceAll(body, "ok", "no"), loadgen.Broken, "10:13: get: the body was"},
		{"wrong state", 200, good, strings.ReplaceAll(body, "done", "open"), loadgen.Broken, "11:23: get: $.state was"},
		{"wrong number", 200, good, strings.ReplaceAll(body, `"n": 3`, `"n": 4`), loadgen.Broken, "$.n was"},
		{"nothing found", 200, good, strings.ReplaceAll(body, `"n": 2`, `"n": 0`), loadgen.Broken, "$.items[?(@.n > 1)].id was"},
		{"not JSON", 200, good, body + "ok }", loadgen.Broken, "$.state was"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := workload(t, f, 1)
			op := w.Next(1, 0)
			got, _, _ := reply(&op, tc.status, tc.header, tc.body)
			if got != tc.want {
				t.Errorf("answer = %v, want %v", got, tc.want)
			}
			notes, _ := w.Findings()
			if tc.note == "" && len(notes) > 0 || tc.note != "" && (len(notes) != 1 || !strings.Contains(notes[0], tc.note)) {
				t.Errorf("notes = %q, want %q", notes, tc.note)
			}
		})
	}
}

// TestJourney goes through a journey with values from body, header and pattern.
func TestJourney(t *testing.T) {
	f := parseText(t, `
requests:
  - name: buy
    steps:
      - {name: login, post: /login, extract: {token: {header: X-Token}, csrf: {regex: 'csrf="(\w+)"'}}}
      - {name: cart, post: /cart, think: 2s, headers: {X-Token: "${token}"}, json: {csrf: "${csrf}"}, extract: {id: $.id, big: $.big}, ack: {key: $.id, lookup: "/cart/${key}"}}
      - {name: pay, put: "/cart/${id}/pay?big=${big}", think: 1s..3s}
`)
	w := workload(t, f, 1)
	op := w.Next(1, 0)
	if op.Op != "login" || op.Path != "/login" || !op.Write {
		t.Fatalf("first = %s", describe(op))
	}
	_, next, think := reply(&op, 200, http.Header{"X-Token": {"t1"}}, `<input csrf="abc">`)
	if next == nil || think != 2*time.Second || next.Header.Get("X-Token") != "t1" || string(next.Body) != `{"csrf":"abc"}` || next.ID != "cart-1-0" {
		t.Fatalf("second after %v: %v", think, next)
	}
	_, next, think = reply(next, 201, nil, `{"id": "a/b", "big": 12345678901234567890123}`)
	if next == nil || think < time.Second || think >= 3*time.Second || next.Path != "/cart/a%2Fb/pay?big=12345678901234567890123" {
		t.Fatalf("third after %v: %v", think, next)
	}
	if _, next, _ = reply(next, 200, nil, ""); next != nil {
		t.Errorf("more after the last step: %s", describe(*next))
	}

	op = w.Next(1, 1)
	if _, next, _ = reply(&op, 500, nil, ""); next != nil {
		t.Errorf("a step that failed is followed by %s", describe(*next))
	}
}

// TestCookies are kept through a journey, and no further.
func TestCookies(t *testing.T) {
	w := workload(t, parseText(t, "requests: [{name: buy, steps: [{get: /}, {get: /a}, {get: /b, headers: {Cookie: own=1}}]}]"), 1)
	op := w.Next(1, 0)
	_, next, _ := reply(&op, 200, http.Header{"Set-Cookie": {"sid=1; Path=/x", "old=2", "sid=3"}}, "")
	if got := next.Header.Get("Cookie"); got != "old=2; sid=3" {
		t.Errorf("cookies = %q", got)
	}
	_, next, _ = reply(next, 200, http.Header{"Set-Cookie": {"old=; Max-Age=0"}}, "")
	if got := next.Header.Get("Cookie"); got != "own=1" {
		t.Errorf("cookies = %q, want the request's own", got)
	}
	op = w.Next(1, 1)
	if got := op.Header.Get("Cookie"); got != "" {
		t.Errorf("cookies of the next client = %q", got)
	}
}

// TestExtractionThatFindsNothing is named with its place, and leaves the run
// open only if the request was never once good.
func TestExtractionThatFindsNothing(t *testing.T) {
	const file = "requests:\n  - name: open\n    get: /\n    extract: {id: $.id}\n    expect: {status: 200}\n"
	w := workload(t, parseText(t, file), 1)
	for seq := range uint64(3) {
		op := w.Next(1, seq)
		if got, _, _ := reply(&op, 200, nil, `{"idd": 1}`); got != loadgen.Broken {
			t.Fatalf("answer = %v, want Broken", got)
		}
	}
	const want = "testdata/w.yaml:6:19: open: $.id found nothing in the answer (3 times)"
	notes, err := w.Findings()
	if diff := cmp.Diff([]string{want}, notes); diff != "" || err == nil || err.Error() != want {
		t.Errorf("findings = %q, %v; want %q as both", notes, err, want)
	}

	op := w.Next(2, 0)
	reply(&op, 200, nil, `{"id": null}`)
	op = w.Next(2, 1)
	reply(&op, 200, nil, `{"id": 0}`)
	if notes, err = w.Findings(); len(notes) != 1 || err != nil {
		t.Errorf("findings = %q, %v; want one note, and no error since one answer was good", notes, err)
	}
	if notes, err = w.Findings(); len(notes) != 0 || err != nil {
		t.Errorf("findings = %q, %v; want none twice", notes, err)
	}
}

// TestCompressedAnswer says why nothing is found in it.
func TestCompressedAnswer(t *testing.T) {
	w := workload(t, parseText(t, "requests:\n  - {name: open, get: /, extract: {id: $.id}}\n"), 1)
	op := w.Next(1, 0)
	reply(&op, 200, http.Header{"Content-Encoding": {"gzip"}}, "\x1f\x8b")
	const want = `open: $.id found nothing in the answer, whose body came as "gzip" and is not decoded: leave the header Accept-Encoding out`
	if _, err := w.Findings(); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("findings = %v, want %s", err, want)
	}
}

// TestGroupThatTookNoPart: a pattern whose group is not in what it matches has
// found nothing, and not the empty text.
func TestGroupThatTookNoPart(t *testing.T) {
	for _, of := range []string{"", "header: X-Order, "} {
		file := "requests:\n  - name: open\n    get: /\n    extract: {id: {" + of + "regex: \"order(?:=([0-9]+))?\"}}\n"
		w := workload(t, parseText(t, file), 1)
		op := w.Next(1, 0)
		if got, _, _ := reply(&op, 200, http.Header{"X-Order": {"order"}}, "order"); got != loadgen.Broken {
			t.Errorf("%q: answer = %v, want Broken", of, got)
		}
		if _, err := w.Findings(); err == nil || !strings.Contains(err.Error(), "found nothing in the answer") {
			t.Errorf("%q: findings = %v", of, err)
		}
		op = w.Next(1, 1)
		if got, _, _ := reply(&op, 200, http.Header{"X-Order": {"order=7"}}, "order=7"); got != loadgen.Done {
			t.Errorf("%q: answer = %v, want Done", of, got)
		}
	}
}

// TestHeaderThatCannotBeSent is named with its place: it says nothing of the
// system.
func TestHeaderThatCannotBeSent(t *testing.T) {
	const file = "requests:\n  - name: order\n    steps:\n      - {get: /, extract: {tag: $.tag}}\n      - name: use\n        get: /\n        headers: {X-Tag: \"${tag}\"}\n"
	w := workload(t, parseText(t, file), 1)
	op := w.Next(1, 0)
	_, next, _ := reply(&op, 200, nil, `{"tag": "a\r\nX-Evil: b"}`)
	if next == nil || next.Prepare == nil || next.Prepare(t.Context(), http.Header{}) == nil {
		t.Fatal("the request is sent")
	}
	const want = "testdata/w.yaml:7:15: use: the value of header X-Tag cannot be sent"
	if _, err := w.Findings(); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("findings = %v, want %s", err, want)
	}
}

func TestTooLargeAnswerIsNamed(t *testing.T) {
	w := workload(t, parseText(t, "max_body: 2KB\nrequests: [{name: dump, get: /}]"), 1)
	op := w.Next(1, 0)
	if op.MaxBody != 2000 {
		t.Errorf("limit = %d bytes, want 2000", op.MaxBody)
	}
	op.Then(loadgen.End{Kind: history.Fail, Class: loadgen.ClassTooLarge})
	if _, err := w.Findings(); err == nil || !strings.Contains(err.Error(), "w.yaml:4:19: dump: an answer was longer than 2000 bytes") {
		t.Errorf("findings = %v", err)
	}
}

// TestRecentWrites asks only for what was acknowledged, and makes it first.
func TestRecentWrites(t *testing.T) {
	f := parseText(t, `
requests:
  - {name: read, weight: 1000000, get: "/o/${recent.create}", json: {again: "${recent.create}"}}
  - {name: create, post: /o, ack: {key: {header: Location}, lookup: "${key}"}}
`)
	w := workload(t, f, 1)
	op := w.Next(1, 5)
	if op.Op != "create" || op.ID != "create-1-5" {
		t.Fatalf("first = %s, want what makes something to read", describe(op))
	}
	reply(&op, 500, http.Header{"Location": {"/o/1"}}, "")
	if op = w.Next(1, 6); op.Op != "create" {
		t.Fatalf("after a failure = %s, want another try", describe(op))
	}
	reply(&op, 201, http.Header{"Location": {"http://elsewhere/o/9?x=1"}}, "")
	op = w.Next(1, 7)
	if op.Op != "read" || op.Path != "/o/http:%2F%2Felsewhere%2Fo%2F9%3Fx=1" || op.Key != "create-1-6" || !strings.Contains(string(op.Body), "elsewhere") {
		t.Errorf("then = %s, key %q", describe(op), op.Key)
	}
}

// TestRecentKeysKeepTheirType sends a number as a number.
func TestRecentKeysKeepTheirType(t *testing.T) {
	w := workload(t, parseText(t, `
requests:
  - {name: read, weight: 1000000, post: /q, json: {id: "${recent.create}", text: "n ${recent.create}"}}
  - {name: create, post: /o, ack: {key: $.id}}
`), 1)
	op := w.Next(1, 0)
	reply(&op, 201, nil, `{"id": 12}`)
	if op = w.Next(1, 1); string(op.Body) != `{"id":12,"text":"n 12"}` {
		t.Errorf("body = %s", op.Body)
	}
}

// TestLoadStaysAtTheSystem: an answer cannot send load elsewhere.
func TestLoadStaysAtTheSystem(t *testing.T) {
	for path, want := range map[string]string{
		"http://elsewhere/o/9?x=1": "/o/9?x=1", "https://elsewhere": "/", "/a://b": "/a://b", "o/1": "/o/1", "": "/",
	} {
		if got := pathOf(path); got != want {
			t.Errorf("pathOf(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestUniqueRowsRunOut(t *testing.T) {
	f := parseText(t, "data: {users: {jsonl: users.jsonl, pick: unique}}\nrequests: [{name: join, post: \"/${users.name}\", ack: {key: $.id}}]")
	w := workload(t, f, 1)
	var paths []string
	for seq := range uint64(2) {
		paths = append(paths, w.Next(1, seq).Path)
	}
	if diff := cmp.Diff([]string{"/ada", "/bob"}, paths); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
	op := w.Next(1, 2)
	if op.Prepare == nil {
		t.Fatal("the third operation can be sent")
	}
	if err := op.Prepare(t.Context(), http.Header{}); !errors.Is(err, errExhausted) {
		t.Errorf("error = %v, want that the rows ran out", err)
	}
	op.Then(loadgen.End{Kind: history.Fail, Class: loadgen.ClassNotSent})
	if _, err := w.Findings(); err == nil || !strings.Contains(err.Error(), "w.yaml:4:19: join: users.jsonl has 2 rows: every row was used once") {
		t.Errorf("findings = %v", err)
	}
}

func TestPicks(t *testing.T) {
	for pick, want := range map[string][]string{
		pickSequential: {"A-1", "B%2F2", "C%203", "A-1"},
		pickUnique:     {"A-1", "B%2F2", "C%203"},
	} {
		f := parseText(t, "data: {skus: {csv: skus.csv, pick: "+pick+"}}\nrequests: [{name: a, get: \"/${skus.id}\"}]")
		w := workload(t, f, 1)
		var got []string
		for seq := range uint64(len(want)) {
			got = append(got, strings.TrimPrefix(w.Next(1, seq).Path, "/"))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", pick, diff)
		}
	}
	f := parseText(t, "data: {skus: {csv: skus.csv, pick: random}}\nrequests: [{name: a, get: \"/?s=${skus.id}&t=${skus.name}\"}]")
	w := workload(t, f, 1)
	n := map[string]int{}
	for seq := range uint64(3000) {
		n[w.Next(1, seq).Path]++
	}
	want := []string{"/?s=A-1&t=red%2C+large", "/?s=B%2F2&t=blue", "/?s=C+3&t=%22green%22"}
	if diff := cmp.Diff(want, sortedKeys(n)); diff != "" || slices.Min([]int{n[want[0]], n[want[1]], n[want[2]]}) < 850 {
		t.Errorf("%v (-want +got):\n%s", n, diff)
	}
}

// TestFunctions checks the form of what each function makes, in a JSON body.
func TestFunctions(t *testing.T) {
	var fields []string
	for name, fn := range functions() {
		fields = append(fields, fmt.Sprintf("%s: \"${%s}\"", name, fn.usage))
	}
	slices.Sort(fields)
	f := parseText(t, "requests: [{name: a, post: /, json: {"+strings.Join(fields, ", ")+"}}]")
	w := workload(t, f, 3)
	for seq := range uint64(50) {
		op := w.Next(2, seq)
		doc, err := parseJSON(op.Body)
		if err != nil {
			t.Fatalf("%s: %v", op.Body, err)
		}
		m, _ := doc.(map[string]any)
		for name, ok := range map[string]bool{
			"uuid":    len(fmt.Sprint(m["uuid"])) == 36,
			"seq":     m["seq"] == int64(seq),
			"drill":   m["drill"] == int64(2),
			"run":     m["run"] == "000000000000",
			"int":     in(m["int"], 1, 100),
			"zipf":    in(m["zipf"], 1, 1000),
			"bool":    m["bool"] == true || m["bool"] == false,
			"hex":     len(fmt.Sprint(m["hex"])) == 16,
			"letters": len(fmt.Sprint(m["letters"])) == 8,
			"digits":  len(fmt.Sprint(m["digits"])) == 6,
			"pick":    slices.Contains([]any{"red", "green", "blue"}, m["pick"]),
			"now":     strings.HasSuffix(fmt.Sprint(m["now"]), "Z"),
			"date":    len(fmt.Sprint(m["date"])) == 10,
			"unix":    in(m["unix"], 1e9, 1e10),
			"unix_ms": in(m["unix_ms"], 1e12, 1e13),
		} {
			if !ok {
				t.Errorf("%s = %v", name, m[name])
			}
		}
		if v, ok := m["float"].(float64); !ok || v < 0.5 || v > 99.5 {
			t.Errorf("float = %v", m["float"])
		}
	}
}

func in(v any, from, to int64) bool {
	n, ok := v.(int64)
	return ok && from <= n && n <= to
}

// TestEmptyKeyIsNone keeps a write from counting as acknowledged that nobody
// could look up.
func TestEmptyKeyIsNone(t *testing.T) {
	w := workload(t, parseText(t, "requests: [{name: create, post: /o, ack: {key: $.id, lookup: \"/o/${key}\"}}]"), 1)
	op := w.Next(1, 0)
	if got, _, _ := reply(&op, 201, nil, `{"id": ""}`); got != loadgen.Broken {
		t.Errorf("answer with an empty key = %v, want Broken", got)
	}
	if _, err := w.Findings(); err == nil || !strings.Contains(err.Error(), "create: $.id found no key in the answer") {
		t.Errorf("findings = %v", err)
	}
}

// TestFirstNoteOfEachStepIsKept has one request say something different each
// time, and another something once.
func TestFirstNoteOfEachStepIsKept(t *testing.T) {
	n := newNotes("w.yaml", 2)
	for i := range 2 * maxNotes {
		n.add(&scenarios.Node{}, &step{op: "a"}, false, fmt.Sprintf("port %d", i))
	}
	n.add(&scenarios.Node{}, &step{op: "b", index: 1}, false, "found nothing")
	n.add(&scenarios.Node{}, &step{op: "b", index: 1}, true, "no token")
	all, err := n.take()
	if len(all) != maxNotes+2 || err == nil || !strings.Contains(err.Error(), "b: no token") || !slices.ContainsFunc(all, func(s string) bool {
		return strings.HasSuffix(s, "b: found nothing")
	}) {
		t.Errorf("%d notes, %v; want %d, with those of b", len(all), err, maxNotes+2)
	}
}
