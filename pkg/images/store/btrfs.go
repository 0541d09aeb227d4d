package store

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// btrfsBackend keeps a snapshot of the image in rootfs/, a subvolume. All but
// its creation is as for a directory.
type btrfsBackend struct{ dirBackend }

// create takes a snapshot if it can: the image is a subvolume (see MakeTree)
// of the same file system. Else it copies into a new subvolume, by reflink if
// the file system is the same.
func (btrfsBackend) create(ctx context.Context, g *guestDir, image string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	tree, err := openTree(image)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	source, err := openBeneath(tree, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0, 0)
	if err != nil {
		return fmt.Errorf("cannot open the image %s: %w", image, err)
	}
	defer unix.Close(source)
	if isSubvolume(source) {
		if err := snapshot(source, g.fd, rootfsName); !errors.Is(err, unix.EXDEV) {
			return err
		}
	}
	if err := createSubvolume(g.fd, rootfsName); err != nil {
		return err
	}
	return copyImage(ctx, image, g)
}
