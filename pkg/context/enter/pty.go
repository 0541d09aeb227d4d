package enter

import (
	"errors"
	"fmt"
	"os"

	"github.com/sysct/sysct/internal/safefs"
	"golang.org/x/sys/unix"
)

// ptyMode is what login programs give a terminal: the tty group may write to
// it, for write(1) and wall(1).
const ptyMode = 0o620

// OpenPTY makes a pseudo-terminal in the guest's own devpts, so that the
// program there has a terminal with a name in /dev/pts, and never one of the
// host's. The slave will belong to uid and gid, ids of the host: the guest's
// id base plus the user, and plus 5 for the group tty. The master doesn't
// block; neither is anyone's controlling terminal yet.
func OpenPTY(root *safefs.Root, uid, gid uint32) (master, slave *os.File, err error) {
	ptmx, err := openPtmx(root)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open terminal in the guest: %w", err)
	}
	master = os.NewFile(uintptr(ptmx), "ptmx")
	if err := unix.IoctlSetPointerInt(ptmx, unix.TIOCSPTLCK, 0); err != nil {
		master.Close()
		return nil, nil, fmt.Errorf("cannot unlock terminal: %w", err)
	}
	// By ioctl, not by name: the name is looked up in the guest's tree.
	peer, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(ptmx), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		master.Close()
		return nil, nil, fmt.Errorf("cannot open terminal's other end: %w", errno)
	}
	slave = os.NewFile(peer, "pts")
	if err := giveTerminal(int(peer), uid, gid); err != nil {
		master.Close()
		slave.Close()
		return nil, nil, err
	}
	return master, slave, nil
}

func giveTerminal(fd int, uid, gid uint32) error {
	if err := unix.Fchown(fd, int(uid), int(gid)); err != nil {
		return fmt.Errorf("cannot give terminal to user %d, group %d: %w", uid, gid, err)
	}
	if err := unix.Fchmod(fd, ptyMode); err != nil {
		return fmt.Errorf("cannot set mode of terminal: %w", err)
	}
	return nil
}

var errNoDevpts = errors.New("/dev/pts is not a devpts file system")

// openPtmx opens the multiplexer inside a directory that was seen to be a
// devpts: there the kernel alone makes files. NO_XDEV, since the guest may
// mount something else over the file.
func openPtmx(root *safefs.Root) (int, error) {
	dir, err := root.Open("dev/pts", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return -1, err
	}
	defer dir.Close()
	fd := int(dir.Fd())
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return -1, fmt.Errorf("cannot stat /dev/pts: %w", err)
	}
	if fs.Type != unix.DEVPTS_SUPER_MAGIC {
		return -1, errNoDevpts
	}
	how := unix.OpenHow{
		Flags:   unix.O_RDWR | unix.O_NOCTTY | unix.O_NONBLOCK | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}
	for {
		ptmx, err := unix.Openat2(fd, "ptmx", &how)
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil {
			return -1, fmt.Errorf("cannot open /dev/pts/ptmx: %w", err)
		}
		return ptmx, nil
	}
}
