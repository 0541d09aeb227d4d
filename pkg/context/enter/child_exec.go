package enter

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// childDirectory changes the directory with the user's own rights, inside the
// guest, and makes sure that it is there: through /proc/self/fd the path of a
// directory outside could be named, which getcwd reports as "(unreachable)…"
// (CVE-2024-21626).
//
//go:nosplit
//go:norace
//go:nocheckptr
func childDirectory(b *block) bool {
	if !b.try(stepDirectory, unix.SYS_CHDIR, uintptr(unsafe.Pointer(b.directory)), 0, 0, 0) {
		return false
	}
	if !b.try(stepInside, unix.SYS_GETCWD, uintptr(unsafe.Pointer(&b.cwd)), unsafe.Sizeof(b.cwd), 0, 0) {
		return false
	}
	return b.cwd[0] == '/' || b.failed(stepInside, unix.EXDEV)
}

// childExecute unblocks the signals, and tries the candidates as execvp does:
// what isn't there is passed over, what may not be executed is remembered,
// anything else is the answer. ENOEXEC is too: no shell is started for a file
// without an interpreter. It returns only if all that failed.
//
//go:nosplit
//go:norace
//go:nocheckptr
func childExecute(b *block) bool {
	if !b.try(stepSignals, unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&b.mask)), 0, unsafe.Sizeof(b.mask)) {
		return false
	}
	argv := uintptr(unsafe.Pointer(unsafe.SliceData(b.argv)))
	envv := uintptr(unsafe.Pointer(unsafe.SliceData(b.envv)))
	found := unix.ENOENT
	for i := range b.paths {
		b.try(stepExecute, unix.SYS_EXECVE, uintptr(unsafe.Pointer(b.paths[i])), argv, envv, 0)
		switch errno := unix.Errno(b.record[1]); errno {
		case unix.ENOENT, unix.ENOTDIR, unix.ENAMETOOLONG, unix.ESTALE, unix.ENODEV:
		case unix.EACCES:
			found = unix.EACCES
		default:
			return false
		}
	}
	return b.failed(stepExecute, found)
}
