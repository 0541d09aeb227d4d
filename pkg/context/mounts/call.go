package mounts

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// CallError is a system call that failed on a path of the guest.
type CallError struct {
	Call string
	Path string // as the guest sees it
	Err  error
}

func (e *CallError) Error() string { return fmt.Sprintf("%s %s: %v", e.Call, e.Path, e.Err) }
func (e *CallError) Unwrap() error { return e.Err }

func failed(call, path string, err error) error {
	if err == nil {
		return nil
	}
	return &CallError{Call: call, Path: "/" + path, Err: err}
}

// New makes a detached mount of a new superblock and gives its fd. attr is a set
// of MOUNT_ATTR_*. An error carries the kernel's own message from the fs context
// where it left one. Source: fsopen(2), fsmount(2).
func New(fstype, source string, options []Option, attr int) (int, error) {
	ctx, err := unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("fsopen %s: %w", fstype, err)
	}
	defer unix.Close(ctx)
	for _, o := range append([]Option{{"source", source}}, options...) {
		if o.Value == "" {
			err = unix.FsconfigSetFlag(ctx, o.Key)
		} else {
			err = unix.FsconfigSetString(ctx, o.Key, o.Value)
		}
		if err != nil {
			return -1, fmt.Errorf("fsconfig %s %s=%s: %w", fstype, o.Key, o.Value, withLog(ctx, err))
		}
	}
	if err := unix.FsconfigCreate(ctx); err != nil {
		return -1, fmt.Errorf("fsconfig %s create: %w", fstype, withLog(ctx, err))
	}
	fd, err := unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, attr)
	if err != nil {
		return -1, fmt.Errorf("fsmount %s: %w", fstype, withLog(ctx, err))
	}
	return fd, nil
}

// withLog adds the last line of the context's message log.
func withLog(ctx int, err error) error {
	var buf [512]byte
	if n, e := unix.Read(ctx, buf[:]); e == nil && n > 2 {
		return fmt.Errorf("%w (%s)", err, buf[2:n])
	}
	return err
}

// Clone gives a detached copy of the one mount that fd is in, rooted at fd.
func Clone(fd int) (int, error) {
	return unix.OpenTree(fd, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
}

// Attach puts a detached mount on the directory or file that target is.
func Attach(mount, target int) error {
	return unix.MoveMount(mount, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}

// moveMountBeneath is MOVE_MOUNT_BENEATH of linux/mount.h.
const moveMountBeneath = 0x200

// AttachBeneath puts a detached mount beneath the one that has target as its root, from Linux
// 6.5 on: EINVAL before.
func AttachBeneath(mount, target int) error {
	return unix.MoveMount(mount, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH|moveMountBeneath)
}

// SetAttr adds attributes to the mount of fd.
func SetAttr(fd int, attr int) error {
	return unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: uint64(attr)})
}

// openTarget opens a path below root without following any link, crossing mounts.
func openTarget(root int, path string, flags int) (int, error) {
	how := unix.OpenHow{
		Flags:   uint64(unix.O_PATH | unix.O_CLOEXEC | flags),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	for {
		fd, err := unix.Openat2(root, path, &how)
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return fd, err // EAGAIN: a rename raced with the walk
		}
	}
}

// touch opens a file below root and closes it.
func touch(root int, path string) error {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(root, path, &how)
	if err == nil {
		err = unix.Close(fd)
	}
	return err
}

// list reads a directory once: what its file system tells of the entries is known then.
func list(dir int) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC}
	if fd, err := unix.Openat2(dir, ".", &how); err == nil {
		unix.Getdents(fd, make([]byte, 4096))
		unix.Close(fd)
	}
}

// Seal makes a detached mount and its superblock read-only. A mount's own flag alone can
// be taken off by who has it in a mount namespace of his own.
func Seal(fd int) error {
	ctx, err := unix.Fspick(fd, "", unix.FSPICK_EMPTY_PATH|unix.FSPICK_CLOEXEC)
	if err != nil {
		return fmt.Errorf("fspick: %w", err)
	}
	defer unix.Close(ctx)
	if err := unix.FsconfigSetFlag(ctx, "ro"); err != nil {
		return fmt.Errorf("fsconfig ro: %w", withLog(ctx, err))
	}
	if err := unix.FsconfigReconfigure(ctx); err != nil {
		return fmt.Errorf("fsconfig reconfigure: %w", withLog(ctx, err))
	}
	return SetAttr(fd, AttrReadonly)
}
