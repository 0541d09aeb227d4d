package control

import (
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// SocketName is the name of a monitor's socket in its guest's run directory.
const SocketName = "control.sock"

// HolderSocketName is the name of the holder's socket in the run directory of an
// instance.
const HolderSocketName = "holder.sock"

// Listen makes the control socket of a guest in the directory that
// guestRunDirFD is open on, and listens. A socket that a dead monitor left
// is replaced. The descriptor is non-blocking and close-on-exec.
func Listen(guestRunDirFD int) (int, error) {
	return ListenAt(guestRunDirFD, SocketName)
}

// ListenAt is Listen for any name in a directory. The name is reached by
// /proc/self/fd, because an address holds no more than 108 bytes. The caller
// holds the lock that keeps others from doing the same.
func ListenAt(dirFD int, name string) (int, error) {
	addr, err := address(dirFD, name)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot make socket: %w", err)
	}
	if err := unix.Unlinkat(dirFD, name, 0); err != nil && err != unix.ENOENT {
		unix.Close(fd)
		return -1, &fs.PathError{Op: "cannot remove old socket", Path: name, Err: err}
	}
	if err := bindAndListen(fd, dirFD, name, addr); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func bindAndListen(fd, dirFD int, name string, addr *unix.SockaddrUnix) error {
	// The mode is set before anybody can connect: a bound socket that
	// doesn't listen yet refuses.
	if err := unix.Bind(fd, addr); err != nil {
		return fmt.Errorf("cannot bind socket %s: %w", name, err)
	}
	if err := unix.Fchmodat(dirFD, name, 0o600, 0); err != nil {
		return fmt.Errorf("cannot set mode of socket %s: %w", name, err)
	}
	// 128 clients may wait here while a dead monitor is being replaced.
	if err := unix.Listen(fd, 128); err != nil {
		return fmt.Errorf("cannot listen on socket %s: %w", name, err)
	}
	return nil
}

// address builds the address of dir/path, where path has at most one
// directory in it.
func address(dirFD int, path string) (*unix.SockaddrUnix, error) {
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsRune(part, 0) {
			return nil, fmt.Errorf("cannot use %q as name of a socket", path)
		}
	}
	addr := fmt.Sprintf("/proc/self/fd/%d/%s", dirFD, path)
	if len(addr) > 107 {
		return nil, fmt.Errorf("cannot use %q as name of a socket: too long", path)
	}
	return &unix.SockaddrUnix{Name: addr}, nil
}
