package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// signalLimit is how long a guest may take to say that it is there.
const signalLimit = 60 * time.Second

// fifo is the host's end of a guest's first word.
type fifo struct{ fd int }

// openFIFO opens it in the directory that is the guest's root: a guest whose root
// is another file system of the same files would never be heard.
func openFIFO(path string) (*fifo, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	return &fifo{fd}, nil
}

// drain forgets what was said before.
func (f *fifo) drain() {
	var p [256]byte
	for {
		if n, err := unix.Read(f.fd, p[:]); n <= 0 && err != unix.EINTR {
			return
		}
	}
}

// wait returns when a byte is there.
func (f *fifo) wait() error {
	var p [256]byte
	for end := time.Now().Add(signalLimit); ; {
		left := time.Until(end)
		if left <= 0 {
			return errors.New("timed out: the guest has not written to its FIFO")
		}
		set := []unix.PollFd{{Fd: int32(f.fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(set, int(left/time.Millisecond)+1); err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		if set[0].Revents&unix.POLLIN != 0 {
			if n, _ := unix.Read(f.fd, p[:]); n > 0 {
				return nil
			}
		} else if set[0].Revents&unix.POLLHUP != 0 {
			// The last writer has gone; poll would return at once until the next comes.
			time.Sleep(100 * time.Microsecond)
		}
	}
}

func (f *fifo) close() error { return unix.Close(f.fd) }

// untilFirst starts a guest and gives the time from the start of the command to
// the guest's first word. The command has ended when it returns.
func (b *bench) untilFirst(argv []string, f *fifo) (time.Duration, error) {
	f.drain()
	if err := b.said.Truncate(0); err != nil {
		return 0, err
	}
	begin := time.Now()
	cmd, err := b.spawn(argv)
	if err != nil {
		return 0, err
	}
	heard := f.wait()
	d := time.Since(begin)
	if err := cmd.Wait(); err != nil {
		return 0, b.failed(argv, err)
	}
	return d, heard
}
