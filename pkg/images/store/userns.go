package store

import (
	"fmt"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// newUserNamespace returns a user namespace with one id, good for trying a
// mapping. The kernel gives one only with a process in it: a copy of this
// program, which is traced, stops before its first instruction, and is killed.
func newUserNamespace() (int, error) {
	runtime.LockOSThread() // the tracer is a thread
	defer runtime.UnlockOSThread()
	one := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 1, Size: 1}}
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"sysct-probe"}, &syscall.ProcAttr{
		Sys: &syscall.SysProcAttr{
			Ptrace: true, Pdeathsig: syscall.SIGKILL,
			Cloneflags: unix.CLONE_NEWUSER, UidMappings: one, GidMappings: one,
		},
	})
	if err != nil {
		return -1, fmt.Errorf("cannot make a user namespace: %w", err)
	}
	defer endChild(pid)
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/user", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot open the new user namespace: %w", err)
	}
	return fd, nil
}

// endChild kills and reaps an unreaped child, whose pid is therefore its own.
func endChild(pid int) {
	_ = unix.Kill(pid, unix.SIGKILL) // it may have ended
	for {
		var status unix.WaitStatus
		err := retry(func() error {
			_, err := unix.Wait4(pid, &status, 0, nil)
			return err
		})
		if err != nil || !status.Stopped() { // a traced one reports its stop first
			return
		}
	}
}
