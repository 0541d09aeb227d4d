package seccomp

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// notification and answer are struct seccomp_notif and seccomp_notif_resp.
type notification struct {
	id         uint64
	pid, flags uint32
	number     int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type answer struct {
	id    uint64
	value int64
	error int32
	flags uint32
}

// tryListener has one call answered by another thread, and a second listener refused.
func tryListener() error {
	served := make(chan error)
	fds := make(chan int)
	ready := make(chan struct{})
	go func() { // its thread exists before the filter, and is not under it
		runtime.LockOSThread()
		close(ready)
		served <- answerOne(<-fds)
	}()
	<-ready
	prog, err := Build(Policy{Notify: []string{"sysinfo"}})
	if err != nil {
		return err
	}
	fd, err := Load(prog, true)
	if err != nil {
		return err
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		return fmt.Errorf("the listener is not close-on-exec: %#x, %v", flags, err)
	}
	fds <- fd
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != unix.EXDEV {
		return fmt.Errorf("sysinfo: %v, not the listener's answer", err)
	}
	if _, err := Load(prog, true); !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("a second listener: %v", err)
	}
	return <-served
}

func answerOne(fd int) error {
	var n notification
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n))); errno != 0 {
		return fmt.Errorf("receive: %w", errno)
	}
	if n.number != unix.SYS_SYSINFO {
		return fmt.Errorf("notified of call %d", n.number)
	}
	a := answer{id: n.id, error: -int32(unix.EXDEV)}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&a))); errno != 0 {
		return fmt.Errorf("send: %w", errno)
	}
	return nil
}

func TestListener(t *testing.T) {
	child(t, "listen")
}
