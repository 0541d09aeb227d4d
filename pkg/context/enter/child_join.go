package enter

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Descriptors that the child holds while it joins. The first that are the
// program's come before them; the report pipe closes at execve.
const (
	fdReport = 3
	fdTarget = 4
	fdCount  = 5
	// fdAbove is where descriptors are moved to first, so that none of the
	// five is overwritten before it was copied.
	fdAbove = 16
)

// childLeave does what must be done as the host's root: from the first call
// on the guest can neither trace the child nor open its exe, fd or mem.
//
//go:nosplit
//go:norace
//go:nocheckptr
func childLeave(b *block) (step, syscall.Errno) {
	if errno := call(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0); errno != 0 {
		return stepDumpable, errno
	}
	// "0" moves the writer: a hundred times faster than a pid written by
	// another process, which waits for a grace period.
	for _, fd := range b.join {
		if errno := call(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b.zero)), 1); errno != 0 {
			return stepCgroup, errno
		}
	}
	// The session keyring of whoever called must not go along. This one is
	// charged to the host's root, so that a guest that used up its quota
	// can't prevent it; childIDs tries to put one of the guest's in its place.
	if errno := joinKeyring(); errno != 0 && errno != unix.ENOSYS && errno != unix.EPERM {
		return stepKeyring, errno
	}
	if errno := call(unix.SYS_SETSID, 0, 0, 0); errno != 0 {
		return stepSession, errno
	}
	return stepNone, 0
}

//go:nosplit
//go:norace
func joinKeyring() syscall.Errno {
	return call(unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0)
}

// childFiles leaves descriptors 0, 1, 2, fdReport and fdTarget open, while
// nobody in the guest can see the child yet.
//
//go:nosplit
//go:norace
//go:nocheckptr
func childFiles(b *block) (step, syscall.Errno) {
	for i := range b.source {
		fd, _, errno := syscall.RawSyscall(unix.SYS_FCNTL, b.source[i], unix.F_DUPFD_CLOEXEC, fdAbove)
		if errno != 0 {
			return stepFiles, errno
		}
		b.source[i] = fd
	}
	b.report = b.source[fdReport]
	for i := range b.source {
		flags := uintptr(0)
		if i >= fdReport {
			flags = unix.O_CLOEXEC
		}
		if errno := call(unix.SYS_DUP3, b.source[i], uintptr(i), flags); errno != 0 {
			return stepFiles, errno
		}
	}
	b.report = fdReport
	if errno := call(unix.SYS_CLOSE_RANGE, fdCount, uintptr(^uint32(0)), 0); errno != 0 {
		return stepFiles, errno
	}
	return stepNone, 0
}

// childJoin enters. From here on the child is root in the guest's user
// namespace with all of its capabilities, and still the host's user 0.
//
//go:nosplit
//go:norace
//go:nocheckptr
func childJoin(b *block) (step, syscall.Errno) {
	if b.flags != 0 {
		if errno := call(unix.SYS_SETNS, fdTarget, b.flags, 0); errno != 0 {
			return stepNamespaces, errno
		}
	}
	if errno := call(unix.SYS_CLOSE, fdTarget, 0, 0); errno != 0 {
		return stepFiles, errno
	}
	if b.tty {
		if errno := call(unix.SYS_IOCTL, 0, unix.TIOCSCTTY, 0); errno != 0 {
			return stepTerminal, errno
		}
	}
	return stepNone, 0
}
