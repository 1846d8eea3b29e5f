package scenarios

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzParse checks that no input makes the parser panic, that every problem
// has a place, and that a valid file means the same each time.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/lint/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "testdata/full.yaml") {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		first, err := Parse("f.yaml", src, nil)
		second, again := Parse("f.yaml", src, nil)
		if err != nil {
			if again == nil || again.Error() != err.Error() {
				t.Fatalf("first: %v\nsecond: %v", err, again)
			}
			problems, ok := errors.AsType[*Problems](err)
			if !ok {
				t.Fatalf("error is %T, want *Problems", err)
			}
			for _, q := range problems.List {
				if q.Pos.Line < 1 || q.Pos.Col < 1 || q.Msg == "" {
					t.Fatalf("a problem without a place or text: %+v", q)
				}
			}
			return
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatalf("the same file has two meanings:\n%s", diff)
		}
		if len(first.Load.Phases) == 0 || first.Target == "" || first.Repeat.Times < 1 {
			t.Fatalf("not a scenario: %+v", first)
		}
	})
}

// FuzzLimit checks that a limit that is accepted is a number within reason and
// has the side of its metric.
func FuzzLimit(f *testing.F) {
	for _, text := range []string{"250ms", "<= 1m30s", "0.1%", ">= 99%", "0", "", "\n", "1e309%", "9h9m9s9ms"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range metrics() {
			op, limit, wrong := m.limit(text)
			switch {
			case wrong != nil:
				if wrong.msg == "" {
					t.Errorf("%s: %q: no message", m.name, text)
				}
			case !(limit >= 0 && limit <= 1e12):
				t.Errorf("%s: %q is %v", m.name, text, limit)
			case m.lower != (op == ">="):
				t.Errorf("%s: %q is %s", m.name, text, op)
			}
		}
	})
}
