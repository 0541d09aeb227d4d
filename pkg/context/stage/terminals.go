package stage

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/mounts"
	"github.com/sysct/sysct/pkg/context/proto"
)

// terminals opens the console and the ttys in the guest's own devpts, so that
// they are pts/0, pts/1, … there, and binds the first at /dev/console. They are
// never the host's terminals nor its device nodes: a login chowns its terminal.
func (s *stage) terminals() error {
	for i := 0; i <= s.setup.TTYs; i++ {
		master, err := s.openMaster(i)
		if err != nil {
			return err
		}
		if i > 0 {
			s.give(proto.TTY(i), master)
			continue
		}
		s.give(proto.FDConsole, master)
		s.slave, err = peer(master, unix.O_RDWR)
		if err != nil {
			return &mounts.CallError{Call: "ioctl TIOCGPTPEER", Path: "/dev/pts/0", Err: err}
		}
	}
	a := mounts.Applier{Root: s.root}
	return a.Apply(mounts.Op{Kind: mounts.KindTTY, Source: "dev/pts/0", Target: "dev/console"})
}

// openMaster opens the i-th pty. The number is checked: a devpts that isn't
// fresh would hand out another.
func (s *stage) openMaster(i int) (int, error) {
	const path = "dev/pts/ptmx"
	fd, err := unix.Openat(s.root, path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, &mounts.CallError{Call: "openat", Path: "/" + path, Err: err}
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return -1, &mounts.CallError{Call: "ioctl TIOCSPTLCK", Path: "/" + path, Err: err}
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil || n != i {
		return -1, fmt.Errorf("pty %d has the number %s: %w", i, strconv.Itoa(n), unix.EBUSY)
	}
	// Until a client says otherwise; programs take 0x0 badly.
	size := unix.Winsize{Row: 24, Col: 80}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &size); err != nil {
		return -1, &mounts.CallError{Call: "ioctl TIOCSWINSZ", Path: "/" + path, Err: err}
	}
	return fd, nil
}

func peer(master, flags int) (int, error) {
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, uintptr(flags|unix.O_NOCTTY|unix.O_CLOEXEC))
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}
