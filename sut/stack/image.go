package stack

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/proofload/proofload/fixtures"
)

// baseTag is the image all others start from; its name is part of their hash.
const baseTag = "proofload/base:bookworm"

// netImage is the image of the containers that [Stack.NetExec] runs in.
const netImage = "netadmin"

// An imageFile is one file of a build context.
type imageFile struct {
	name    string
	content []byte
}

// executable reports whether the file is to be run: what embedding lost of its
// mode is seen from its content.
func (f imageFile) executable() bool {
	return bytes.HasPrefix(f.content, []byte("#!")) || bytes.HasPrefix(f.content, []byte("\x7fELF"))
}

// An image is everything one image is built from.
type image struct {
	name  string // short, a folder of fixtures/images
	files []imageFile
}

// tag names the image by the hash of its inputs, so that an image that exists
// needs no building and one that would differ has another name.
func (i image) tag() string {
	h := sha256.New()
	write := func(b []byte) {
		_, _ = fmt.Fprintf(h, "%d:", len(b)) // a hash never fails
		_, _ = h.Write(b)
	}
	write([]byte(baseTag))
	for _, f := range i.files {
		write([]byte(f.name))
		write(f.content)
	}
	return fmt.Sprintf("proofload/%s:%s", i.name, hex.EncodeToString(h.Sum(nil))[:12])
}

// archive returns the build context as a tar stream.
func (i image) archive() (*bytes.Buffer, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range i.files {
		header := &tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.content))}
		if f.executable() {
			header.Mode = 0o755
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("archive %s of image %s: %w", f.name, i.name, err)
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, fmt.Errorf("archive %s of image %s: %w", f.name, i.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("archive image %s: %w", i.name, err)
	}
	return &buf, nil
}

// imageNames lists the images of the ledger stack by short name, sorted.
func imageNames() []string {
	names := []string{netImage}
	for _, n := range ledgerNodes() {
		if !slices.Contains(names, n.image) {
			names = append(names, n.image)
		}
	}
	slices.Sort(names)
	return names
}

// binaryImages are the images whose context needs a program of ours, named
// like the image.
func binaryImages() []string { return []string{"ledgerd", "linkd"} }

// loadImage reads the build context of an image and adds the given binary
// under the image's name, unless it is nil.
func loadImage(name string, binary []byte) (image, error) {
	img := image{name: name}
	root := path.Join("images", name)
	err := fs.WalkDir(fixtures.Images, root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(fixtures.Images, file)
		if err != nil {
			return err
		}
		img.files = append(img.files, imageFile{strings.TrimPrefix(file, root+"/"), content})
		return nil
	})
	if err != nil {
		return image{}, fmt.Errorf("read build context of image %s: %w", name, err)
	}
	if binary != nil {
		img.files = append(img.files, imageFile{name, binary})
	}
	return img, nil
}
