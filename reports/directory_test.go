package reports_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/reports/check"
)

func TestDirectory(t *testing.T) {
	root := filepath.Join(t.TempDir(), "runs")
	for _, id := range []string{"20261122-100000-aaaa", "20261122-110000-bbbb"} {
		d, err := reports.CreateDirectory(root, id)
		if err != nil {
			t.Fatal(err)
		}
		m := &reports.Manifest{Schema: reports.SchemaManifest, Run: id, Seed: 7, Spec: check.Spec{Drills: 1}}
		if err := d.WriteManifest(m); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ name, want string }{
		{"latest", "20261122-110000-bbbb"},
		{"aaaa", "20261122-100000-aaaa"},
		{"20261122-110000-bbbb", "20261122-110000-bbbb"},
		{filepath.Join(root, "20261122-100000-aaaa"), "20261122-100000-aaaa"},
		{"cccc", ""},
	} {
		d, err := reports.FindDirectory(root, tt.name)
		if tt.want == "" {
			if err == nil {
				t.Errorf("FindDirectory(%q) = %q; want an error", tt.name, d.Path)
			}
			continue
		}
		if err != nil {
			t.Errorf("FindDirectory(%q): %v", tt.name, err)
			continue
		}
		m, err := d.ReadManifest()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, m.Run); diff != "" {
			t.Errorf("FindDirectory(%q) found another run (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestReadManifestOfAnotherVersion(t *testing.T) {
	d, err := reports.CreateDirectory(t.TempDir(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.File(reports.FileManifest), []byte(`{"schema": "manifest/v2"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ReadManifest(); err == nil {
		t.Error("ReadManifest() took a manifest/v2; want an error that names the version it reads")
	}
}
