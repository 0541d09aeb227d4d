package store

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Sync writes what Create has made through to the disk. For Dir and Btrfs that
// is the whole file system, which takes as long as everything takes that others
// have written there. For Overlay it is the directories: who writes files in a
// guest's layer syncs them, and the image below was synced when it was built.
func Sync(l Layout) error {
	b, g, err := l.open()
	if err != nil {
		return err
	}
	defer g.close()
	if b.wholeSuperblock() {
		err = g.syncDirs(b.parts())
	} else {
		err = unix.Syncfs(g.fd)
	}
	if err != nil {
		return fmt.Errorf("cannot sync %s: %w", g.path, err)
	}
	return nil
}

// SyncAll writes through to the disk what Copy has made: the whole file system, with
// what others have written there.
func SyncAll(l Layout) error {
	g, err := openGuestDir(l.GuestDir)
	if err != nil {
		return err
	}
	defer g.close()
	if err := unix.Syncfs(g.fd); err != nil {
		return fmt.Errorf("cannot sync %s: %w", g.path, err)
	}
	return nil
}

// syncDirs syncs the named directories, and then the guest's.
func (g *guestDir) syncDirs(names []string) error {
	below, err := g.below() // an overlay is shown at rootfs/
	if err != nil {
		return err
	}
	defer unix.Close(below)
	for _, name := range append(names, ".") {
		fd, err := openBeneath(below, name, unix.O_RDONLY|unix.O_DIRECTORY, 0, unix.RESOLVE_NO_XDEV)
		if err == nil {
			err = unix.Fsync(fd)
			unix.Close(fd)
		}
		if err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: a file system that has nothing to sync
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
