package seccomp

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Notification is one call that waits for its listener, struct seccomp_notif.
type Notification struct {
	ID     uint64 // of the notification, for its answer; never 0
	Pid    uint32 // the calling thread, in the pid namespace of who receives; 0: not in it
	_      uint32 // flags, none so far
	Number int32
	Arch   uint32
	_      uint64 // the instruction's address
	Args   [6]uint64
}

// response is struct seccomp_notif_resp.
type response struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

// ErrNone says that no call waits, or that its caller has gone.
var ErrNone = errors.New("no system call waits")

// Receive takes the next notification off a listener that is ready to be read, into n,
// which the kernel fills in within the call: a receiver that is killed in it has either
// taken nothing or left all of it in the memory that n is in.
func Receive(listener int, n *Notification) error {
	*n = Notification{} // the kernel insists
	err := notify(listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(n))
	if err == unix.ENOENT {
		return ErrNone
	}
	return err
}

// Valid says whether the caller of a notification still waits. What was read of its
// process before was that process's own then.
func Valid(listener int, id uint64) bool {
	return notify(listener, unix.SECCOMP_IOCTL_NOTIF_ID_VALID, unsafe.Pointer(&id)) == nil
}

// Continue has the kernel carry the call out. ErrNone: its caller has gone.
func Continue(listener int, id uint64) error {
	r := response{id: id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
	err := notify(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r))
	if err == unix.ENOENT {
		return ErrNone
	}
	return err
}

// Answer has the call succeed, without the kernel carrying it out. ErrNone: its caller has
// gone.
func Answer(listener int, id uint64) error {
	r := response{id: id}
	err := notify(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r))
	if err == unix.ENOENT {
		return ErrNone
	}
	return err
}

// SyncWake has callers of a listener, and who receives, wake each other on the same CPU:
// one of them sleeps whenever the other runs. Kernels before 6.6 can't.
func SyncWake(listener int) {
	const setFlags, syncWakeUp = 0x40082104, 1 // SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(listener), setFlags, syncWakeUp)
}

// Number is a call as a notification has it.
type Number struct {
	Arch   uint32
	Number int32
}

// Numbers are those of the call of a name, on this architecture with all ABIs.
func Numbers(name string) []Number {
	var list []Number
	for i := range calls {
		if calls[i].name != name {
			continue
		}
		for _, a := range Arch(runtime.GOARCH).abis() {
			if n := a.number(&calls[i]); n != none {
				list = append(list, Number{a.audit, n})
			}
		}
	}
	return list
}

// notify is ioctl(2) on a listener.
func notify(listener int, request uintptr, p unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), request, uintptr(p))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

// Deafen gives a program of Build that hands nothing to a listener: those calls are
// allowed. It changes prog.
func Deafen(prog []unix.SockFilter) {
	for i := range prog {
		if prog[i].Code == unix.BPF_RET|unix.BPF_K && prog[i].K == unix.SECCOMP_RET_USER_NOTIF {
			prog[i].K = unix.SECCOMP_RET_ALLOW
		}
	}
}
