package enter

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	lastSignal = 64
	// The kernel's default soft limit. Go raises the soft limit to one below
	// the hard one, and doesn't tell what it was.
	defaultFiles = 1024
	newUmask     = 0o022
)

// childReset gives the program what a program expects at its start: default
// signal actions, the usual umask, a soft limit of files that suits select(2).
// All signals stay blocked until execve.
//
//go:nosplit
//go:norace
//go:nocheckptr
func childReset(b *block) (step, syscall.Errno) {
	for signal := uintptr(1); signal <= lastSignal; signal++ {
		if signal == uintptr(unix.SIGKILL) || signal == uintptr(unix.SIGSTOP) {
			continue
		}
		_, _, errno := syscall.RawSyscall6(unix.SYS_RT_SIGACTION, signal, uintptr(unsafe.Pointer(&b.action)), 0, unsafe.Sizeof(b.mask), 0, 0)
		if errno != 0 {
			return stepSignals, errno
		}
	}
	call(unix.SYS_UMASK, newUmask, 0, 0)
	limit := uintptr(unsafe.Pointer(&b.nofile))
	_, _, errno := syscall.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, 0, limit, 0, 0)
	if errno != 0 {
		return stepLimits, errno
	}
	if b.nofile.Cur+1 == b.nofile.Max && b.nofile.Max > defaultFiles {
		b.nofile.Cur = defaultFiles
		_, _, errno = syscall.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, limit, 0, 0, 0)
	}
	return stepLimits, errno
}

// childIDs bounds the capabilities and becomes the user. KEEPCAPS, since the
// filter needs CAP_SYS_ADMIN afterwards; execve clears it.
//
//go:nosplit
//go:norace
//go:nocheckptr
func childIDs(b *block) (step, syscall.Errno) {
	for n := uintptr(0); n < 64; n++ {
		if b.keep>>n&1 != 0 {
			continue
		}
		if errno := call(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, n, 0); errno == unix.EINVAL {
			break // past the last capability that this kernel knows
		} else if errno != 0 {
			return stepBounding, errno
		}
	}
	if errno := call(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0); errno != 0 {
		return stepCapabilities, errno
	}
	if errno := call(unix.SYS_SETGROUPS, uintptr(len(b.groups)), uintptr(unsafe.Pointer(unsafe.SliceData(b.groups))), 0); errno != 0 {
		return stepGroups, errno
	}
	if errno := call(unix.SYS_SETRESGID, b.gid, b.gid, b.gid); errno != 0 {
		return stepGID, errno
	}
	if errno := call(unix.SYS_SETRESUID, b.uid, b.uid, b.uid); errno != 0 {
		return stepUID, errno
	}
	// A change of ids sets it to fs.suid_dumpable, which may be 1.
	if errno := call(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0); errno != 0 {
		return stepDumpable, errno
	}
	joinKeyring()
	return stepNone, 0
}

// childConfine loads the filter and drops to the capabilities that stay.
//
//go:nosplit
//go:norace
//go:nocheckptr
func childConfine(b *block) (step, syscall.Errno) {
	header, data := uintptr(unsafe.Pointer(&b.header)), uintptr(unsafe.Pointer(&b.caps))
	if errno := call(unix.SYS_CAPGET, header, data, 0); errno != 0 {
		return stepCapabilities, errno
	}
	for i := range b.caps {
		b.caps[i].Effective = b.caps[i].Permitted
	}
	if errno := call(unix.SYS_CAPSET, header, data, 0); errno != 0 {
		return stepCapabilities, errno
	}
	// Before the filter: after it only what any program may call.
	_, _, errno := syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, 0)
	if errno != 0 {
		return stepCapabilities, errno
	}
	if b.filter.Len != 0 {
		if errno := call(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&b.filter))); errno != 0 {
			return stepFilter, errno
		}
	}
	for i := range b.caps {
		kept := b.caps[i].Permitted & uint32(b.keepUser>>(32*uint(i)))
		b.caps[i] = unix.CapUserData{Effective: kept, Permitted: kept}
	}
	return stepCapabilities, call(unix.SYS_CAPSET, header, data, 0)
}
