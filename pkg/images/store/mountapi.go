package store

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// cloneMount returns a detached mount of the directory at fd, without the
// mounts below it.
func cloneMount(fd int) (int, error) {
	clone, err := unix.OpenTree(fd, "", unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("cannot clone the mount: %w", err)
	}
	return clone, nil
}

// attachMount attaches the detached mount at fd on the directory target. The
// mount is private then, even where the host's mounts are shared and hand
// their propagation on: what is mounted in it stays in it.
func attachMount(fd, target int) error {
	flags := unix.MOVE_MOUNT_F_EMPTY_PATH | unix.MOVE_MOUNT_T_EMPTY_PATH
	if err := unix.MoveMount(fd, "", target, "", flags); err != nil {
		return fmt.Errorf("cannot attach the mount: %w", err)
	}
	private := unix.MountAttr{Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &private); err != nil {
		return fmt.Errorf("cannot make the mount private: %w", err)
	}
	return nil
}

// mappedClone returns a detached private mount of the directory at fd in which
// ids are those of the user namespace userns, or those on disk: HostIDs. attrs are
// further MOUNT_ATTR_*.
// path is for messages.
func mappedClone(fd, userns int, attrs uint64, path string) (int, error) {
	clone, err := cloneMount(fd)
	if err != nil {
		return -1, explainPermission(err)
	}
	attr := unix.MountAttr{
		Attr_set: attrs,
		// A clone of a shared mount is its peer: without this, what the guest
		// mounts would show on the host.
		Propagation: unix.MS_PRIVATE,
	}
	if userns != HostIDs {
		attr.Attr_set |= unix.MOUNT_ATTR_IDMAP
		attr.Userns_fd = uint64(userns)
	}
	if err := unix.MountSetattr(clone, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		err = explainIDMap(err, clone, path)
		unix.Close(clone)
		return -1, err
	}
	return clone, nil
}
