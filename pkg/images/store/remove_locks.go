package store

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// From linux/fs.h: what chattr +i and +a set.
const lockFlags = 0x10 | 0x20 // FS_IMMUTABLE_FL | FS_APPEND_FL

// unlock takes the flags that forbid deletion off the directory and off the
// entry in it, and tells whether there were any.
func unlock(dir int, name string) bool {
	done := clearLocks(dir)
	var st unix.Stat_t
	if unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return done
	}
	if t := st.Mode & unix.S_IFMT; t != unix.S_IFREG && t != unix.S_IFDIR {
		return done // opening a device could do anything
	}
	fd, err := openBeneath(dir, name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0, unix.RESOLVE_NO_XDEV)
	if err != nil {
		return done
	}
	defer unix.Close(fd)
	return clearLocks(fd) || done
}

func clearLocks(fd int) bool {
	flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	if err != nil || flags&lockFlags == 0 {
		return false
	}
	return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(flags&^lockFlags)) == nil
}

// removeSubvolume deletes a subvolume, whose root is open at fd, and those in
// it. It costs no walk unless there are some, or it is the guest's own rmdir
// that it must do without.
func removeSubvolume(dir int, name string, fd int) error {
	err := deleteSubvolume(dir, name)
	if !errors.Is(err, unix.ENOTEMPTY) {
		return err
	}
	if err := makeWritable(fd); err != nil {
		return fmt.Errorf("cannot make the subvolume writable: %w", err)
	}
	inner := &remover{top: fd, btrfs: true}
	if err := inner.empty(); err != nil {
		return err
	}
	return deleteSubvolume(dir, name)
}
