package httpload

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReadmeExample parses the example, and makes operations of it.
func TestReadmeExample(t *testing.T) {
	text := string(contents(t, "README.md"))
	_, after, _ := strings.Cut(text, "```yaml\n")
	example, _, found := strings.Cut(after, "```")
	if !found {
		t.Fatal("there is no example")
	}
	f, err := Parse("README.yaml", []byte(example), Options{Lookup: environ})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"create-order", "list-orders", "read-own-write", "open-cart", "pay"}
	if diff := cmp.Diff(want, f.Ops()); diff != "" || !f.Counts() {
		t.Errorf("counts %t, ops (-want +got):\n%s", f.Counts(), diff)
	}
	if op := workload(t, f, 1).Next(1, 0); op.Method == "" {
		t.Errorf("first operation: %+v", op)
	}
}

// TestReadmeNamesEveryFunction holds the table against the functions that there
// are, in both directions.
func TestReadmeNamesEveryFunction(t *testing.T) {
	text := string(contents(t, "README.md"))
	_, table, _ := strings.Cut(text, "## Values")
	table, _, _ = strings.Cut(table, "## Data")
	var got []string
	for _, m := range regexp.MustCompile(`\$\{([a-z_]+)(\([^)]*\))?\}`).FindAllStringSubmatch(table, -1) {
		if name := m[1]; name != "order" && !slices.Contains(got, name) {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(functionNames(), got); diff != "" {
		t.Errorf("functions (-code +README):\n%s", diff)
	}
}
