package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"
	"golang.org/x/sync/errgroup"
)

const (
	// buildsAtOnce bounds concurrent builds: they share the processor and the
	// disk, and a package mirror deserves some restraint.
	buildsAtOnce = 2
	buildTimeout = 15 * time.Minute
)

// loadImages reads the inputs of all images, building our own programs first
// where that is needed. It returns them by short name.
func loadImages(ctx context.Context) (map[string]image, error) {
	var mu sync.Mutex
	images := map[string]image{}
	g, ctx := errgroup.WithContext(ctx)
	for _, name := range imageNames() {
		g.Go(func() error {
			var binary []byte
			if slices.Contains(binaryImages(), name) {
				var err error
				if binary, err = findBinary(ctx, name); err != nil {
					return err
				}
			}
			img, err := loadImage(name, binary)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			images[name] = img
			return nil
		})
	}
	return images, g.Wait()
}

// ensureImages builds the images that the engine does not have.
func ensureImages(ctx context.Context, docker *client.Client, images map[string]image, progress func(string)) error {
	var missing []image
	for _, name := range imageNames() {
		ok, err := hasImage(ctx, docker, images[name].tag())
		if err != nil {
			return err
		}
		if !ok {
			missing = append(missing, images[name])
		}
	}
	if len(missing) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	if err := ensureBase(ctx, docker, progress); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(buildsAtOnce)
	for _, img := range missing {
		g.Go(func() error {
			progress("building image " + img.tag())
			return build(ctx, docker, img)
		})
	}
	return g.Wait()
}

// build builds one image. The error holds the end of what the build printed.
func build(ctx context.Context, docker *client.Client, img image) error {
	buildContext, err := img.archive()
	if err != nil {
		return err
	}
	base := baseTag
	result, err := docker.ImageBuild(ctx, buildContext, client.ImageBuildOptions{
		Tags:        []string{img.tag()},
		BuildArgs:   map[string]*string{"BASE": &base},
		Labels:      map[string]string{labelOurs: "1", labelImage: img.name},
		Remove:      true,
		ForceRemove: true,
	})
	if err != nil {
		return fmt.Errorf("build image %s: %w", img.name, err)
	}
	defer func() { _ = result.Body.Close() }()
	if err := readBuild(result.Body); err != nil {
		return fmt.Errorf("build image %s: %w", img.name, err)
	}
	return nil
}

// readBuild follows a build to its end.
func readBuild(r io.Reader) error {
	var output bytes.Buffer
	decoder := json.NewDecoder(r)
	for {
		var m jsonstream.Message
		if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read build output: %w", err)
		}
		output.WriteString(m.Stream)
		if m.Error != nil {
			return fmt.Errorf("%w\n%s", m.Error, lastLines(output.String(), 20))
		}
	}
}

// lastLines returns the last n lines of a text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
