package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/sysct/sysct/pkg/images"
)

// prepareImages builds the images that aren't in the cache, where there is a network:
// the benchmark itself is in a namespace that has none.
func prepareImages(cache string) error {
	store := &images.Store{Dir: filepath.Join(cache, "images")}
	for _, k := range []kind{busybox, debian} {
		template, err := images.Find(nil, k.String())
		if err != nil {
			return err
		}
		recipe, err := template.Recipe(k.arguments())
		if err != nil {
			return err
		}
		image, err := store.Ensure(context.Background(), recipe, os.Stderr, nil)
		if err != nil {
			return err
		}
		if err := image.Close(); err != nil {
			return err
		}
	}
	return nil
}
