package store

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// From linux/btrfs.h and linux/btrfs_tree.h.
const (
	btrfsSubvolCreate   = 0x5000940e // _IOW(0x94, 14, struct btrfs_ioctl_vol_args)
	btrfsSnapDestroy    = 0x5000940f // _IOW(0x94, 15, struct btrfs_ioctl_vol_args)
	btrfsSnapCreateV2   = 0x50009417 // _IOW(0x94, 23, struct btrfs_ioctl_vol_args_v2)
	btrfsSubvolGetFlags = 0x80089419 // _IOR(0x94, 25, __u64)
	btrfsSubvolSetFlags = 0x4008941a // _IOW(0x94, 26, __u64)

	btrfsSubvolReadOnly = 1 << 1
	btrfsRootInode      = 256 // BTRFS_FIRST_FREE_OBJECTID: of the root directory of each subvolume
)

// volArgs is struct btrfs_ioctl_vol_args.
type volArgs struct {
	fd   int64
	name [4088]byte
}

// volArgsV2 is struct btrfs_ioctl_vol_args_v2.
type volArgsV2 struct {
	fd      int64
	transid uint64
	flags   uint64
	_       [4]uint64
	name    [4040]byte
}

func ioctlPointer(fd int, request uintptr, arg unsafe.Pointer) error {
	return retry(func() error {
		if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg)); e != 0 {
			return e
		}
		return nil
	})
}

func onBtrfs(fd int) bool {
	magic, err := fileSystemMagic(fd)
	return err == nil && magic == unix.BTRFS_SUPER_MAGIC
}

// isSubvolume tells whether the directory at fd is the root of one.
func isSubvolume(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Ino == btrfsRootInode && onBtrfs(fd)
}

func createSubvolume(dir int, name string) error {
	var args volArgs
	copy(args.name[:len(args.name)-1], name)
	if err := ioctlPointer(dir, btrfsSubvolCreate, unsafe.Pointer(&args)); err != nil {
		return fmt.Errorf("cannot create the subvolume %s: %w", name, err)
	}
	return nil
}

// snapshot makes a writable snapshot of the subvolume whose root is open,
// for reading, at source. EXDEV if that is on another file system.
func snapshot(source, dir int, name string) error {
	args := volArgsV2{fd: int64(source)}
	copy(args.name[:len(args.name)-1], name)
	if err := ioctlPointer(dir, btrfsSnapCreateV2, unsafe.Pointer(&args)); err != nil {
		return fmt.Errorf("cannot take the snapshot %s: %w", name, err)
	}
	return nil
}

// deleteSubvolume fails with ENOTEMPTY if there are subvolumes in it.
func deleteSubvolume(dir int, name string) error {
	var args volArgs
	copy(args.name[:len(args.name)-1], name)
	return ioctlPointer(dir, btrfsSnapDestroy, unsafe.Pointer(&args))
}

// makeWritable takes the read-only flag off the subvolume at fd, which a
// guest can set on one of its own.
func makeWritable(fd int) error {
	var flags uint64
	if err := ioctlPointer(fd, btrfsSubvolGetFlags, unsafe.Pointer(&flags)); err != nil {
		return err
	}
	if flags&btrfsSubvolReadOnly == 0 {
		return nil
	}
	flags &^= btrfsSubvolReadOnly
	err := ioctlPointer(fd, btrfsSubvolSetFlags, unsafe.Pointer(&flags))
	if errors.Is(err, unix.EPERM) {
		return explainPermission(err)
	}
	return err
}
