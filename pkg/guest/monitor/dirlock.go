package monitor

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/flock"
	sysctx "github.com/sysct/sysct/pkg/context"
)

// dirLockTimeout is for those who only look whether the lock is held.
const dirLockTimeout = 200 * time.Millisecond

// heldError says who keeps the guest already; its cause is flock(2)'s errno.
type heldError struct{ by string }

func (e *heldError) Error() string { return "the guest runs already, kept by " + e.by }
func (e *heldError) Unwrap() error { return unix.EWOULDBLOCK }

// lockDir locks the guest's directory, before anything else is done with it. The
// locks in the run directory are one instance's own: this one is of the guest
// itself, whatever run directory others see it with. It belongs to the open
// file, which is in the store, so it outlives the monitor.
func (m *monitor) lockDir(h *heritage) (err error) {
	if err := failpoint("lock guest"); err != nil {
		return err
	}
	if fd, ok := h.fds[fdDir]; ok {
		m.guestDir = fd
		return nil
	}
	if m.guestDir, err = openLocked(m.plan.Context.Root.GuestDir); err == nil {
		return nil
	}
	if _, again := h.fds[fdShared]; again {
		return nil // a guest that runs is kept rather than left alone
	}
	return &sysctx.StepError{Step: "lock guest", Err: err}
}

// storeDir leaves the lock with the service manager, if it isn't there.
func (m *monitor) storeDir(h *heritage) {
	_, handed := h.take(fdDir)
	switch {
	case m.guestDir < 0:
		m.log.say("the guest's directory is not locked")
	case handed && h.again:
		m.inherit(fdDir, m.guestDir)
	default:
		m.keep(fdDir, m.guestDir)
	}
}

// DirFD is the name of the locked directory among the descriptors that a monitor may be
// started with.
const DirFD = fdDir

// LockDir locks a guest's directory for a monitor that this process executes.
func LockDir(path string) (int, error) { return openLocked(path) }

// openLocked opens a guest's directory with the exclusive lock on it.
func openLocked(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot open %s: %w", path, err)
	}
	if err := lockOpen(fd, path); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// lockOpen takes the lock on the open directory of a guest. The cause is
// unix.EWOULDBLOCK if somebody has it, unix.ENOENT if path leads elsewhere by now.
func lockOpen(fd int, path string) (err error) {
	for deadline := time.Now().Add(dirLockTimeout); ; time.Sleep(10 * time.Millisecond) {
		err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if err != unix.EINTR && (err != unix.EWOULDBLOCK || time.Now().After(deadline)) {
			break
		}
	}
	switch {
	case err == unix.EWOULDBLOCK:
		pid, command := flock.Holder(fd)
		if pid > 0 {
			command = fmt.Sprintf("%s (pid %d)", command, pid)
		}
		return &heldError{command}
	case err != nil:
		return fmt.Errorf("cannot lock %s: %w", path, err)
	case !names(path, fd):
		unix.Flock(fd, unix.LOCK_UN)
		return fmt.Errorf("cannot lock %s: it was removed or renamed meanwhile: %w", path, unix.ENOENT)
	}
	return nil
}

// names says whether path still leads to the open file.
func names(path string, fd int) bool {
	var open, named unix.Stat_t
	return unix.Fstat(fd, &open) == nil && unix.Lstat(path, &named) == nil &&
		open.Dev == named.Dev && open.Ino == named.Ino
}

// unlockDir frees the lock for all who have the open file, the service manager
// among them. The directory stays open: what has its path later may be another guest's.
func (m *monitor) unlockDir() {
	if m.guestDir < 0 {
		return
	}
	m.drop(fdDir)
	unix.Flock(m.guestDir, unix.LOCK_UN)
}
