package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"
)

// engineTimeout bounds how long a container engine may take to say its version.
const engineTimeout = 10 * time.Second

// Engine returns the version of the container engine. The error is one line
// that says what to do.
func Engine(ctx context.Context) (version string, err error) {
	docker, err := connect(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = docker.Close() }()
	return engineVersion(ctx, docker)
}

// engineVersion asks the engine, which proves that it answers.
func engineVersion(ctx context.Context, docker *client.Client) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	v, err := docker.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return "", noEngine(docker.DaemonHost())
	}
	return v.Version, nil
}

func noEngine(host string) error {
	return fmt.Errorf("no Docker engine answers at %s: start Docker, or in a checkout run \"make engine\", which installs it on Debian and Ubuntu", host)
}

// connect returns a client of the engine that the Docker command line would
// use too. It does not prove that an engine answers.
func connect(ctx context.Context) (*client.Client, error) {
	if err := configureTestcontainers(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	docker, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return nil, noEngine(cmp.Or(os.Getenv(client.EnvOverrideHost), client.DefaultDockerHost))
	}
	// The library goes to the default engine where the one that was asked for
	// does not answer: that would be somebody else's machine to load and break.
	if asked := os.Getenv(client.EnvOverrideHost); asked != "" && asked != docker.DaemonHost() {
		return nil, errors.Join(noEngine(asked), docker.Close())
	}
	return docker.Client, nil
}

// configureTestcontainers settles what the library reads from the environment
// of the process, and only there.
func configureTestcontainers() error {
	tclog.SetDefault(quiet{})
	for key, value := range map[string]string{
		// A stack may outlive the process that started it, on purpose: the
		// reaper would remove it. Labels are how it is found and removed.
		"TESTCONTAINERS_RYUK_DISABLED": "true",
		// Ports are published on the loopback interface of this machine, also
		// where the library believes that it runs inside a container.
		"TESTCONTAINERS_HOST_OVERRIDE": "localhost",
	} {
		if err := os.Setenv(key, value); err != nil {
			return fmt.Errorf("set %s: %w", key, err)
		}
	}
	return nil
}

// quiet drops what testcontainers would print.
type quiet struct{}

// Printf implements the logger of testcontainers.
func (quiet) Printf(string, ...any) {}
