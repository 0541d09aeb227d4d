package store

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// A process that made a mount namespace of its own while an overlay was shown
// has a copy of the mount in it. The copy is of no use to anybody, but keeps
// the superblock alive, and with it everything that waits for its death.

const (
	whatNamespace = "mount namespace" // Holder.What of one that does no more than have a copy
	freshRootfs   = ".rootfs"
)

// lingering returns who keeps a superblock alive that isn't mounted on rootfs/
// any more, and whether it is surely that one. Copies that nobody uses are detached first.
func (g *guestDir) lingering(gone mountEntry) (holders []Holder, sure bool) {
	holders, sure = holdersOfSuperblock(gone)
	// While somebody uses it, a detached copy would hide from whom to ask.
	if len(holders) == 0 || !onlyNamespaces(holders) || g.detachCopies() != nil {
		return holders, sure
	}
	return holdersOfSuperblock(gone)
}

// detachCopies puts another directory in the place of rootfs/, an overlay's
// mount point, on which nothing is mounted here. With the old one the kernel
// takes off what is mounted on it in any namespace (since Linux 3.18), also
// where umount(2) is refused: in a namespace of another user namespace, whose
// copies are locked, and in one without processes.
func (g *guestDir) detachCopies() error {
	err := unix.Mkdirat(g.fd, freshRootfs, 0o700)
	if errors.Is(err, unix.EEXIST) {
		err = nil // of a call that was killed
	}
	if err == nil {
		err = unix.Fchownat(g.fd, freshRootfs, 0, 0, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err == nil {
		// It replaces an empty directory only, and none that is a mount point here.
		err = unix.Renameat(g.fd, freshRootfs, g.fd, rootfsName)
	}
	if err != nil {
		_ = unix.Unlinkat(g.fd, freshRootfs, unix.AT_REMOVEDIR)
		return fmt.Errorf("cannot replace %s/rootfs: %w", g.path, err)
	}
	return nil
}

func onlyNamespaces(holders []Holder) bool {
	for _, h := range holders {
		if h.What != whatNamespace {
			return false
		}
	}
	return true
}

// heldByNamespacesOnly tells whether an unmount has failed for no other reason
// than copies in others' mount namespaces.
func heldByNamespacesOnly(err error) bool {
	var busy *BusyError
	return errors.As(err, &busy) && len(busy.Holders) > 0 && onlyNamespaces(busy.Holders)
}
