package fdstore

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNone says that there is no manager to leave descriptors with.
var ErrNone = errors.New("no service manager")

// sendTimeout bounds the wait for a manager that doesn't read: its queue is
// short, and a monitor must not stand still for a stopped holder.
const sendTimeout = time.Second

// Store is the client's side: a socket that sends to one manager. It is for
// one goroutine.
type Store struct {
	addr string
	fd   int
}

// Open makes a client for the manager at a path, or at an abstract address
// that begins with "@", as NOTIFY_SOCKET has it. An empty address is [ErrNone].
func Open(addr string) (*Store, error) {
	if addr == "" {
		return nil, ErrNone
	}
	if addr[0] != '/' && addr[0] != '@' {
		return nil, fmt.Errorf("cannot use %q as address of a service manager", addr)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot make socket: %w", err)
	}
	tv := unix.NsecToTimeval(int64(sendTimeout))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot set timeout of socket: %w", err)
	}
	return &Store{addr: addr, fd: fd}, nil
}

// Addr is the address that the store was opened with.
func (s *Store) Addr() string { return s.addr }

// Put leaves a copy of fd with the manager, which is told not to poll it: a
// pty whose slave closes would otherwise be dropped. It is kept for certain
// after [Store.Barrier].
func (s *Store) Put(name string, fd int) error {
	if !ValidName(name) {
		return fmt.Errorf("cannot store descriptor: %q is not a name for one", name)
	}
	msg := Format("FDSTORE", "1", "FDNAME", name, "FDPOLL", "0")
	if err := s.send(msg, fd); err != nil {
		return fmt.Errorf("cannot store descriptor %s: %w", name, err)
	}
	return nil
}

// Remove has every descriptor of a name dropped.
func (s *Store) Remove(name string) error {
	if !ValidName(name) {
		return fmt.Errorf("cannot remove descriptor: %q is not a name for one", name)
	}
	if err := s.send(Format("FDSTOREREMOVE", "1", "FDNAME", name)); err != nil {
		return fmt.Errorf("cannot remove stored descriptor %s: %w", name, err)
	}
	return nil
}

// Notify sends assignments, given as key, value, key, value: READY=1,
// STATUS=…, STOPPING=1.
func (s *Store) Notify(pairs ...string) error {
	if err := s.send(Format(pairs...)); err != nil {
		return fmt.Errorf("cannot notify service manager: %w", err)
	}
	return nil
}

// TryNotify is Notify that doesn't wait for a manager that doesn't read: what is sent
// soon again may be lost.
func (s *Store) TryNotify(pairs ...string) {
	s.sendWith(unix.MSG_DONTWAIT, Format(pairs...))
}

// Barrier waits until the manager has read all that was sent before, at most
// for timeout.
func (s *Store) Barrier(timeout time.Duration) error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("cannot make pipe: %w", err)
	}
	defer unix.Close(p[0])
	err := s.send(Format("BARRIER", "1"), p[1])
	unix.Close(p[1])
	if err != nil {
		return fmt.Errorf("cannot send barrier to service manager: %w", err)
	}
	return waitHangup(p[0], timeout)
}

func waitHangup(fd int, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		left := max(time.Until(deadline), 0)
		fds := []unix.PollFd{{Fd: int32(fd)}} // POLLHUP is always polled for
		n, err := unix.Poll(fds, int((left+time.Millisecond-1)/time.Millisecond))
		switch {
		case n > 0:
			return nil
		case err != nil && err != unix.EINTR:
			return fmt.Errorf("cannot wait for service manager: %w", err)
		case err == nil && left == 0:
			return fmt.Errorf("cannot wait for service manager: no answer in %v", timeout)
		}
	}
}

// Close closes the client's socket. What is stored stays.
func (s *Store) Close() error { return unix.Close(s.fd) }

// send addresses every datagram anew: a manager that was replaced listens at
// the same path.
func (s *Store) send(msg []byte, fds ...int) error { return s.sendWith(0, msg, fds...) }

func (s *Store) sendWith(flags int, msg []byte, fds ...int) error {
	name, dir, err := s.reach()
	if err != nil {
		return err
	}
	if dir >= 0 {
		defer unix.Close(dir)
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	for {
		err := unix.Sendmsg(s.fd, msg, oob, &unix.SockaddrUnix{Name: name}, unix.MSG_NOSIGNAL|flags)
		if err != unix.EINTR {
			return err
		}
	}
}

// reach gives the address to send to. One that is too long for a socket is
// reached through a descriptor of its directory, which the caller closes.
func (s *Store) reach() (string, int, error) {
	if len(s.addr) < 108 || strings.HasPrefix(s.addr, "@") {
		return s.addr, -1, nil
	}
	dir, err := unix.Open(filepath.Dir(s.addr), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", -1, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir, filepath.Base(s.addr)), dir, nil
}
