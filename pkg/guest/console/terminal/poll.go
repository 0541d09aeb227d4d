package terminal

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const pieceSize = 64 << 10

// errStopped says that a wait was broken off.
var errStopped = errors.New("stopped")

// event wakes whoever waits on a descriptor, for good once it is set. Go can't
// interrupt a read of a terminal; poll with an event can.
type event struct{ fd int }

func newEvent() (event, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return event{-1}, fmt.Errorf("cannot make an eventfd: %w", err)
	}
	return event{fd}, nil
}

func (e event) set() {
	// It can't fail: the counter is far from its end.
	_, _ = unix.Write(e.fd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

func (e event) close() { unix.Close(e.fd) }

// wait waits until fd is ready, ms milliseconds are over (never if negative) or the
// event is set (errStopped).
func (e event) wait(fd int, events int16, ms int) (ready bool, err error) {
	for {
		fds := []unix.PollFd{{Fd: int32(e.fd), Events: unix.POLLIN}, {Fd: int32(fd), Events: events}}
		n, err := unix.Poll(fds, ms)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return false, os.NewSyscallError("poll", err)
		case fds[0].Revents != 0:
			return false, errStopped
		}
		return n > 0, nil
	}
}

// read reads from a descriptor of either mode; the end is io.EOF. A terminal that
// was hung up is at its end.
func (e event) read(fd int, p []byte) (int, error) {
	for {
		if _, err := e.wait(fd, unix.POLLIN, -1); err != nil {
			return 0, err
		}
		n, err := unix.Read(fd, p)
		switch {
		case n > 0:
			return n, nil
		case err == unix.EINTR || err == unix.EAGAIN:
		case err == nil || err == unix.EIO:
			return 0, io.EOF
		default:
			return 0, os.NewSyscallError("read", err)
		}
	}
}

// write writes all of p to a descriptor of either mode. A blocking one that is stuck
// can't be interrupted.
func (e event) write(fd int, p []byte) error {
	for len(p) > 0 {
		n, err := unix.Write(fd, p)
		if n > 0 {
			p = p[n:]
		}
		switch {
		case err == nil || err == unix.EINTR:
		case err == unix.EAGAIN:
			if _, err := e.wait(fd, unix.POLLOUT, -1); err != nil {
				return err
			}
		default:
			return os.NewSyscallError("write", err)
		}
	}
	return nil
}
