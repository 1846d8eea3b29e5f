package defects

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// A Planted is a copy of the sources with defects in it. It consists of the
// changed files alone, which the Go tool lays over the others, so that what has
// been built of those is not built again.
type Planted struct {
	root    string // of the module
	overlay string // file for the Go tool
}

// Plant makes a copy of the sources below root with all of the defects in it, in
// a directory, which must be empty and in no repository. The sources themselves
// are not touched. It needs git.
func Plant(ctx context.Context, root, dir string, planted ...Defect) (Planted, error) {
	p := Planted{root: root, overlay: filepath.Join(dir, "overlay.json")}
	replaced := map[string]string{}
	patched := regexp.MustCompile(`(?m)^--- a/(\S+)$`)
	for _, d := range planted {
		for _, m := range patched.FindAllSubmatch(d.Patch, -1) {
			file := filepath.FromSlash(string(m[1]))
			from, to := filepath.Join(root, file), filepath.Join(dir, file)
			if replaced[from] == to {
				continue
			}
			if err := copyFile(from, to); err != nil {
				return p, fmt.Errorf("plant %s: %w", d.Name, err)
			}
			replaced[from] = to
		}
		apply := exec.CommandContext(ctx, "git", "apply", "--whitespace=nowarn", "-")
		apply.Dir, apply.Stdin = dir, bytes.NewReader(d.Patch)
		apply.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
		if out, err := apply.CombinedOutput(); err != nil {
			return p, fmt.Errorf("plant %s: apply its patch: %w\n%s", d.Name, err, bytes.TrimSpace(out))
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return p, fmt.Errorf("plant: %w", err)
	}
	if err := os.WriteFile(p.overlay, overlay, 0o600); err != nil {
		return p, fmt.Errorf("plant: %w", err)
	}
	return p, nil
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600) //nolint:gosec // the names are those of our own patches
}

// Build builds a command of the module as a file: ledgerd as it goes into its image,
// or proofload, which has the images of the stack in it.
func (p Planted) Build(ctx context.Context, command, file string) error {
	return p.tool(ctx, "build", "-trimpath", "-buildvcs=false", "-o", file, "./cmd/"+command)
}

// Compile compiles the packages of the service, and those of the stack that hold no
// code, without making a program.
func (p Planted) Compile(ctx context.Context) error {
	return p.tool(ctx, "build", "-trimpath", "-buildvcs=false", "./sut/ledger/...", "./fixtures")
}

// Test runs the tests of the service that need no server.
func (p Planted) Test(ctx context.Context) error { return p.tool(ctx, "test", "./sut/ledger/...") }

// tool runs the Go tool on the sources with the defects in them.
func (p Planted) tool(ctx context.Context, command string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{command, "-overlay=" + p.overlay}, args...)...)
	cmd.Dir = p.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s with the defect in it: %w\n%s", command, err, bytes.TrimSpace(out))
	}
	return nil
}
