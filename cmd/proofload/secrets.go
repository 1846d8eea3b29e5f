package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/remote"
)

const (
	hidden      = "[secret]"
	leastSecret = 4       // characters; anything shorter would be found everywhere
	fileSuffix  = "_FILE" // of a variable that names a file with a secret in it
)

// secretPattern finds the names of the secrets that a file asks for.
var secretPattern = regexp.MustCompile(`\$\{secret:([A-Za-z_][A-Za-z0-9_]*)\}`)

// secrets are values that nothing may show: they are taken out of everything
// that is printed or kept, whoever wrote it there, in each form in which they
// are usually written.
type secrets struct {
	mu     sync.Mutex
	values []string // the longest first
}

// learn notes the secrets that a file asks for, and returns a lookup that finds
// them also where NAME_FILE names a file.
func (s *secrets) learn(src []byte, lookup func(string) (string, bool)) func(string) (string, bool) {
	found := map[string]string{}
	for _, m := range secretPattern.FindAllSubmatch(src, -1) {
		name := string(m[1])
		if value, ok := s.find(sut.Secret{Env: name}, lookup); ok {
			found[name] = value
		}
	}
	return func(name string) (string, bool) {
		if value, ok := found[name]; ok {
			return value, true
		}
		return lookup(name)
	}
}

// find returns a secret from where it is, and notes it. What is not there is said
// at its place.
func (s *secrets) find(where sut.Secret, lookup func(string) (string, bool)) (value string, ok bool) {
	file, named := where.File, where.File != ""
	if !named {
		if value, ok = lookup(where.Env); !ok || value == "" {
			file, named = lookup(where.Env + fileSuffix)
		}
	}
	if named {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", false
		}
		value, ok = strings.TrimRight(string(text), "\r\n"), true
	}
	if ok {
		s.add(value)
	}
	return value, ok
}

// secretAt returns a secret from where it is, so that nothing shows it.
func (a *app) secretAt(where sut.Secret) (value string, ok bool) {
	return a.secrets.find(where, a.lookup)
}

// secretsOf returns what finds a secret by its name: where a target file says, which
// may be nil, or in the variable of that name.
func (a *app) secretsOf(t *remote.Target) func(name string) (value string, ok bool) {
	return func(name string) (string, bool) {
		if t != nil {
			if where, ok := t.Secrets()[name]; ok {
				return a.secretAt(where)
			}
		}
		return a.secretAt(sut.Secret{Env: name})
	}
}

// missingSecrets reports secrets that headers of a scenario name and that are not
// set. Those that are, nothing shows from then on.
func (a *app) missingSecrets(sc *scenarios.Scenario, t *remote.Target) error {
	problems := &scenarios.Problems{File: sc.File, Source: sc.Source}
	for _, e := range sc.Timeline {
		for name, text := range e.Headers {
			if _, err := scenarios.Reveal(text, a.secretsOf(t)); err != nil {
				spot := e.HeaderSpots[name]
				problems.Add(spot.Value, spot.ValueWidth, err.Error(), "set it in the environment, or say under secrets: of the target file where it is")
			}
		}
	}
	return problems.Err()
}

// add notes one secret, in all its forms.
func (s *secrets) add(value string) {
	if len(value) < leastSecret {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values = append(s.values, spelled(value)...)
	s.values = append(s.values, within(value)...)
	slices.SortFunc(s.values, func(a, b string) int { return len(b) - len(a) })
	s.values = slices.Compact(s.values)
}

// spelled returns how a secret is written in a text, in JSON, in Go, in a page,
// and in each part of an address, by those too who write %2f for %2F.
func spelled(value string) []string {
	quoted, _ := json.Marshal(value) //nolint:errchkjson // a string can always be
	forms := []string{value, strings.Trim(string(quoted), `"`), strings.Trim(strconv.Quote(value), `"`), html.EscapeString(value)}
	path := url.URL{Path: "/" + value}
	login := url.UserPassword("", value)
	for _, escaped := range []string{
		url.QueryEscape(value), url.PathEscape(value), strings.TrimPrefix(path.EscapedPath(), "/"), strings.TrimPrefix(login.String(), ":"),
	} {
		forms = append(forms, escaped, percent.ReplaceAllStringFunc(escaped, strings.ToLower))
	}
	return append(forms, base64.StdEncoding.EncodeToString([]byte(value)))
}

// percent finds what an address escapes.
var percent = regexp.MustCompile(`%[0-9A-F]{2}`)

// within returns what a secret looks like in the middle of something longer that
// is written in base64, such as the password of Basic authentication: three bytes
// become four characters, and it may begin at any of these. The characters at its
// ends that depend on what is around it are left out.
func within(value string) []string {
	var forms []string
	for before, first := range []int{0, 2, 3} { // bytes, and the first character that is the secret's alone
		padded := append(make([]byte, before), value...)
		text := base64.RawStdEncoding.EncodeToString(padded)
		forms = append(forms, text[first:len(padded)*8/6])
	}
	return forms
}

// hide takes all secrets out of a text.
func (s *secrets) hide(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.values {
		text = strings.ReplaceAll(text, v, hidden)
	}
	return text
}

// any reports whether there are secrets.
func (s *secrets) any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.values) > 0
}

// hideIn takes all secrets out of the files of a directory: the logs of a system
// may have what it was sent. A file that cannot be made clean is removed.
func (s *secrets) hideIn(dir string) error {
	if !s.any() {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look for secrets: %w", err)
	}
	var errs []error
	for _, e := range entries {
		file := filepath.Join(dir, e.Name())
		text, err := os.ReadFile(file)
		clean := s.hide(string(text))
		if err == nil && clean == string(text) {
			continue
		}
		if err == nil {
			err = os.WriteFile(file, []byte(clean), 0o600) //nolint:gosec // below a directory of ours
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("take secrets out of %s: %w", file, err), os.Remove(file))
		}
	}
	return errors.Join(errs...)
}

// guard returns a writer that takes all secrets out of what goes to w. A write
// is a whole line or more. That nobody reads any more is no error.
func (s *secrets) guard(w io.Writer) io.Writer { return guarded{s, w} }

type guarded struct {
	secrets *secrets
	w       io.Writer
}

func (g guarded) Write(p []byte) (int, error) {
	text := g.secrets.hide(string(p))
	if _, err := io.Copy(g.w, bytes.NewReader([]byte(text))); err != nil && !errors.Is(err, syscall.EPIPE) {
		return 0, err
	}
	return len(p), nil
}
