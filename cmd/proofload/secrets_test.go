package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/sut"
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

// TestSecretsAreHiddenWithinBase64 hides a password wherever it begins and ends
// in what is encoded: nothing of three characters of it can be decoded.
func TestSecretsAreHiddenWithinBase64(t *testing.T) {
	const value = "s3cret-value"
	var s secrets
	s.add(value)
	for before := range 4 {
		for after := range 4 {
			plain := "user:me"[:before] + value + "/shop"[:after]
			got := s.hide("Basic " + base64.StdEncoding.EncodeToString([]byte(plain)))
			if !strings.HasPrefix(got, "Basic ") || strings.Count(got, hidden) != 1 || len(strings.Replace(got, hidden, "", 1)) > len("Basic ")+before*2+after*2+6 {
				t.Errorf("%q becomes %q", plain, got)
			}
		}
	}
}

// chattyEnv is a system whose nodes log what they were sent.
type chattyEnv struct {
	sut.Environment

	logs map[string]string
}

func (e chattyEnv) CollectLogs(_ context.Context, dir string) error {
	err := os.MkdirAll(dir, 0o750)
	for node, text := range e.logs {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, node+".log"), []byte(text), 0o600))
	}
	return err
}

// TestSecretsAreTakenOutOfLogs collects the logs of a system that wrote down what
// it was sent: what they say beside secrets stays.
func TestSecretsAreTakenOutOfLogs(t *testing.T) {
	const value = "s3cret+value"
	a := quietApp()
	a.secrets.add(value)
	s := &session{app: a, dir: reports.Directory{Path: t.TempDir()}, flags: runFlags{progress: progressQuiet}}
	env := chattyEnv{logs: map[string]string{
		"lb-1":  "GET /orders?key=s3cret%2Bvalue 200\nGET / 200\n",
		"api-1": "login with " + value + "\n",
		"api-2": "nothing to hide\n",
	}}
	s.collectLogs(t.Context(), &system{env: env})
	for node, want := range map[string]string{
		"lb-1":  "GET /orders?key=[secret] 200\nGET / 200\n",
		"api-1": "login with [secret]\n",
		"api-2": "nothing to hide\n",
	} {
		got, err := os.ReadFile(filepath.Join(s.dir.File(reports.DirLogs), node+".log"))
		if err != nil || string(got) != want {
			t.Errorf("the log of %s is %q, %v, want %q", node, got, err, want)
		}
	}
}
