package enter

import (
	"cmp"
	"errors"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Start runs a program in a guest, and returns when it has been executed. An
// error of the way there is an *Error, and then nothing is left running; if the
// guest's init has ended, the error is ESRCH. Start may be called from several
// goroutines at once.
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
	c, err := start(&target, p)
	if err != nil {
		if dead := checkAlive(t.PidFD); dead != nil {
			return nil, dead // whatever the kernel made of that
		}
		return nil, err
	}
	return c, nil
}

func start(t *Target, p *Process) (*Child, error) {
	b, err := newBlock(t, p)
	if err != nil {
		return nil, err
	}
	// A goroutine of its own: if the thread can't go back it stays locked,
	// and ends with the goroutine.
	done := make(chan forked)
	go func() {
		runtime.LockOSThread()
		f, restored := forkThere(t, b)
		if restored {
			runtime.UnlockOSThread()
		}
		done <- f
	}()
	f := <-done
	if f.errno != 0 {
		return nil, newError(stepFork, f.errno, p)
	}
	defer unix.Close(f.report)
	c := &Child{Pid: int(f.pid), pidfd: int(b.pidfd), Listener: -1}
	if t.OOMScoreAdj != 0 {
		// The kernel's choice in an emergency, no boundary: one that may not be set is left.
		_ = os.WriteFile("/proc/"+strconv.Itoa(c.Pid)+"/oom_score_adj", []byte(strconv.Itoa(t.OOMScoreAdj)), 0)
	}
	return c, c.confirm(f.report, p)
}

// forked is what a fork leaves in the parent.
type forked struct {
	pid    uintptr
	report int // this end of the report socket
	errno  syscall.Errno
}

// forkThere forks with the thread in the guest's pid namespace for children,
// and says whether the thread is back in its own.
func forkThere(t *Target, b *block) (f forked, restored bool) {
	if t.Flags&unix.CLONE_NEWPID == 0 {
		return forkLocked(b), true
	}
	self, err := unix.PidfdOpen(unix.Getpid(), 0)
	if err != nil {
		return forked{errno: errnoOf(err)}, true
	}
	defer unix.Close(self)
	if err := unix.Setns(t.PidFD, unix.CLONE_NEWPID); err != nil {
		return forked{errno: errnoOf(err)}, true
	}
	f = forkLocked(b)
	return f, unix.Setns(self, unix.CLONE_NEWPID) == nil
}

// forkLocked makes the report socket and forks while nobody else in the program
// forks, so that the child alone has its end of it: another one, stuck
// before it could close what it inherited, would keep this one's open.
func forkLocked(b *block) (f forked) {
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return forked{errno: errnoOf(err)}
	}
	b.report = uintptr(pair[1])
	b.source[fdReport] = b.report
	f.report = pair[0]
	f.pid, f.errno = fork(b)
	unix.Close(pair[1])
	if f.errno != 0 {
		unix.Close(pair[0])
	}
	return f
}

func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return unix.EIO
}

// confirm waits for the child's execve: the report socket then closes by itself.
// On any other end the child is killed and reaped.
func (c *Child) confirm(socket int, p *Process) error {
	s, errno := c.readReport(socket, time.Now().Add(cmp.Or(p.Timeout, DefaultTimeout)))
	if s == stepNone {
		return nil
	}
	if c.Listener >= 0 {
		unix.Close(c.Listener)
		c.Listener = -1
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

// readReport returns stepNone at the socket's end, else the child's record. A listener
// that comes before is taken.
func (c *Child) readReport(socket int, deadline time.Time) (step, syscall.Errno) {
	var record [2]uint32
	buf := unsafe.Slice((*byte)(unsafe.Pointer(&record)), unsafe.Sizeof(record))
	oob := make([]byte, unix.CmsgSpace(4))
	for {
		n, on, _, _, err := unix.Recvmsg(socket, buf, oob, unix.MSG_CMSG_CLOEXEC)
		switch {
		case err == nil && n == 0:
			return stepNone, 0
		case err == nil && n == len(buf) && step(record[0]) == stepListener:
			c.Listener = descriptorIn(oob[:on])
		case err == nil && n == len(buf):
			return step(record[0]), syscall.Errno(record[1])
		case err == unix.EAGAIN:
			left := time.Until(deadline)
			if left <= 0 {
				return stepTimeout, unix.ETIMEDOUT
			}
			fds := []unix.PollFd{{Fd: int32(socket), Events: unix.POLLIN}}
			_, _ = unix.Poll(fds, int(left.Milliseconds())+1)
		case err != unix.EINTR:
			return stepFork, unix.EIO
		}
	}
}

// descriptorIn is the descriptor of a control message; -1: there was no room for it.
func descriptorIn(oob []byte) int {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(messages) != 1 {
		return -1
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1
	}
	return fds[0]
}
