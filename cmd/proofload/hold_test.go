package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/scenarios"
)

// TestHoldID holds a target file by one name, whatever it is called from where.
func TestHoldID(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Mkdir("drills", 0o755); err != nil {
		t.Fatal(err)
	}
	const target = "proofload: target/v1\nname: shop\nbase: http://127.0.0.1:1\nallow: {rate: 1/s}\n"
	const work = "proofload: workload/v1\nname: work\nrequests:\n  - {name: list, get: /, expect: {status: 200}}\n"
	for file, text := range map[string]string{"drills/shop.yaml": target, "shop.yaml": target, "drills/work.yaml": work} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "drills", "shop.yaml"), "same.yaml"); err != nil {
		t.Fatal(err)
	}
	a := &app{lookup: func(string) (string, bool) { return "", false }}
	id := func(target, flag string) string {
		t.Helper()
		sc := &scenarios.Scenario{File: "drills/drill.yaml", Target: target}
		sc.Load.Workload = "./work.yaml"
		p, _, err := a.readFiles(sc, planFlags{target: flag})
		if err != nil {
			t.Fatal(err)
		}
		return holdID(sc.Target, p.targetFile)
	}
	want := id("./shop.yaml", "")
	if got := id("", "drills/shop.yaml"); got != want {
		t.Errorf("by its path: %s, want %s as by the scenario beside it", got, want)
	}
	if got := id("", "same.yaml"); got != want {
		t.Errorf("by a link to it: %s, want %s", got, want)
	}
	if got := id("", "shop.yaml"); got == want {
		t.Error("another file of that name is taken for the same")
	}
}

// TestByHand wants the commands printed whatever the journal is like, and if it
// cannot be read, where they are.
func TestByHand(t *testing.T) {
	dir := reports.Directory{Path: t.TempDir()}
	armed := `{"id":"1","state":"armed","undo":{"kind":"pause","target":"api-1","manual":["mend it so"]}}`
	odd := `{"id":"7","state":"healed"}`
	if err := os.WriteFile(dir.File(reports.FileJournal), []byte(odd+"\n"+armed+"\n"+armed+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := byHand(dir); strings.Count(got, "pause api-1 may still be in effect\n  by hand: mend it so") != 2 {
		t.Errorf("of an odd journal: %q", got)
	}
	dir = reports.Directory{Path: t.TempDir()}
	if err := os.Mkdir(dir.File(reports.FileJournal), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := byHand(dir); !strings.Contains(got, "by hand") || !strings.Contains(got, dir.File(reports.FileJournal)) {
		t.Errorf("of a journal that cannot be read: %q", got)
	}
}
