package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/proofload/proofload/scenarios/library"
)

// quietApp is a command without streams.
func quietApp() *app {
	return &app{
		stdout: io.Discard, stderr: io.Discard, lookup: func(string) (string, bool) { return "", false },
		width: func() int { return 100 }, color: "never",
	}
}

// BenchmarkValidate validates 100 files in one call: at most a second is the aim.
func BenchmarkValidate(b *testing.B) {
	src, ok := library.Open("primary-failover")
	if !ok {
		b.Fatal("there is no primary-failover")
	}
	dir := b.TempDir()
	for i := range 100 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("s%d.yaml", i)), src, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if code := quietApp().main(b.Context(), []string{"validate", dir}); code != 0 {
			b.Fatalf("exit code %d", code)
		}
	}
}

// BenchmarkPlan plans the largest scenario of the library: at most 0.3 s is the
// aim.
func BenchmarkPlan(b *testing.B) {
	for b.Loop() {
		if code := quietApp().main(b.Context(), []string{"plan", "primary-failover"}); code != 0 {
			b.Fatalf("exit code %d", code)
		}
	}
}
