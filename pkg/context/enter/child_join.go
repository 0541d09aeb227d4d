package enter

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Descriptors that the child holds while it joins. The first three are the
// program's; the report socket closes at execve.
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
func childLeave(b *block) bool {
	if !b.try(stepDumpable, unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0, 0) {
		return false
	}
	// "0" moves the writer: a hundred times faster than a pid written by
	// another process, which waits for a grace period.
	for _, fd := range b.join {
		if !b.try(stepCgroup, unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b.zero)), 1, 0) {
			return false
		}
	}
	// The session keyring of whoever called must not go along. This one is
	// charged to the host's root, so that a guest that used up its quota
	// can't prevent it; childIDs tries to put one of the guest's in its place.
	if !joinKeyring(b) && b.record[1] != uint32(unix.ENOSYS) && b.record[1] != uint32(unix.EPERM) {
		return false
	}
	// The guest's limits may be above the caller's: in its namespaces nobody may set them.
	for i := range b.limits {
		if !b.try(stepLimits, unix.SYS_PRLIMIT64, 0, b.limits[i].resource, uintptr(unsafe.Pointer(&b.limits[i].value)), 0) {
			return false
		}
	}
	return b.try(stepSession, unix.SYS_SETSID, 0, 0, 0, 0)
}

//go:nosplit
//go:norace
func joinKeyring(b *block) bool {
	return b.try(stepKeyring, unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0)
}

// childFiles leaves descriptors 0, 1, 2, fdReport and fdTarget open, while
// the child has nothing of the guest yet.
//
//go:nosplit
//go:norace
//go:nocheckptr
func childFiles(b *block) bool {
	for i := range b.source {
		if !b.try(stepFiles, unix.SYS_FCNTL, b.source[i], unix.F_DUPFD_CLOEXEC, fdAbove, 0) {
			return false
		}
		b.source[i] = b.value
	}
	b.report = b.source[fdReport]
	for i := range b.source {
		flags := uintptr(0)
		if i >= fdReport {
			flags = unix.O_CLOEXEC
		}
		if !b.try(stepFiles, unix.SYS_DUP3, b.source[i], uintptr(i), flags, 0) {
			return false
		}
	}
	b.report = fdReport
	return b.try(stepFiles, unix.SYS_CLOSE_RANGE, fdCount, uintptr(^uint32(0)), 0, 0)
}

// childJoin enters. From here on the child is root in the guest's user
// namespace with all of its capabilities, and still the host's user 0.
//
//go:nosplit
//go:norace
//go:nocheckptr
func childJoin(b *block) bool {
	if b.flags != 0 && !b.try(stepNamespaces, unix.SYS_SETNS, fdTarget, b.flags, 0, 0) {
		return false
	}
	if !b.try(stepFiles, unix.SYS_CLOSE, fdTarget, 0, 0, 0) {
		return false
	}
	return !b.tty || b.try(stepTerminal, unix.SYS_IOCTL, 0, unix.TIOCSCTTY, 0, 0)
}
