package store

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// dirBackend keeps a full copy of the image in rootfs/.
type dirBackend struct{}

func (dirBackend) parts() []string       { return []string{rootfsName} }
func (dirBackend) wholeSuperblock() bool { return false }

func (dirBackend) create(ctx context.Context, g *guestDir, image string) error {
	if err := unix.Mkdirat(g.fd, rootfsName, 0o700); err != nil {
		return fmt.Errorf("cannot make rootfs: %w", err)
	}
	return copyImage(ctx, image, g)
}

func (dirBackend) openRoot(g *guestDir, userns int) (int, error) {
	fd, err := g.openDir(rootfsName)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	return mappedClone(fd, userns, unix.MOUNT_ATTR_NODEV, g.path+"/"+rootfsName)
}

func (dirBackend) mountPlain(*guestDir) error { return nil }

func (dirBackend) rootOnDisk(g *guestDir) (*unix.Statx_t, error) { return g.statBelow() }

func (dirBackend) kindOf(g *guestDir, _ mountEntry) (kind, error) { return g.cloneKind() }
