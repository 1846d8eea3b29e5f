package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/go-archive"
	"github.com/moby/moby/client"
)

const (
	// publicBase is what the base image is made from where a registry answers.
	publicBase = "debian:bookworm-slim"
	suite      = "bookworm"

	pullTimeout      = 3 * time.Minute
	bootstrapTimeout = 15 * time.Minute
)

// hasImage reports whether the engine has an image of that tag.
func hasImage(ctx context.Context, docker *client.Client, tag string) (bool, error) {
	_, err := docker.ImageInspect(ctx, tag)
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("inspect image %s: %w", tag, err)
	}
	return true, nil
}

// ensureBase makes the base image if it is not there: from a registry, else
// from the distribution's packages.
func ensureBase(ctx context.Context, docker *client.Client, progress func(string)) error {
	if ok, err := hasImage(ctx, docker, baseTag); ok || err != nil {
		return err
	}
	progress("pulling " + publicBase)
	pullErr := pullBase(ctx, docker)
	if pullErr == nil {
		return nil
	}
	progress("no registry answers: making the base image with debootstrap, about a minute")
	if err := bootstrapBase(ctx, docker); err != nil {
		return fmt.Errorf("make base image %s: %w", baseTag, errors.Join(pullErr, err))
	}
	return nil
}

// pullBase takes the base image from a registry, or from the engine if it has
// it already.
func pullBase(ctx context.Context, docker *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, pullTimeout)
	defer cancel()
	if ok, err := hasImage(ctx, docker, publicBase); err != nil {
		return err
	} else if !ok {
		response, err := docker.ImagePull(ctx, publicBase, client.ImagePullOptions{})
		if err != nil {
			return fmt.Errorf("pull %s: %w", publicBase, err)
		}
		if err := response.Wait(ctx); err != nil {
			return fmt.Errorf("pull %s: %w", publicBase, err)
		}
	}
	if _, err := docker.ImageTag(ctx, client.ImageTagOptions{Source: publicBase, Target: baseTag}); err != nil {
		return fmt.Errorf("tag %s: %w", publicBase, err)
	}
	return nil
}

// bootstrapBase makes the base image from the distribution's own packages.
func bootstrapBase(ctx context.Context, docker *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, bootstrapTimeout)
	defer cancel()
	if os.Geteuid() != 0 {
		return errors.New("debootstrap needs root: run this once as root, or tag a Debian bookworm image as " + baseTag)
	}
	if _, err := exec.LookPath("debootstrap"); err != nil {
		if err := run(ctx, "apt-get", "install", "-y", "--no-install-recommends", "debootstrap"); err != nil {
			return fmt.Errorf("install debootstrap: %w", err)
		}
	}
	dir, err := os.MkdirTemp("", "proofload-base-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	root := filepath.Join(dir, "root")
	if err := run(ctx, "debootstrap", "--variant=minbase", "--include=ca-certificates", suite, root); err != nil {
		return err
	}
	if err := slim(root); err != nil {
		return err
	}
	return importImage(ctx, docker, root)
}

// slim makes a bootstrapped system what a container image is: packages that
// are installed start no service, and no package files are kept.
func slim(root string) error {
	policy := filepath.Join(root, "usr", "sbin", "policy-rc.d")
	if err := os.WriteFile(policy, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
		return fmt.Errorf("forbid services: %w", err)
	}
	var errs []error
	for _, pattern := range []string{"var/cache/apt/archives/*.deb", "var/lib/apt/lists/*"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		errs = append(errs, err)
		for _, f := range files {
			errs = append(errs, os.RemoveAll(f))
		}
	}
	return errors.Join(errs...)
}

// importImage makes the base image of a directory.
func importImage(ctx context.Context, docker *client.Client, root string) error {
	stream, err := archive.TarWithOptions(root, &archive.TarOptions{})
	if err != nil {
		return fmt.Errorf("archive %s: %w", root, err)
	}
	defer func() { _ = stream.Close() }()
	result, err := docker.ImageImport(ctx,
		client.ImageImportSource{Source: stream, SourceName: "-"}, baseTag,
		client.ImageImportOptions{Changes: []string{"LABEL " + labelOurs + "=1", `CMD ["bash"]`}})
	if err != nil {
		return fmt.Errorf("import %s: %w", baseTag, err)
	}
	defer func() { _ = result.Close() }()
	if _, err := io.Copy(io.Discard, result); err != nil {
		return fmt.Errorf("import %s: %w", baseTag, err)
	}
	return nil
}

// run runs a command; the error holds the end of what it printed.
func run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s: %w\n%s", name, err, lastLines(string(out), 20))
	}
	return nil
}
