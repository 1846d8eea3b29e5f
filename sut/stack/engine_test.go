package stack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEngineThatWasAskedFor checks that no other engine is used when the one
// named in the environment does not answer.
func TestEngineThatWasAskedFor(t *testing.T) {
	if os.Getenv("DOCKER_HOST") != "" {
		t.Skip("the library remembers the engine for the process, and other tests here need the one that is named")
	}
	host := "unix://" + filepath.Join(t.TempDir(), "absent.sock")
	t.Setenv("DOCKER_HOST", host)
	version, err := Engine(t.Context())
	if err == nil {
		t.Fatalf("Engine() = %q; want an error", version)
	}
	if !strings.Contains(err.Error(), host) || strings.Contains(err.Error(), "\n") {
		t.Errorf("Engine() = %v; want one line that names %s", err, host)
	}
}
