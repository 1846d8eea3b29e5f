package main

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"
)

// nowhere asserts that no file below a directory holds a text, compressed ones
// included, and that there is a history among them: nowhere TEXT DIRECTORY.
func nowhere(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: nowhere TEXT DIRECTORY")
	}
	histories := 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[1]), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path) //nolint:gosec // what the script has made
		if err != nil {
			return err
		}
		if filepath.Ext(path) == ".zst" {
			histories++
			if data, err = plain(data); err != nil {
				return err
			}
		}
		if bytes.Contains(data, []byte(args[0])) {
			ts.Fatalf("%s holds %q", path, args[0])
		}
		return nil
	}))
	if histories == 0 {
		ts.Fatalf("there is no history below %s", args[1])
	}
}

// plain decompresses a history.
func plain(data []byte) ([]byte, error) {
	r, err := zstd.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func TestSecretsAreHiddenInEveryForm(t *testing.T) {
	const value = `s3cret+"value`
	var s secrets
	lookup := s.learn([]byte("a: ${secret:TOKEN}\nb: ${secret:SHORT}\nc: ${secret:NONE}"), func(name string) (string, bool) {
		v, ok := map[string]string{"TOKEN": value, "SHORT": "abc", "OTHER": "other"}[name]
		return v, ok
	})
	if v, ok := lookup("TOKEN"); v != value || !ok {
		t.Errorf("TOKEN is %q", v)
	}
	if v, _ := lookup("OTHER"); v != "other" {
		t.Errorf("OTHER is %q", v)
	}
	var b strings.Builder
	text := value + ` s3cret%2B%22value s3cret+\"value abc czNjcmV0KyJ2YWx1ZQ== {"x":"s3cret+\"value"}` + "\n"
	n, err := s.guard(&b).Write([]byte(text))
	if n != len(text) || err != nil {
		t.Errorf("wrote %d, %v", n, err)
	}
	if got := b.String(); strings.Contains(got, "s3cret") || strings.Contains(got, "czNj") || strings.Count(got, hidden) != 5 {
		t.Errorf("got %q", got)
	}
}
