package store

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// MakeTree makes the directory, with mode 0755, in which an image's root file
// system is to be built: a subvolume on btrfs, so that guests can be snapshots
// of it.
func MakeTree(path string) error {
	p, err := openGuestParent(path)
	if err != nil {
		return err
	}
	defer p.close()
	parent, err := openBeneath(p.parent, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0, 0)
	if err != nil {
		return fmt.Errorf("cannot open the directory above %s: %w", path, err)
	}
	defer unix.Close(parent)
	if onBtrfs(parent) {
		err = createSubvolume(parent, p.base)
	} else {
		err = unix.Mkdirat(parent, p.base, 0o755)
	}
	if err == nil {
		err = unix.Fchmodat(parent, p.base, 0o755, 0)
	}
	if err != nil {
		return fmt.Errorf("cannot make %s: %w", path, err)
	}
	return nil
}

// RemoveTree deletes the directory at path and all that is in it, as Destroy
// does: by descriptors, never through a link or across a mount, subvolumes and
// immutable files included. It is for images, and for what was under
// construction.
func RemoveTree(path string) error {
	g, err := openGuestDir(path)
	if err != nil {
		return err
	}
	defer g.close()
	if err := g.refuseMountPoint(); err != nil {
		return err
	}
	return g.remove(nil, true)
}
