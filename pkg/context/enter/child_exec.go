package enter

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// childExecute is the last part: the directory, the signal mask, the program.
//
//go:nosplit
//go:norace
//go:nocheckptr
func childExecute(b *block) (step, syscall.Errno) {
	if s, errno := childDirectory(b); errno != 0 {
		return s, errno
	}
	_, _, errno := syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&b.mask)), 0, unsafe.Sizeof(b.mask), 0, 0)
	if errno != 0 {
		return stepSignals, errno
	}
	return stepExecute, childSearch(b)
}

// childDirectory changes the directory with the user's own rights, inside the
// guest, and makes sure that it is there: through /proc/self/fd the path of a
// directory outside could be named, which getcwd reports as "(unreachable)…"
// (CVE-2024-21626).
//
//go:nosplit
//go:norace
//go:nocheckptr
func childDirectory(b *block) (step, syscall.Errno) {
	if errno := call(unix.SYS_CHDIR, uintptr(unsafe.Pointer(b.directory)), 0, 0); errno != 0 {
		return stepDirectory, errno
	}
	if errno := call(unix.SYS_GETCWD, uintptr(unsafe.Pointer(&b.cwd)), unsafe.Sizeof(b.cwd), 0); errno != 0 {
		return stepInside, errno
	}
	if b.cwd[0] != '/' {
		return stepInside, unix.EXDEV
	}
	return stepNone, 0
}

// childSearch tries the candidates as execvp does: what isn't there is passed
// over, what may not be executed is remembered, anything else is the answer.
// ENOEXEC is too: no shell is started for a file without an interpreter.
//
//go:nosplit
//go:norace
//go:nocheckptr
func childSearch(b *block) syscall.Errno {
	argv := uintptr(unsafe.Pointer(unsafe.SliceData(b.argv)))
	envv := uintptr(unsafe.Pointer(unsafe.SliceData(b.envv)))
	found := unix.ENOENT
	for i := range b.paths {
		switch errno := call(unix.SYS_EXECVE, uintptr(unsafe.Pointer(b.paths[i])), argv, envv); errno {
		case unix.ENOENT, unix.ENOTDIR, unix.ENAMETOOLONG, unix.ESTALE, unix.ENODEV:
		case unix.EACCES:
			found = unix.EACCES
		default:
			return errno
		}
	}
	return found
}
