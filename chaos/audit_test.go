package chaos

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestAudit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit")
	var wg sync.WaitGroup
	for range 20 { // several writers at a time
		wg.Go(func() {
			if err := AppendAudit(file, Audit{Action: "injected", Kind: "kill", Target: "api-1"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	torn, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = torn.WriteString(`{"seq":21,"act`); err != nil { // its writer died
		t.Fatal(err)
	}
	torn.Close()
	if err = AppendAudit(file, Audit{Action: "healed"}); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var seen []Audit
	head, err := VerifyAudit(bytes.NewReader(whole), func(a Audit) { seen = append(seen, a) })
	if err != nil || len(seen) != 21 || seen[20].Action != "healed" || head != seen[20].Hash {
		t.Fatalf("verified %d lines up to %s: %v", len(seen), head, err)
	}

	lines := strings.SplitAfter(string(whole), "\n")
	for name, tt := range map[string]struct{ log, want string }{
		"changed":  {strings.Replace(string(whole), "api-1", "api-2", 1), "line 1 of the audit log was changed"},
		"left out": {strings.Join(append(append([]string{}, lines[:4]...), lines[5:]...), ""), "line 5 of the audit log does not follow"},
		"swapped":  {lines[1] + lines[0], "line 1 of the audit log does not follow"},
		"no log":   {"hello\n", "line 1 of the audit log is not one"},
	} {
		if _, err := VerifyAudit(strings.NewReader(tt.log), nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// FuzzVerifyAudit takes no log for whole that has a byte changed.
func FuzzVerifyAudit(f *testing.F) {
	file := filepath.Join(f.TempDir(), "audit")
	for _, action := range []string{"armed", "injected", "healed"} {
		if err := AppendAudit(file, Audit{Action: action}); err != nil {
			f.Fatal(err)
		}
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, log []byte) {
		var again []string
		head, err := VerifyAudit(bytes.NewReader(log), func(a Audit) { again = append(again, a.Hash) })
		if err == nil && len(again) > 0 && head != again[len(again)-1] {
			t.Errorf("the head %s is not the last of %q", head, again)
		}
	})
}
