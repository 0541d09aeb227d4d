// Package epoll is an event loop of one goroutine: a function for each
// descriptor, called when it is ready, and functions that other goroutines
// post to it. It exists so that processes that live as long as their guests
// need no goroutine, and no stack, a descriptor.
//
// It has no timers (the caller passes each wait its timeout) and does no
// reading and writing.
package epoll

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// batch is how many events one round takes at most.
const batch = 32

// Loop is an epoll set. Its methods are for the loop's own goroutine, but for
// [Loop.Post] and [Loop.Signals].
type Loop struct {
	fd       int
	wake     int // eventfd: something was posted
	handlers map[int32]handler
	next     int32 // generation of the next handler
	events   [batch]unix.EpollEvent

	mu     sync.Mutex
	posted []func()
}

// handler has a generation, so that an event of a descriptor that was closed
// in the same round isn't taken for one of its number's new owner.
type handler struct {
	gen int32
	f   func(events uint32)
}

// New makes an empty loop.
func New() (*Loop, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("eventfd", err)
	}
	l := &Loop{fd: fd, wake: wake, handlers: map[int32]handler{}}
	if err := l.Add(wake, unix.EPOLLIN, func(uint32) { l.runPosted() }); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Add has f called in each round in which fd has one of the events, as
// EPOLLIN; EPOLLERR and EPOLLHUP are always among them.
func (l *Loop) Add(fd int, events uint32, f func(events uint32)) error {
	l.next++
	ev := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: l.next}
	if err := unix.EpollCtl(l.fd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("cannot wait for descriptor %d: %w", fd, os.NewSyscallError("epoll_ctl", err))
	}
	l.handlers[int32(fd)] = handler{l.next, f}
	return nil
}

// Remove takes fd out; to be called before it is closed. A descriptor that
// isn't in the loop is no error.
func (l *Loop) Remove(fd int) {
	if _, ok := l.handlers[int32(fd)]; !ok {
		return
	}
	delete(l.handlers, int32(fd))
	unix.EpollCtl(l.fd, unix.EPOLL_CTL_DEL, fd, nil)
}

// Round waits for events, at most for timeout (rounded up to milliseconds;
// negative is for ever), and calls their functions.
func (l *Loop) Round(timeout time.Duration) error {
	n, err := unix.EpollWait(l.fd, l.events[:], milliseconds(timeout))
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("epoll_wait", err)
	}
	for _, ev := range l.events[:n] {
		if h, ok := l.handlers[ev.Fd]; ok && h.gen == ev.Pad {
			h.f(ev.Events)
		}
	}
	return nil
}

func milliseconds(d time.Duration) int {
	if d < 0 {
		return -1
	}
	// Up, or a loop would spin through the last millisecond.
	return int(min((int64(d)+999_999)/1_000_000, math.MaxInt32))
}

// Post has f called by the loop's goroutine; it may be called from any.
func (l *Loop) Post(f func()) {
	l.mu.Lock()
	l.posted = append(l.posted, f)
	l.mu.Unlock()
	unix.Write(l.wake, binary.NativeEndian.AppendUint64(nil, 1))
}

func (l *Loop) runPosted() {
	var b [8]byte
	unix.Read(l.wake, b[:])
	l.mu.Lock()
	run := l.posted
	l.posted = nil
	l.mu.Unlock()
	for _, f := range run {
		f()
	}
}

// Signals has f called by the loop's goroutine for each of the signals.
// Signals of one number that come close together may be one call. After end no more of
// them are caught, and those that were are among what was posted.
func (l *Loop) Signals(f func(os.Signal), signals ...os.Signal) (end func()) {
	ch, all := make(chan os.Signal, 8), make(chan struct{})
	signal.Notify(ch, signals...)
	go func() {
		defer close(all)
		for sig := range ch {
			l.Post(func() { f(sig) })
		}
	}()
	return func() {
		signal.Stop(ch) // returns when ch has all
		close(ch)
		<-all
	}
}

// Posted says whether something was posted that wasn't called yet.
func (l *Loop) Posted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.posted) > 0
}

// Close closes the set; the descriptors in it stay open.
func (l *Loop) Close() error {
	return errors.Join(unix.Close(l.wake), unix.Close(l.fd))
}
