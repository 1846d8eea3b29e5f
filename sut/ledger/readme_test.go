package ledger_test

import (
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/proofload/proofload/sut/ledger"
)

// TestReadme keeps README.md true: the tests that it links to exist where it
// says, and it names all variables and no others.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile("\\[`?([^]`]+)`?\\]\\(([^)]+)\\)").FindAllStringSubmatch(string(readme), -1)
	tests := 0
	for _, link := range links {
		name, file := link[1], link[2]
		if !strings.HasSuffix(file, "_test.go") {
			if _, err := os.Stat(file); err != nil {
				t.Errorf("link to %s: %v", file, err)
			}
			continue
		}
		tests++
		source, err := os.ReadFile(path.Clean(file))
		if err != nil || !strings.Contains(string(source), "\nfunc "+name+"(") {
			t.Errorf("there is no %s in %s (%v)", name, file, err)
		}
	}
	if tests < 40 {
		t.Errorf("only %d links to tests were found", tests)
	}
	named := map[string]bool{}
	for _, name := range regexp.MustCompile("`(LEDGER_[A-Z_]+)` \\|").FindAllStringSubmatch(string(readme), -1) {
		named[name[1]] = true
	}
	for _, v := range ledger.Variables(ledger.API | ledger.Worker | ledger.Schema | ledger.DeadLetters) {
		if !named[v.Name] {
			t.Errorf("%s is missing", v.Name)
		}
		delete(named, v.Name)
	}
	for name := range named {
		t.Errorf("there is no variable %s", name)
	}
}
