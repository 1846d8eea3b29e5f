package jsonreport_test

import (
	"bytes"
	"errors"
	"flag"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
	jsonreport "github.com/proofload/proofload/reports/json"
	"github.com/proofload/proofload/reports/reportstest"
	"github.com/proofload/proofload/reports/schema"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGolden holds the shortest result as a whole: it has every key that a result
// always has. That of a failed drill has those of recoveries, faults and the
// system, of whose series and spread of latencies two entries are enough.
func TestGolden(t *testing.T) {
	failed := reportstest.LostWrites()
	failed.Comparison = reportstest.Slower()
	failed.Series, failed.Windows = failed.Series[:2], failed.Windows[:2]
	for i := range failed.Heat {
		failed.Heat[i].Counts = failed.Heat[i].Counts[:2]
	}
	for name, r := range map[string]*reports.Result{"short": reportstest.ThreeSeconds(), "fail": failed} {
		reportstest.Golden(t, *update, name+".json", string(write(t, r)))
	}
}

func TestRoundTrip(t *testing.T) {
	for _, example := range reportstest.Examples() {
		t.Run(example.Name, func(t *testing.T) {
			data := write(t, example.Result)
			got, err := jsonreport.ReadResult(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(example.Result, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-written +read):\n%s", diff)
			}
			if again := write(t, got); !bytes.Equal(data, again) {
				t.Error("written again, it differs")
			}
		})
	}
}

func TestWriteResultFitsTheSchema(t *testing.T) {
	examples := append(reportstest.Examples(), reportstest.Example{
		Name: "no-lists",
		Result: &reports.Result{
			Schema: reports.SchemaResult, Verdict: "error", Seed: math.MaxUint64,
			Judgement: check.Judgement{
				Outcome:    check.Inconclusive,
				Objectives: []check.ObjectiveResult{{Unit: "ms", Op: "<=", Outcome: check.Inconclusive}},
				Recoveries: []check.Recovery{{Drill: 1}},
			},
		},
	})
	s := compile(t)
	for _, example := range examples {
		t.Run(example.Name, func(t *testing.T) {
			if err := validate(s, write(t, example.Result)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSchemaRefuses(t *testing.T) {
	s := compile(t)
	for _, c := range []struct{ name, old, new string }{
		{"another version", `"schema": "result/v1"`, `"schema": "result/v2"`},
		{"an unknown verdict", `"verdict": "pass"`, `"verdict": "great"`},
		{"a missing key", `"took_ms"`, `"took"`},
		{"a unit that is not one", `"unit": "ms"`, `"unit": "seconds"`},
		{"text for a number", `"lost": 0,`, `"lost": "none",`},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := string(write(t, reportstest.Pass()))
			changed := strings.Replace(data, c.old, c.new, 1)
			if changed == data {
				t.Fatalf("%s is not in the result", c.old)
			}
			if err := validate(s, []byte(changed)); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestReadResultRefuses(t *testing.T) {
	for _, c := range []struct {
		name, data, want string
		version          bool
	}{
		{"a later major version", `{"schema":"result/v2"}`, `it says "result/v2" and this proofload reads "result/v1"`, true},
		{"version 10", `{"schema":"result/v10"}`, `it says "result/v10"`, true},
		{"another file", `{"schema":"manifest/v1"}`, `it says "manifest/v1"`, true},
		{"no schema", `{}`, `not a result.json`, true},
		{"half a file", `{"schema":"result/v1",`, "unexpected end", false},
		{"two files", `{"schema":"result/v1"}{}`, "after top-level value", false},
		{"text for a number", `{"schema":"result/v1","took_ms":"1 s"}`, "took_ms", false},
		{"nothing", ``, "unexpected end", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := jsonreport.ReadResult(strings.NewReader(c.data))
			if err == nil || r != nil {
				t.Fatalf("got %v, %v", r, err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q in it", err, c.want)
			}
			if errors.Is(err, jsonreport.ErrVersion) != c.version {
				t.Errorf("wraps ErrVersion: %v, want %v", !c.version, c.version)
			}
		})
	}
}

func TestReadResultIgnoresWhatALaterMinorVersionAdds(t *testing.T) {
	r, err := jsonreport.ReadResult(strings.NewReader(`{"schema":"result/v1.7","run":"7f3c","mood":"calm"}`))
	if err != nil {
		t.Fatal(err)
	}
	if r.Run != "7f3c" {
		t.Errorf("run is %q", r.Run)
	}
}

func TestWriteResultLeavesTheResultAlone(t *testing.T) {
	r := &reports.Result{Judgement: check.Judgement{Objectives: make([]check.ObjectiveResult, 1)}}
	write(t, r)
	if r.FaultsLeft != nil || r.Objectives[0].Samples != nil {
		t.Error("the result was changed")
	}
}

func TestWriteResultRefusesWhatIsNoNumber(t *testing.T) {
	err := jsonreport.WriteResult(new(bytes.Buffer), &reports.Result{TookMS: math.NaN()})
	if err == nil || !strings.HasPrefix(err.Error(), "write result: ") {
		t.Errorf("got %v", err)
	}
}

func write(t *testing.T, r *reports.Result) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jsonreport.WriteResult(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema.Result()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err = c.AddResource("result.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("result.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if s.DraftVersion != 7 {
		t.Fatalf("the schema is of draft %d", s.DraftVersion)
	}
	return s
}

func validate(s *jsonschema.Schema, data []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return s.Validate(doc)
}

func TestVersion(t *testing.T) {
	for data, want := range map[string]string{
		`{"schema":"result/v1"}`: "v1", `{"schema":"result/v2.3","run":7}`: "v2.3", `{"schema":"result/../v2"}`: "", `{"schema":"manifest/v1"}`: "",
		`{}`: "", `{"schema":`: "", ``: "",
	} {
		if got := jsonreport.Version([]byte(data)); got != want {
			t.Errorf("version of %s is %q, want %q", data, got, want)
		}
	}
}
