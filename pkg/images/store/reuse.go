package store

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Reuse returns a Clone of the running guest's root that is mounted on rootfs/,
// for a further boot in which the guest's root has the host's id idBase plus
// its id on disk. ok is false, without an error, if no such root is there: then
// OpenRoot makes one. It is for what must not be unmounted, as somebody sits in
// it. The caller closes mountFD.
func Reuse(l Layout, idBase uint32) (mountFD int, ok bool, err error) {
	b, g, err := l.open()
	if err != nil {
		return -1, false, err
	}
	defer g.close()
	if err := g.checkPrivate(); err != nil {
		return -1, false, err
	}
	fd, err := g.reuse(b, idBase)
	if err != nil {
		return -1, false, fmt.Errorf("cannot reuse the root at %s/rootfs: %w", g.path, err)
	}
	return fd, fd >= 0, nil
}

// reuse returns -1 if the right root isn't mounted.
func (g *guestDir) reuse(b backend, idBase uint32) (int, error) {
	o, err := g.look(b)
	if err != nil || o.kind != running {
		return -1, err
	}
	disk, err := b.rootOnDisk(g)
	if err != nil {
		return -1, err
	}
	if o.stat.Uid != idBase+disk.Uid || o.stat.Gid != idBase+disk.Gid {
		return -1, nil
	}
	shown, err := openBeneath(g.fd, rootfsName, unix.O_PATH|unix.O_DIRECTORY, 0, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(shown)
	st, err := statMount(shown, "", unix.AT_EMPTY_PATH)
	if err != nil {
		return -1, err
	}
	if st.Mnt_id != o.mount.id {
		return -1, errors.New("what is mounted there has just changed")
	}
	if refuseReadOnly(shown) != nil {
		return -1, nil // an overlay after an error, or made so by somebody
	}
	return cloneForGuest(shown)
}

// cloneForGuest takes back what Expose has put on the mount for the host.
func cloneForGuest(shown int) (int, error) {
	clone, err := cloneMount(shown)
	if err != nil {
		return -1, err
	}
	guests := unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_NOSUID, Attr_set: unix.MOUNT_ATTR_NODEV, Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(clone, "", unix.AT_EMPTY_PATH, &guests); err != nil {
		unix.Close(clone)
		return -1, fmt.Errorf("cannot set mount attributes: %w", err)
	}
	return clone, nil
}

// statBelow looks at rootfs/ below what is mounted on it.
func (g *guestDir) statBelow() (*unix.Statx_t, error) {
	below, err := g.below()
	if err != nil {
		return nil, err
	}
	defer unix.Close(below)
	return statMount(below, rootfsName, unix.AT_SYMLINK_NOFOLLOW)
}

// below returns the guest's directory without what is mounted in it: a clone
// that isn't recursive.
func (g *guestDir) below() (int, error) {
	fd, err := unix.OpenTree(g.fd, "", unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("cannot look below the mount on rootfs: %w", err)
	}
	return fd, nil
}
