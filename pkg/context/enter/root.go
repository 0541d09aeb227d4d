package enter

import (
	"fmt"

	"github.com/sysct/sysct/internal/safefs"
	"golang.org/x/sys/unix"
)

// GuestRoot opens the root directory of the process behind pidfd, as that
// process sees it: what is mounted in the guest is there. The caller closes it.
// Whose root it is follows from the pidfd alone.
//
// Everything below it may be a file system that the guest serves itself, which
// can leave an open or read hanging for as long as the guest lives. So a
// monitor doesn't use it, nor LookupUser and OpenPTY.
func GuestRoot(pidfd int) (*safefs.Root, error) {
	pid, err := pidOf(pidfd)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/root", pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open the guest's root: %w", err)
	}
	root := safefs.FromFD(fd)
	if err := checkAlive(pidfd); err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}
