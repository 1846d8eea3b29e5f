package httpload

import (
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/loadgen"
	"github.com/proofload/proofload/loadgen/direct"
)

// endpoints are those of a target that is not there.
func endpoints(name string) (string, bool) {
	return "postgres://nobody@localhost:1/x", name == "postgres/pgbouncer"
}

// TestDirectOperations has the operations of a database and a broker among those
// of a workload.
func TestDirectOperations(t *testing.T) {
	f := parse(t, "testdata/direct.yaml")
	if want := []string{"place", "announce", "drain", "latest", "wait"}; cmp.Diff(want, f.Ops()) != "" || !f.Counts() {
		t.Errorf("ops %q, counts %t; want %q, and that they count", f.Ops(), f.Counts(), want)
	}
	w, err := New(t.Context(), f, Config{Seed: 1, BaseURL: "http://localhost", Endpoint: endpoints})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	writes := map[string]bool{}
	for seq := range uint64(200) {
		op := w.Next(1, seq)
		if op.Run == nil {
			t.Fatalf("%s is a request", op.Op)
		}
		writes[op.Op] = op.Write
		if op.Op == "place" && len(op.ID) != 36 {
			t.Errorf("the id of a write is %q, want its key", op.ID)
		}
	}
	// Nothing was acknowledged, so what asks for a write is not sent.
	if diff := cmp.Diff(map[string]bool{"place": true, "drain": true, "latest": false}, writes); diff != "" {
		t.Errorf("operations and whether they write (-want +got):\n%s", diff)
	}
	op := w.Next(1, 0)
	if o := op.Run(t.Context()); op.Op == "place" && (o.Err == nil || o.Sent) {
		t.Errorf("an operation on a database that is not there ends with %+v, want that nothing was sent", o)
	}
}

// TestEndpointsOfAnotherTarget are named with their place.
func TestEndpointsOfAnotherTarget(t *testing.T) {
	f := parse(t, "testdata/direct.yaml")
	const want = "testdata/direct.yaml:5:10: http://localhost:1 has no endpoint postgres/pgbouncer"
	if err := f.Check("http://localhost:1", nil); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("Check = %v, want %q", err, want)
	}
	if err := f.Check("stack/ledger", []string{"postgres/pgbouncer", "amqp/rabbitmq"}); err != nil {
		t.Errorf("Check = %v", err)
	}
	_, err := New(t.Context(), f, Config{BaseURL: "http://localhost"})
	if err == nil || !strings.Contains(err.Error(), "testdata/direct.yaml:5:10: the target has no endpoint postgres/pgbouncer") {
		t.Errorf("New = %v", err)
	}
	far := parseText(t, "endpoints: {db: \"postgres://u:hunter2@db.example/x\"}\nrequests: [{name: a, sql: {read: SELECT 1}}]")
	_, err = New(t.Context(), far, Config{BaseURL: "http://localhost"})
	if err == nil || !strings.Contains(err.Error(), "w.yaml:3:17: db: send load to db.example: host not allowed") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("New with a database elsewhere = %v", err)
	}
}

// TestRowsMeetWhatIsExpected judges the rows of a statement as a body.
func TestRowsMeetWhatIsExpected(t *testing.T) {
	f := parseText(t, `
endpoints: {db: postgres://localhost/x}
requests:
  - name: journey
    steps:
      - {name: read, sql: {read: SELECT}, expect: {rows: 1-2, json: {"$[0].state": open}}, extract: {id: {column: id}}}
      - {name: next, get: "/${id}"}
`)
	for _, tc := range []struct {
		name string
		rows direct.Rows
		want loadgen.Answer
		note string
	}{
		{"good", rows(2, "7", "open"), loadgen.Done, ""},
		{"too many", rows(3, "7", "open"), loadgen.Broken, "8:58: read: rows: 3 was not what is expected"},
		{"another state", rows(1, "7", "shut"), loadgen.Broken, "$[0].state was not"},
		{"no value", rows(1, "", "open"), loadgen.Broken, "read: id found nothing in the answer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := workload(t, f, 1)
			v := w.visit(1, 0)
			v.journey = f.journeys[0]
			v.begin()
			o := v.settle(f.steps[0], loadgen.Outcome{}, rowsAnswer(tc.rows))
			notes, _ := w.Findings()
			if o.Answer != tc.want || tc.note == "" && len(notes) > 0 || tc.note != "" && !strings.Contains(strings.Join(notes, "\n"), tc.note) {
				t.Errorf("answer %v, notes %q; want %v, %q", o.Answer, notes, tc.want, tc.note)
			}
			if tc.want == loadgen.Done && v.locals[0].text != "7" {
				t.Errorf("id = %q", v.locals[0].text)
			}
		})
	}
}

// rows is an answer of n rows, of which it has the first. No text is NULL.
func rows(n int64, id, state string) direct.Rows {
	r := direct.Rows{Columns: []string{"id", "state"}, Values: [][]*string{{&id, &state}}, Affected: n}
	if id == "" {
		r.Values[0][0] = nil
	}
	return r
}

// TestMemoryDoesNotGrowWithWrites keeps more writes than memory should hold.
func TestMemoryDoesNotGrowWithWrites(t *testing.T) {
	const n = 300_000
	f := parseText(t, shopFile)
	w, err := New(t.Context(), f, Config{BaseURL: "http://localhost", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	key := func(i int) string { return "0198c1a2-7c1f-8000-8000-" + strconv.Itoa(1e11+i) }
	before := heap()
	for i := range n {
		e := written{step: f.steps[i%2], key: key(i), id: key(i)}
		if i%2 == 0 {
			e.id = "made-there-1-" + strconv.Itoa(i)
		}
		w.remember(1, e)
	}
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("memory has grown by %d bytes with %d writes", grown, n)
	}
	s := w.forget(1)
	defer s.close()
	i := 0
	err = s.each(func(e written) {
		if e.step != f.steps[i%2] || e.key != key(i) || (e.id == e.key) != (i%2 == 1) {
			t.Fatalf("write %d = %s %s %s", i, e.step.op, e.id, e.key)
		}
		i++
	})
	if err != nil || i != n {
		t.Errorf("%d writes came back, want %d; %v", i, n, err)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // far from the limit
}

// TestWritesThatCannotBeKept leave the question open.
func TestWritesThatCannotBeKept(t *testing.T) {
	w, err := New(t.Context(), parseText(t, shopFile), Config{BaseURL: "http://localhost", Dir: t.TempDir() + "/none"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.remember(1, written{step: w.file.steps[0], key: "k"})
	err = w.Audit(t.Context(), AuditConfig{Drill: 1})
	if err == nil || !strings.Contains(err.Error(), "look up the writes of drill 1: keep writes to look up: ") {
		t.Errorf("Audit = %v", err)
	}
}

func TestHighestParameter(t *testing.T) {
	for sql, want := range map[string]int{
		"SELECT 1": 0, "SELECT $2, $1": 2, "SELECT '$5'": 0, "SELECT 'it''s $3', $1": 1, "SELECT $10 + $9": 10,
	} {
		if got := highest(sql); got != want {
			t.Errorf("%s: %d, want %d", sql, got, want)
		}
	}
}
