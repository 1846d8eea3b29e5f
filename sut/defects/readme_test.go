package defects

import (
	"os"
	"strings"
	"testing"
)

// TestReadmeExample reads the description that the page shows.
func TestReadmeExample(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "```yaml\n")
	example, _, found := strings.Cut(after, "```")
	if !found {
		t.Fatal("there is no example")
	}
	d, err := parse("local-commit.yaml", []byte(example))
	if err != nil || d.Group != "durability" || len(d.Checks) == 0 {
		t.Errorf("parse() = %+v, %v", d, err)
	}
}
