package enter

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Child is a program that runs in the guest, and a direct child of this
// process. Wait must be called, and soon: the kernel lets the guest's init
// end only when every process of its pid namespace has been reaped.
type Child struct {
	// Pid is its process id on the host.
	Pid int
	// Listener is that of the program's filter, the caller's to close; -1: it has none.
	// Without one the calls that it would be told of are the kernel's own.
	Listener int

	mu     sync.Mutex
	pidfd  int // -1 once reaped
	reap   sync.Once
	status unix.WaitStatus
	err    error
}

// Wait blocks until the program has ended, reaps it, and returns how it ended.
// It may be called more than once, and from several goroutines.
func (c *Child) Wait() (unix.WaitStatus, error) {
	c.reap.Do(func() {
		for {
			_, err := unix.Wait4(c.Pid, &c.status, 0, nil)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				c.err = fmt.Errorf("cannot wait for process %d: %w", c.Pid, err)
			}
			break
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		unix.Close(c.pidfd)
		c.pidfd = -1
	})
	return c.status, c.err
}

// Signal sends a signal to the program itself, not to its descendants. After
// its end it returns os.ErrProcessDone.
func (c *Child) Signal(sig unix.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pidfd < 0 {
		return os.ErrProcessDone
	}
	err := unix.PidfdSendSignal(c.pidfd, sig, nil, 0)
	if err == unix.ESRCH {
		return os.ErrProcessDone
	}
	if err != nil {
		return fmt.Errorf("cannot signal process %d: %w", c.Pid, err)
	}
	return nil
}
