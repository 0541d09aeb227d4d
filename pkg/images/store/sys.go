package store

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// resolveStrict is how anything below a guest's directory is looked up.
const resolveStrict = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// openBeneath opens name below dirfd without following a link on the way or
// at its end. more is added to the resolve flags.
func openBeneath(dirfd int, name string, flags int, mode uint32, more uint64) (int, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC | unix.O_NOFOLLOW),
		Mode:    uint64(mode),
		Resolve: resolveStrict | more,
	}
	fd := -1
	err := retry(func() (err error) {
		fd, err = unix.Openat2(dirfd, name, &how)
		return err
	})
	return fd, err
}

// retry repeats f while a signal interrupts it: Go's runtime sends itself
// signals, and not every file system restarts a call by itself.
func retry(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// statMount returns what a path is and which mount it is on.
func statMount(dirfd int, name string, flags int) (*unix.Statx_t, error) {
	var st unix.Statx_t
	mask := unix.STATX_TYPE | unix.STATX_MODE | unix.STATX_INO | unix.STATX_UID | unix.STATX_GID | unix.STATX_MNT_ID
	flags |= unix.AT_NO_AUTOMOUNT
	if err := unix.Statx(dirfd, name, flags, mask, &st); err != nil {
		return nil, err
	}
	return &st, nil
}

func isMountRoot(st *unix.Statx_t) bool { return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0 }

func sameFile(a, b *unix.Statx_t) bool {
	return a.Ino == b.Ino && a.Dev_major == b.Dev_major && a.Dev_minor == b.Dev_minor
}

// fdPath names what is at fd for a call that takes only paths. The kernel
// jumps from it to the open file, so nothing is looked up by name.
func fdPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// fileSystemMagic returns the f_type of the file system at fd.
func fileSystemMagic(fd int) (int64, error) {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(fd, &st) }); err != nil {
		return 0, err
	}
	return int64(uint32(st.Type)), nil
}
