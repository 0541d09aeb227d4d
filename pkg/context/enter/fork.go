package enter

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fork starts the child. Everything that runs between the two hooks, in
// parent and child, is nosplit: the linker then proves that the stack suffices,
// and no signal handler, allocation or scheduling point can come in between.
// A plain fork, not a vfork: setns with CLONE_NEWTIME and the undumpable state
// both want memory that is not shared with the parent.
//
//go:noinline
//go:norace
//go:nocheckptr
func fork(b *block) (pid uintptr, errno syscall.Errno) {
	beforeFork()
	b.clone.pidfd = uint64(uintptr(unsafe.Pointer(&b.pidfd)))
	pid, _, errno = syscall.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&b.clone)), unsafe.Sizeof(b.clone), 0)
	if errno == 0 && pid == 0 {
		childMain(b)
	}
	afterFork()
	return pid, errno
}

// childMain runs in the child, and never returns.
//
//go:nosplit
//go:norace
//go:nocheckptr
func childMain(b *block) {
	s, errno := childRun(b)
	b.record[0], b.record[1] = uint32(s), uint32(errno)
	syscall.RawSyscall(unix.SYS_WRITE, b.report, uintptr(unsafe.Pointer(&b.record)), unsafe.Sizeof(b.record))
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, 127, 0, 0)
	}
}

// childRun is the child's way from birth to execve.
//
//go:nosplit
//go:norace
//go:nocheckptr
func childRun(b *block) (step, syscall.Errno) {
	if s, errno := childLeave(b); errno != 0 {
		return s, errno
	}
	if s, errno := childFiles(b); errno != 0 {
		return s, errno
	}
	if s, errno := childJoin(b); errno != 0 {
		return s, errno
	}
	if s, errno := childReset(b); errno != 0 {
		return s, errno
	}
	if s, errno := childIDs(b); errno != 0 {
		return s, errno
	}
	if s, errno := childConfine(b); errno != 0 {
		return s, errno
	}
	return childExecute(b)
}

// call is a system call with up to three arguments whose result matters only
// as success.
//
//go:nosplit
//go:norace
func call(number, a, b, c uintptr) syscall.Errno {
	_, _, errno := syscall.RawSyscall(number, a, b, c)
	return errno
}
