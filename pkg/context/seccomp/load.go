package seccomp

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Load installs prog for the calling thread and what it starts from then on; the caller
// holds the thread with runtime.LockOSThread and lets it die or exec. no_new_privs is left
// as it is, for sudo must work in a guest: so the thread needs CAP_SYS_ADMIN in its user
// namespace (EACCES otherwise).
//
// With listener, fd receives the notifications of Policy.Notify (close-on-exec), and a
// caller that waits for its answer can only be killed, not interrupted, once its notification
// is taken (5.19 and later). One thread's filters have at most one listener (EBUSY).
// Without listener fd is -1.
func Load(prog []unix.SockFilter, listener bool) (fd int, err error) {
	if len(prog) == 0 || len(prog) > unix.BPF_MAXINSNS {
		return -1, errors.New("cannot load system call filter: its length is not one the kernel takes")
	}
	var flags uintptr
	if listener {
		flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	}
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	r, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&fprog)))
	if errno == unix.EINVAL && listener {
		// Before 5.19: a signal may interrupt who waits, and the call is made again.
		flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
		r, _, errno = unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&fprog)))
	}
	if errno != 0 {
		return -1, fmt.Errorf("cannot load system call filter: %w", errno)
	}
	if !listener {
		return -1, nil
	}
	return int(r), nil
}
