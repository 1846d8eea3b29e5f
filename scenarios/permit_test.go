package scenarios

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParsePermit(t *testing.T) {
	src := []byte(`proofload: permit/v1
name: staging
class: staging
system: stack/ledger
allow:
  faults: [kill, pause]
  on: ["app[1]", redis]
  active: 1
  for: 5m
  quorum: [postgres]
  windows: ["Mon-Fri 09:00-16:00 Europe/London"]
probe: {get: /.well-known/proofload, expect: staging}
kill_switch: ["file:/run/proofload/STOP"]
`)
	got, err := ParsePermit("staging.yaml", src, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &Permit{
		File: "staging.yaml", Source: src, Name: "staging", Class: "staging", System: Placed{"stack/ledger", Pos{4, 9}},
		Allow: Allow{
			Faults: []Placed{{"kill", Pos{6, 12}}, {"pause", Pos{6, 18}}},
			On:     []Placed{{"app[1]", Pos{7, 8}}, {"redis", Pos{7, 18}}},
			Active: 1, TTL: 5 * time.Minute,
			Quorum:  []Placed{{"postgres", Pos{10, 12}}},
			Windows: []Placed{{"Mon-Fri 09:00-16:00 Europe/London", Pos{11, 13}}},
		},
		Probe: &Identity{Get: "/.well-known/proofload", Expect: "staging"},
		Stop:  []Placed{{"file:/run/proofload/STOP", Pos{13, 15}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("permit (-want +got):\n%s", diff)
	}
}

func TestParsePermitProblems(t *testing.T) {
	_, err := ParsePermit("x.yaml", []byte(`proofload: permit/v1
name: x
class: prod
allow:
  active: 0
  for: 0s
  on: redis
  windws: []
probe: {get: /x}
`), nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"x.yaml:3:8:", "x.yaml:5:11: 0 is too few", "x.yaml:6:8: 0s is no time at all", "x.yaml:7:7:",
		"x.yaml:8:3:", "windws", `"expect"`, `"system"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}

// TestPermitLint has a file for each rule of permits. Its golden file is what a
// user sees.
func TestPermitLint(t *testing.T) {
	files, err := filepath.Glob("testdata/permit/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			_, err := ParsePermit(filepath.Base(file), read(t, file), nil)
			mended(t, err)
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", err.Error()+"\n")
		})
	}
}

// FuzzParsePermit checks that no file makes the parser panic, and that every
// problem has a place.
func FuzzParsePermit(f *testing.F) {
	f.Add([]byte("proofload: permit/v1\nname: x\nclass: staging\nsystem: stack/ledger\nallow: {on: [redis], active: 1, for: 5m}\n"))
	f.Add([]byte("proofload: permit/v1\nprobe: [\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		if got, err := ParsePermit("f.yaml", src, nil); err == nil && (got.Name == "" || got.Class == "" || got.System.Text == "") {
			t.Errorf("accepted without what it needs: %+v", got)
		}
	})
}

// TestPermitKeysAreExplained asks of every key of a permit what it means, and
// whether a permit can have it: the keys are those that the parser knows.
func TestPermitKeysAreExplained(t *testing.T) {
	keys := PermitKeys()
	for _, k := range keys {
		if k.About == "" {
			t.Errorf("%s: nothing is said of it", k.Path)
		}
	}
	for _, want := range []string{"allow.faults", "allow.windows", "class", "kill_switch", "probe.get"} {
		if !slices.ContainsFunc(keys, func(k Key) bool { return k.Path == want }) {
			t.Errorf("no %s among %d keys", want, len(keys))
		}
	}
}
