package console

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Events is how the master and every client are to be registered with epoll. No
// registration is ever changed.
const Events = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET

const (
	readSize  = 64 << 10
	batchSize = 16 << 10 // the reads that are kept in one go
	// Output taken in one go, before other descriptors have their turn.
	outputBudget = 4 * readSize
	inputBudget  = 64 << 10
	// The longest that clients hold up the guest's writer at a time.
	maxPause = 100 * time.Millisecond
	// A full pty doesn't always say when it has room again, so it is asked.
	inputRetry = 50 * time.Millisecond
	// How long the last input of a client that left may stand still.
	leaveGrace = 500 * time.Millisecond
	maxClients = 32
)

const (
	// MinTTYRing is the smallest ring that a TTY takes, in bytes.
	MinTTYRing = 4 * readSize
	// ReplaySize is how much of the past a new client is sent, in bytes at most.
	ReplaySize = 64 << 10
)

// Options of a TTY.
type Options struct {
	// Master is the pty's master side, nonblocking; -1 if there is none yet. The
	// TTY owns it.
	Master int
	// Ring has at least MinTTYRing bytes. The caller owns it.
	Ring *Ring
	// Log may be nil. The caller owns it.
	Log *Log
	// Buffer is what output is copied to for those who look at it, 64 KiB; TTYs of one loop may share it.
	// nil: one is made.
	Buffer []byte
	// Gone is called when a client is gone, just before its descriptor is closed.
	// It must not call the TTY. May be nil.
	Gone func(fd int)
	// Tap sees all output, after it is in the log and the ring. It must not keep
	// the slice. May be nil.
	Tap func(output []byte)
}

// TTY drains one pty master and shares it among clients.
type TTY struct {
	o       Options
	buf     []byte
	clients []*client

	readable bool      // the master may have output
	pauseEnd time.Time // zero: not paused
	jammed   bool      // the master took less input than there was
	retry    time.Time
	more     bool // a client's input was left for the next turn
	now      time.Time
	size     unix.Winsize
}

// NewTTY begins to look after a pty. Nothing is read before the first Ready or
// Tick.
func NewTTY(o Options) (*TTY, error) {
	if o.Ring == nil || o.Ring.Size() < MinTTYRing {
		return nil, fmt.Errorf("cannot make a tty: its ring has less than %d bytes", MinTTYRing)
	}
	t := &TTY{o: o, buf: o.Buffer, readable: o.Master >= 0}
	if err := unblock(o.Master); err != nil {
		return nil, fmt.Errorf("cannot make a tty: %w", err)
	}
	if t.buf == nil {
		t.buf = make([]byte, readSize)
	}
	if o.Log != nil {
		o.Log.note = o.Ring.note
	}
	if len(t.buf) > readSize {
		t.buf = t.buf[:readSize]
	}
	return t, nil
}

// Resume writes into the log what a process before this one has left in the ring and
// didn't get to log. It is to be called once, first.
func (t *TTY) Resume(now time.Time) {
	if t.o.Log == nil {
		return
	}
	if p := t.o.Ring.unlogged(t.o.Log.length()); len(p) > 0 {
		t.o.Log.Write(now, p)
	}
}

// Master is the pty's master side, -1 if there is none.
func (t *TTY) Master() int { return t.o.Master }

// FDs are all descriptors that belong into the epoll set now.
func (t *TTY) FDs() []int {
	var fds []int
	if t.o.Master >= 0 {
		fds = append(fds, t.o.Master)
	}
	for _, c := range t.clients {
		fds = append(fds, c.fd)
	}
	return fds
}

// Clients is how many clients are attached.
func (t *TTY) Clients() int { return len(t.clients) }

// Ready takes what epoll said about one of the TTY's descriptors; others are
// ignored, so events of a descriptor that was just closed do no harm.
func (t *TTY) Ready(now time.Time, fd int, events uint32) {
	const ended = unix.EPOLLHUP | unix.EPOLLERR | unix.EPOLLRDHUP
	if fd == t.o.Master {
		t.readable = t.readable || events&(unix.EPOLLIN|ended) != 0
		t.jammed = t.jammed && events&unix.EPOLLOUT == 0
	} else if c := t.client(fd); c != nil {
		c.readable = c.readable || events&(unix.EPOLLIN|ended) != 0
		c.full = c.full && events&unix.EPOLLOUT == 0
		c.hup = c.hup || events&(unix.EPOLLHUP|unix.EPOLLERR) != 0
	} else {
		return
	}
	t.Tick(now)
}

// Tick does what there is to do: after a descriptor was ready and when the
// deadline has passed. Calling it at other times does no harm.
func (t *TTY) Tick(now time.Time) {
	t.now = now
	if !now.Before(t.retry) {
		t.jammed = false
	}
	t.input(now)
	t.reap()
	t.output(now)
}

// Deadline is when Tick is to be called if nothing becomes ready before; zero if
// never. A time in the past means that there is more to do at once.
func (t *TTY) Deadline() time.Time {
	if t.more || t.readable && t.pauseEnd.IsZero() {
		return t.now
	}
	at := t.pauseEnd
	if t.jammed {
		at = earlier(at, t.retry)
	}
	for _, c := range t.clients {
		at = earlier(at, c.dropAt)
	}
	return at
}

// earlier treats the zero time as never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Replace takes what the old master still has and goes on with another one, -1
// for none: the guest rebooted and has new ptys. Clients stay. The new master is
// to be registered with epoll; the old one is closed. On an error nothing has
// changed.
func (t *TTY) Replace(now time.Time, master int) error {
	if err := unblock(master); err != nil {
		return fmt.Errorf("cannot go on with another pty: %w", err)
	}
	if t.o.Master >= 0 {
		// A pty holds less than 64 KiB; the bound is for a writer that still lives.
		for n, got := 0, 1; n < outputBudget && got > 0; n += got {
			got = t.take(now)
		}
		unix.Close(t.o.Master)
	}
	t.o.Master, t.readable, t.jammed, t.pauseEnd = master, master >= 0, false, time.Time{}
	// Only for the looks: the next client that attaches brings a size of its own.
	_ = t.setSize()
	t.Tick(now)
	return nil
}

// Resize sets the size that programs on the tty see. The last caller wins; sizes
// with a zero are ignored.
func (t *TTY) Resize(rows, cols uint16) error {
	if rows == 0 || cols == 0 {
		return nil
	}
	t.size = unix.Winsize{Row: rows, Col: cols}
	return t.setSize()
}

func (t *TTY) setSize() error {
	if t.o.Master < 0 || t.size.Row == 0 {
		return nil
	}
	if err := unix.IoctlSetWinsize(t.o.Master, unix.TIOCSWINSZ, &t.size); err != nil {
		return fmt.Errorf("cannot set the size of a tty: %w", os.NewSyscallError("ioctl(TIOCSWINSZ)", err))
	}
	return nil
}

// Close drops all clients and closes the master. Ring and log are the caller's.
func (t *TTY) Close() error {
	for _, c := range t.clients {
		t.drop(c)
	}
	t.clients = nil
	if t.o.Master < 0 {
		return nil
	}
	err := unix.Close(t.o.Master)
	t.o.Master, t.readable, t.jammed, t.more = -1, false, false, false
	return err
}

// unblock makes sure that a descriptor can't hang the loop.
func unblock(fd int) error {
	if fd < 0 {
		return nil
	}
	return os.NewSyscallError("fcntl(O_NONBLOCK)", unix.SetNonblock(fd, true))
}
