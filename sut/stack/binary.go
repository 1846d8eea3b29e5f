package stack

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// binEnv names the directory of the programs that go into images, ledgerd and
// linkd, where it is not the directory of the running program.
const binEnv = "PROOFLOAD_BIN"

// modulePath is this module's, to recognise a working directory inside it.
const modulePath = "github.com/proofload/proofload"

// findBinary returns a program as a static Linux executable: from the
// directory in PROOFLOAD_BIN, from beside the running program, or built from
// source if the working directory lies in the module.
func findBinary(ctx context.Context, name string) ([]byte, error) {
	if dir := os.Getenv(binEnv); dir != "" {
		return readStatic(filepath.Join(dir, name))
	}
	var tried []error
	if self, err := os.Executable(); err == nil {
		content, err := readStatic(filepath.Join(filepath.Dir(self), name))
		if err == nil {
			return content, nil
		}
		tried = append(tried, err)
	}
	content, err := buildBinary(ctx, name)
	if err == nil {
		return content, nil
	}
	tried = append(tried, err)
	return nil, fmt.Errorf("find program %s: put it beside proofload or into the directory named by %s: %w", name, binEnv, errors.Join(tried...))
}

// readStatic reads an executable and checks that it can run in any Linux
// container.
func readStatic(file string) ([]byte, error) {
	content, err := os.ReadFile(file) //nolint:gosec // the directory is named by whoever runs this
	if err != nil {
		return nil, err
	}
	exe, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%s is not a Linux executable", file)
	}
	for _, p := range exe.Progs {
		if p.Type == elf.PT_INTERP {
			return nil, fmt.Errorf("%s is not static: build it with CGO_ENABLED=0", file)
		}
	}
	return content, nil
}

// buildBinary builds a command of this module.
func buildBinary(ctx context.Context, name string) ([]byte, error) {
	list := exec.CommandContext(ctx, "go", "list", "-m")
	out, err := list.Output()
	if err != nil || strings.TrimSpace(string(out)) != modulePath {
		return nil, errors.New("not built from source: the working directory is not in " + modulePath)
	}
	dir, err := os.MkdirTemp("", "proofload-build-*")
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", name, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, name)
	// Without version control data the same source gives the same bytes, and so
	// the same image. Paths are left in: trimming them would not let the build
	// use what the developer's cache already holds.
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", file, modulePath+"/cmd/"+name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s: %w\n%s", name, err, bytes.TrimSpace(out))
	}
	return readStatic(file)
}
