package enter

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Start runs a program in a guest, and returns when it has been executed. An
// error of the way there is an *Error, and then nothing is left running.
// Start may be called from several goroutines at once.
func Start(t *Target, p *Process) (*Child, error) {
	if err := check(t, p); err != nil {
		return nil, err
	}
	target := *t
	if target.Flags == 0 {
		flags, err := Namespaces(t.PidFD)
		if err != nil {
			return nil, err
		}
		target.Flags = flags
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, fmt.Errorf("cannot make pipe: %w", err)
	}
	defer unix.Close(pipe[0])
	c, err := forkChild(&target, p, pipe[1])
	unix.Close(pipe[1])
	if err != nil {
		return nil, err
	}
	if err := c.confirm(pipe[0], p); err != nil {
		return nil, err
	}
	return c, nil
}

// forkChild forks on a thread whose namespace for children is the guest's.
func forkChild(t *Target, p *Process, report int) (*Child, error) {
	b, err := newBlock(t, p, report)
	if err != nil {
		return nil, err
	}
	type result struct {
		pid   uintptr
		errno syscall.Errno
	}
	done := make(chan result)
	// A goroutine of its own: if the thread can't go back it stays locked,
	// and ends with the goroutine.
	go func() {
		runtime.LockOSThread()
		var r result
		restored := true
		r.pid, r.errno, restored = forkThere(t, b)
		if restored {
			runtime.UnlockOSThread()
		}
		done <- r
	}()
	r := <-done
	runtime.KeepAlive(t)
	runtime.KeepAlive(p)
	if r.errno != 0 {
		return nil, newError(stepFork, r.errno, p)
	}
	return &Child{Pid: int(r.pid), pidfd: int(b.pidfd)}, nil
}

// forkThere forks with the thread in the guest's pid namespace for children,
// and says whether the thread is back in its own.
func forkThere(t *Target, b *block) (pid uintptr, errno syscall.Errno, restored bool) {
	if t.Flags&unix.CLONE_NEWPID == 0 {
		pid, errno = forkLocked(b)
		return pid, errno, true
	}
	self, err := unix.PidfdOpen(unix.Getpid(), 0)
	if err != nil {
		return 0, errnoOf(err), true
	}
	defer unix.Close(self)
	if err := unix.Setns(t.PidFD, unix.CLONE_NEWPID); err != nil {
		return 0, errnoOf(err), true
	}
	pid, errno = forkLocked(b)
	return pid, errno, unix.Setns(self, unix.CLONE_NEWPID) == nil
}

// forkLocked forks while nobody else in the program does.
func forkLocked(b *block) (uintptr, syscall.Errno) {
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	return fork(b)
}

func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return unix.EIO
}

// confirm waits for the child's execve: the report pipe then closes by itself.
// On any other end the child is killed and reaped.
func (c *Child) confirm(pipe int, p *Process) error {
	s, errno := readReport(pipe, time.Now().Add(cmp.Or(p.Timeout, DefaultTimeout)))
	if s == stepNone {
		return nil
	}
	_ = c.Signal(unix.SIGKILL)
	if s == stepTimeout {
		// It may hang in the kernel, in a file system of the guest.
		go func() { _, _ = c.Wait() }()
	} else {
		_, _ = c.Wait()
	}
	return newError(s, errno, p)
}

// readReport returns stepNone at the end of the pipe, else the child's record.
func readReport(pipe int, deadline time.Time) (step, syscall.Errno) {
	var record [2]uint32
	buf := unsafe.Slice((*byte)(unsafe.Pointer(&record)), unsafe.Sizeof(record))
	for {
		n, err := unix.Read(pipe, buf)
		switch {
		case err == nil && n == 0:
			return stepNone, 0
		case err == nil && n == len(buf):
			return step(record[0]), syscall.Errno(record[1])
		case err == unix.EAGAIN:
			left := time.Until(deadline)
			if left <= 0 {
				return stepTimeout, unix.ETIMEDOUT
			}
			fds := []unix.PollFd{{Fd: int32(pipe), Events: unix.POLLIN}}
			_, _ = unix.Poll(fds, int(left.Milliseconds())+1)
		case err != unix.EINTR:
			return stepFork, unix.EIO
		}
	}
}
