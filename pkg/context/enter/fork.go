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
	if childLeave(b) && childFiles(b) && childJoin(b) && childReset(b) && childIDs(b) && childConfine(b) && childDirectory(b) {
		childExecute(b)
	}
	syscall.RawSyscall(unix.SYS_WRITE, b.report, uintptr(unsafe.Pointer(&b.record)), unsafe.Sizeof(b.record))
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, 127, 0, 0)
	}
}

// try makes a system call in the child, keeps what came of it in the block, and
// says whether it succeeded. (Results by way of the block keep the frames small:
// a build for a debugger must fit the stack as well.)
//
//go:nosplit
//go:norace
func (b *block) try(s step, number, a1, a2, a3, a4 uintptr) bool {
	value, _, errno := syscall.RawSyscall6(number, a1, a2, a3, a4, 0, 0)
	b.value = value
	b.record[0], b.record[1] = uint32(s), uint32(errno)
	return errno == 0
}

// failed is try's place for what the child finds out itself.
//
//go:nosplit
//go:norace
func (b *block) failed(s step, errno syscall.Errno) bool {
	b.record[0], b.record[1] = uint32(s), uint32(errno)
	return false
}
