package console_test

import (
	"io"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/guest/console"
	"golang.org/x/sys/unix"
)

// loop is the smallest event loop that a TTY needs. All calls to its ttys are made
// by its one goroutine. Rings and logs are made before it, so that they outlive it.
type loop struct {
	t    *testing.T
	ep   int
	wake int
	ttys []*console.TTY
	do   chan func()
	done chan struct{}
	gone atomic.Int32
	busy atomic.Int64 // turns
}

func newLoop(t *testing.T) *loop {
	t.Helper()
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	l := &loop{t: t, ep: ep, wake: wake, do: make(chan func(), 1), done: make(chan struct{})}
	l.add(wake)
	go l.run()
	t.Cleanup(func() {
		l.call(func() {
			for _, tty := range l.ttys {
				tty.Close()
			}
			close(l.done)
		})
		unix.Close(ep)
		unix.Close(wake)
	})
	return l
}

func (l *loop) add(fd int) {
	ev := unix.EpollEvent{Events: console.Events, Fd: int32(fd)}
	if err := unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		l.t.Error(err)
	}
}

func (l *loop) run() {
	events := make([]unix.EpollEvent, 16)
	for {
		n, err := unix.EpollWait(l.ep, events, l.timeout())
		if err != nil && err != unix.EINTR {
			l.t.Error(err)
			return
		}
		l.busy.Add(1)
		now := time.Now()
		for _, ev := range events[:max(n, 0)] {
			for _, tty := range l.ttys {
				tty.Ready(now, int(ev.Fd), ev.Events)
			}
			if int(ev.Fd) == l.wake {
				unix.Read(l.wake, make([]byte, 8))
				select {
				case f := <-l.do:
					f()
				default:
				}
			}
		}
		for _, tty := range l.ttys {
			if at := tty.Deadline(); !at.IsZero() && !now.Before(at) {
				tty.Tick(now)
			}
		}
		select {
		case <-l.done:
			return
		default:
		}
	}
}

func (l *loop) timeout() int {
	wait := -1
	for _, tty := range l.ttys {
		if at := tty.Deadline(); !at.IsZero() {
			ms := max(0, int((time.Until(at)+time.Millisecond-1)/time.Millisecond))
			if wait < 0 || ms < wait {
				wait = ms
			}
		}
	}
	return wait
}

// call runs f in the loop and waits for it.
func (l *loop) call(f func()) {
	done := make(chan struct{})
	l.do <- func() { f(); close(done) }
	unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	<-done
}

// tty makes a TTY in the loop.
func (l *loop) tty(o console.Options) *console.TTY {
	l.t.Helper()
	o.Gone = func(int) { l.gone.Add(1) }
	tty, err := console.NewTTY(o)
	if err != nil {
		l.t.Fatal(err)
	}
	l.call(func() {
		l.ttys = append(l.ttys, tty)
		if o.Master >= 0 {
			l.add(o.Master)
		}
	})
	return tty
}

// attach gives the other end of a new client. Its reads and writes block.
func (l *loop) attach(tty *console.TTY, rows, cols uint16) *os.File {
	l.t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	l.call(func() {
		if err := tty.Attach(time.Now(), fds[0], rows, cols); err != nil {
			l.t.Error(err)
			return
		}
		l.add(fds[0])
	})
	f := os.NewFile(uintptr(fds[1]), "client")
	l.t.Cleanup(func() { f.Close() })
	return f
}

// clients asks how many there are.
func (l *loop) clients(tty *console.TTY) (n int) {
	l.call(func() { n = tty.Clients() })
	return n
}

// eventually polls, for what the loop does without telling.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 20 s for: %s", what)
		}
	}
}

// expect reads until the text has come, and returns all that it read.
func expect(t *testing.T, r io.Reader, text string) string {
	t.Helper()
	var got []byte
	found := make(chan error, 1)
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := r.Read(buf)
			got = append(got, buf[:n]...)
			if contains(got, text) || err != nil {
				found <- err
				return
			}
		}
	}()
	select {
	case err := <-found:
		if err != nil && !contains(got, text) {
			t.Fatalf("%v after %q, want %q", err, tail(got), text)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("waited 20 s for %q", text)
	}
	return string(got)
}
