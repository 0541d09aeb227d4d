package enter

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	lastSignal = 64
	lastCap    = 63
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
func childReset(b *block) bool {
	for signal := uintptr(1); signal <= lastSignal; signal++ {
		if signal == uintptr(unix.SIGKILL) || signal == uintptr(unix.SIGSTOP) {
			continue
		}
		if !b.try(stepSignals, unix.SYS_RT_SIGACTION, signal, uintptr(unsafe.Pointer(&b.action)), 0, unsafe.Sizeof(b.mask)) {
			return false
		}
	}
	b.try(stepLimits, unix.SYS_UMASK, newUmask, 0, 0, 0)
	if b.ownFiles {
		return true
	}
	if !b.try(stepLimits, unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, 0, uintptr(unsafe.Pointer(&b.nofile))) {
		return false
	}
	if b.nofile.Cur+1 != b.nofile.Max || b.nofile.Max <= defaultFiles {
		return true
	}
	b.nofile.Cur = defaultFiles
	return b.try(stepLimits, unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&b.nofile)), 0)
}

// childIDs bounds the capabilities and becomes the user. KEEPCAPS, since the
// filter needs CAP_SYS_ADMIN afterwards; execve clears it.
//
//go:nosplit
//go:norace
//go:nocheckptr
func childIDs(b *block) bool {
	if !dropBounding(b) || !b.try(stepCapabilities, unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0, 0) {
		return false
	}
	if !b.try(stepGroups, unix.SYS_SETGROUPS, uintptr(len(b.groups)), uintptr(unsafe.Pointer(unsafe.SliceData(b.groups))), 0, 0) {
		return false
	}
	if !b.try(stepGID, unix.SYS_SETRESGID, b.gid, b.gid, b.gid, 0) || !b.try(stepUID, unix.SYS_SETRESUID, b.uid, b.uid, b.uid, 0) {
		return false
	}
	// A change of ids sets it to fs.suid_dumpable, which may be 1.
	if !b.try(stepDumpable, unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0, 0) {
		return false
	}
	joinKeyring(b)
	return true
}

//go:nosplit
//go:norace
func dropBounding(b *block) bool {
	for n := uintptr(0); n <= lastCap; n++ {
		if b.keep>>n&1 != 0 || b.try(stepBounding, unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, n, 0, 0) {
			continue
		}
		// EINVAL: past the last capability that this kernel knows.
		return b.record[1] == uint32(unix.EINVAL)
	}
	return true
}

// childConfine loads the filter and drops to the capabilities that stay. What
// comes after the filter must be what any program may call.
//
//go:nosplit
//go:norace
//go:nocheckptr
func childConfine(b *block) bool {
	header, data := uintptr(unsafe.Pointer(&b.header)), uintptr(unsafe.Pointer(&b.caps))
	if !b.try(stepCapabilities, unix.SYS_CAPGET, header, data, 0, 0) {
		return false
	}
	for i := range b.caps {
		b.caps[i].Effective = b.caps[i].Permitted
	}
	if !b.try(stepCapabilities, unix.SYS_CAPSET, header, data, 0, 0) {
		return false
	}
	if !b.try(stepCapabilities, unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0) {
		return false
	}
	if b.filter.Len != 0 && !childFilter(b) {
		return false
	}
	for i := range b.caps {
		kept := b.caps[i].Permitted & uint32(b.keepUser>>(32*uint(i)))
		b.caps[i] = unix.CapUserData{Effective: kept, Permitted: kept}
	}
	return b.try(stepCapabilities, unix.SYS_CAPSET, header, data, 0, 0)
}

//go:nosplit
//go:norace
//go:nocheckptr
func childFilter(b *block) bool {
	filter := uintptr(unsafe.Pointer(&b.filter))
	if b.listen {
		if b.try(stepFilter, unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, filter, 0) {
			return childHandOver(b)
		}
		// Before 5.19.
		if b.record[1] == uint32(unix.EINVAL) && b.try(stepFilter, unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, filter, 0) {
			return childHandOver(b)
		}
		// EBUSY: what sysct runs in has a listener.
		filter = uintptr(unsafe.Pointer(&b.deaf))
	}
	return b.try(stepFilter, unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, filter, 0)
}

// childHandOver gives the listener to the parent. There is no way back from it: if the parent
// has gone, the program does without.
//
//go:nosplit
//go:norace
//go:nocheckptr
func childHandOver(b *block) bool {
	listener := b.value
	b.rights.fd = int32(listener)
	b.try(stepFilter, unix.SYS_SENDMSG, b.report, uintptr(unsafe.Pointer(&b.handOver)), unix.MSG_NOSIGNAL, 0)
	return b.try(stepFilter, unix.SYS_CLOSE, listener, 0, 0, 0)
}
