package stack

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func load(t *testing.T, name string, binary []byte) image {
	t.Helper()
	img, err := loadImage(name, binary)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestImageTag(t *testing.T) {
	linkd := load(t, "linkd", []byte("\x7fELF one"))
	if !regexp.MustCompile(`^proofload/linkd:[0-9a-f]{12}$`).MatchString(linkd.tag()) {
		t.Errorf("tag() = %q", linkd.tag())
	}
	if again := load(t, "linkd", []byte("\x7fELF one")); again.tag() != linkd.tag() {
		t.Errorf("the same inputs give %s and %s", linkd.tag(), again.tag())
	}
	if other := load(t, "linkd", []byte("\x7fELF two")); other.tag() == linkd.tag() {
		t.Error("another binary gives the same tag")
	}
	renamed := linkd
	renamed.files = append([]imageFile(nil), linkd.files...)
	renamed.files[0].name += "x"
	if renamed.tag() == linkd.tag() {
		t.Error("a file renamed gives the same tag")
	}
	// What is moved from one file to the next is not the same input.
	a := image{name: "x", files: []imageFile{{"f", []byte("ab")}, {"g", []byte("c")}}}
	b := image{name: "x", files: []imageFile{{"f", []byte("a")}, {"g", []byte("bc")}}}
	if a.tag() == b.tag() {
		t.Error("content moved between files gives the same tag")
	}
}

// TestImagesAreComplete checks that every image has a build file, and that its
// context holds what the build file copies.
func TestImagesAreComplete(t *testing.T) {
	for _, name := range imageNames() {
		img := load(t, name, []byte("\x7fELF"))
		files := map[string]string{}
		for _, f := range img.files {
			files[f.name] = string(f.content)
		}
		dockerfile := files["Dockerfile"]
		if !strings.Contains(dockerfile, "ARG BASE\nFROM ${BASE}\n") {
			t.Errorf("image %s does not start from the base image", name)
		}
		for _, m := range regexp.MustCompile(`(?m)^COPY (.+) \S+$`).FindAllStringSubmatch(dockerfile, -1) {
			for source := range strings.FieldsSeq(m[1]) {
				if _, ok := files[source]; !ok {
					t.Errorf("image %s copies %s, which its context lacks", name, source)
				}
			}
		}
	}
}

func TestImageArchive(t *testing.T) {
	img := image{name: "x", files: []imageFile{
		{"Dockerfile", []byte("FROM scratch")}, {"script", []byte("#!/bin/sh\n")}, {"x", []byte("\x7fELF")},
	}}
	stream, err := img.archive()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for r := tar.NewReader(stream); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got[h.Name] = h.Mode
	}
	want := map[string]int64{"Dockerfile": 0o644, "script": 0o755, "x": 0o755}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modes in the archive (-want +got):\n%s", diff)
	}
}

func TestReadBuild(t *testing.T) {
	good := `{"stream":"Step 1/2"}` + "\n" + `{"aux":{"ID":"sha256:1"}}`
	if err := readBuild(strings.NewReader(good)); err != nil {
		t.Errorf("a build that succeeds = %v", err)
	}
	bad := `{"stream":"E: no such package\n"}` + "\n" + `{"errorDetail":{"message":"returned a non-zero code: 100"},"error":"x"}`
	err := readBuild(strings.NewReader(bad))
	if err == nil || !strings.Contains(err.Error(), "non-zero code: 100") || !strings.Contains(err.Error(), "E: no such package") {
		t.Errorf("a build that fails = %v; want its error and its output", err)
	}
	if err := readBuild(strings.NewReader(`{"stream":`)); err == nil {
		t.Error("a build that breaks off is not an error")
	}
}

func TestReadStatic(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readStatic(text); err == nil || !strings.Contains(err.Error(), "not a Linux executable") {
		t.Errorf("readStatic of a script = %v", err)
	}
	if _, err := readStatic(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("readStatic of nothing = %v", err)
	}
}

func TestFindBinaryInNamedDirectory(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(binEnv, dir)
	if _, err := findBinary(t.Context(), "linkd"); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("findBinary in an empty directory = %v; want an error that names it", err)
	}
}

func TestFindBinaryNowhere(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no Go tool")
	}
	t.Setenv(binEnv, "")
	t.Chdir(t.TempDir())
	_, err := findBinary(t.Context(), "linkd")
	if err == nil || !strings.Contains(err.Error(), binEnv) {
		t.Errorf("findBinary = %v; want an error that says where to put the program", err)
	}
}
