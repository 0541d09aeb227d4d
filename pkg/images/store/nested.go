package store

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// nestedName is the directory of what an overlay guest keeps beside its layers.
const nestedName = "nested"

// OpenNested returns a detached mount, with the ids of the user namespace usernsFD, of a
// directory beside the layers of an overlay guest that is on no overlay itself. It is made
// if it is missing, and goes with the guest's directory. The caller closes it.
func OpenNested(l Layout, name string, usernsFD int) (int, error) {
	g, err := openGuestDir(l.GuestDir)
	if err != nil {
		return -1, err
	}
	defer g.close()
	if err := g.checkPrivate(); err != nil {
		return -1, err
	}
	path := nestedName + "/" + name
	for _, dir := range []string{nestedName, path} {
		if err := g.makeParts([]string{dir}); err != nil && !errors.Is(err, unix.EEXIST) {
			return -1, err
		}
	}
	fd, err := g.openDir(path)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	return mappedClone(fd, usernsFD, unix.MOUNT_ATTR_NODEV, g.path+"/"+path)
}

// CopyNested copies what another guest has in such directories. It must hold still. None
// is no error.
func CopyNested(ctx context.Context, l, from Layout) error {
	source, err := openGuestDir(from.GuestDir)
	if err != nil {
		return err
	}
	defer source.close()
	if _, err := statMount(source.fd, nestedName, unix.AT_SYMLINK_NOFOLLOW); errors.Is(err, unix.ENOENT) {
		return nil
	}
	g, err := openGuestDir(l.GuestDir)
	if err != nil {
		return err
	}
	defer g.close()
	if err := g.makeParts([]string{nestedName}); err != nil {
		return err
	}
	if err := g.copyPart(ctx, source, nestedName); err != nil {
		return fmt.Errorf("cannot copy %s/%s: %w", source.path, nestedName, err)
	}
	return nil
}

// HasNested tells whether there are such directories.
func (l Layout) HasNested() bool {
	g, err := openGuestDir(l.GuestDir)
	if err != nil {
		return false
	}
	defer g.close()
	_, err = statMount(g.fd, nestedName, unix.AT_SYMLINK_NOFOLLOW)
	return err == nil
}
