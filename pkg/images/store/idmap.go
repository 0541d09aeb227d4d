package store

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// explainIDMap turns a failed mount_setattr(MOUNT_ATTR_IDMAP) into an error
// that names the file system and the way out.
func explainIDMap(err error, fd int, path string) error {
	if errors.Is(err, unix.EPERM) {
		return explainPermission(fmt.Errorf("cannot map the ids of %s: %w", path, err))
	}
	if !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("cannot map the ids of %s: %w", path, err)
	}
	return fmt.Errorf("cannot map the ids of %s: its file system, %s, has no idmapped mounts in this kernel"+
		" (keep the state and cache directories on ext4, xfs, btrfs or f2fs): %w", path, fileSystemName(fd), err)
}

// explainPermission adds to an EPERM that a user namespace is the reason.
func explainPermission(err error) error {
	if errors.Is(err, unix.EPERM) && inUserNamespace() {
		return fmt.Errorf("%w (sysct runs inside a user namespace, which may not map the ids of"+
			" a file system from outside it)", err)
	}
	return err
}

// InUserNamespace says whether this process is in a user namespace of a host's: the real
// root is elsewhere.
func InUserNamespace() bool { return inUserNamespace() }

// inUserNamespace is false only in the initial one, whose map is all ids.
func inUserNamespace() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && strings.Join(strings.Fields(string(text)), " ") != "0 0 4294967295"
}

// fileSystemName returns the type of the file system at fd, a mount or
// anything on it, as /proc/filesystems spells it.
func fileSystemName(fd int) string {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "unknown"
	}
	mounts, err := ownMounts()
	if err != nil {
		return "unknown"
	}
	// A clone is in no mountinfo, but another mount of its superblock is.
	dev := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	for _, m := range mounts {
		if m.dev == dev {
			return m.fsType
		}
	}
	magic, err := fileSystemMagic(fd)
	if err != nil {
		return "unknown"
	}
	return fmt.Sprintf("of type %#x", magic)
}
