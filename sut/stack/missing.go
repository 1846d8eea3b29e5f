package stack

import (
	"context"
	"errors"
	"slices"
)

// MissingImages lists, by short name, the images of the servers that the engine
// does not have. They are made when a stack first comes up, which takes minutes.
// Those of our own programs, made anew at every change, are not among them.
func MissingImages(ctx context.Context) (missing []string, err error) {
	docker, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, docker.Close()) }()
	for _, name := range imageNames() {
		if slices.Contains(binaryImages(), name) {
			continue
		}
		img, err := loadImage(name, nil)
		if err != nil {
			return nil, err
		}
		ok, err := hasImage(ctx, docker, img.tag())
		if err != nil {
			return nil, err
		}
		if !ok {
			missing = append(missing, name)
		}
	}
	return missing, nil
}
