package publish

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// nobody is the user and group of a relay that has bound its ports.
const nobody = 65534

// giveUp makes the process one that may do nothing to the host: no user of it but
// nobody, no capability, nothing of setuid programs. The calls are those of package syscall, which makes them for all
// threads; with the user id, the kernel takes the capabilities of each.
func giveUp() error {
	if err := syscall.Chdir("/"); err != nil {
		return fmt.Errorf("cannot change to /: %w", err)
	}
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf("cannot drop groups: %w", err)
	}
	if err := syscall.Setresgid(nobody, nobody, nobody); err != nil {
		return fmt.Errorf("cannot change group: %w", err)
	}
	if err := syscall.Setresuid(nobody, nobody, nobody); err != nil {
		return fmt.Errorf("cannot change user: %w", err)
	}
	// A program with C's library in it can't; sysct has none.
	if _, _, err := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != 0 && err != syscall.ENOTSUP {
		return fmt.Errorf("cannot set no_new_privs: %w", err)
	}
	return nil
}

// closeInherited closes what the relay has of whoever started it and wasn't meant for it:
// it lives long. All that is the runtime's own is closed at an exec, all else isn't.
func closeInherited() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("cannot list descriptors: %w", err)
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= initFD {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
	return nil
}
