package console

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const queueSize = 4096

// client is one attached stream socket.
type client struct {
	fd int

	// Output: first what pre holds, then the ring from pos on.
	pre     []byte
	pos     uint64
	full    bool // the socket takes no more; an event will clear it
	lagging bool // the guest doesn't wait for it
	hup     bool // nothing can be sent any more

	// Input: what queue[head:tail] holds goes to the pty before more is read.
	queue      [queueSize + 1]byte // one more for VSTART
	head, tail int
	readable   bool
	leaving    bool      // all its input is in the queue
	gone       bool      // to be closed
	dropAt     time.Time // its input may stand still until then; zero: for ever
}

// Attach adds a client: a stream socket, which is the TTY's from then on unless
// an error is returned, and is to be registered with epoll. The client is sent
// what the ring remembers, then all output. A size without zeros is the tty's new
// size. Nothing is read or sent before the next Ready or Tick, so that the client
// can't be gone before it is registered.
func (t *TTY) Attach(now time.Time, fd int, rows, cols uint16) error {
	if len(t.clients) >= maxClients {
		return fmt.Errorf("cannot attach to the tty: it has %d clients already", len(t.clients))
	}
	if err := unblock(fd); err != nil {
		return fmt.Errorf("cannot attach to the tty: %w", err)
	}
	c := &client{fd: fd, pre: t.replay(), pos: t.o.Ring.End(), readable: true}
	t.clients = append(t.clients, c)
	// A pty that has just gone has no size; its client finds out soon enough.
	_ = t.Resize(rows, cols)
	t.more, t.now = true, now
	return nil
}

// replay is the past as a new client may see it.
func (t *TTY) replay() []byte {
	r := t.o.Ring
	from := r.Start()
	cut := from > 0
	if end := r.End(); end-from > ReplaySize {
		from, cut = end-ReplaySize, true
	}
	head, rest := r.view(from)
	past := slices.Concat(head, rest)
	if cut {
		past = past[lineStart(past):]
	}
	return Replayable(past)
}

// lineStart is where the first whole line begins, if one does soon: what precedes
// it may be half an escape sequence.
func lineStart(p []byte) int {
	return bytes.IndexByte(p[:min(len(p), 1024)], '\n') + 1
}

// Detach ends a client, as if it had closed its socket: what it typed is still
// delivered.
func (t *TTY) Detach(now time.Time, fd int) error {
	c := t.client(fd)
	if c == nil {
		return nil
	}
	c.hup, c.readable = true, true
	err := os.NewSyscallError("shutdown", unix.Shutdown(fd, unix.SHUT_RDWR))
	t.Tick(now)
	return err
}

func (t *TTY) client(fd int) *client {
	for _, c := range t.clients {
		if c.fd == fd {
			return c
		}
	}
	return nil
}

func (t *TTY) reap() {
	t.clients = slices.DeleteFunc(t.clients, func(c *client) bool {
		if c.gone {
			t.drop(c)
		}
		return c.gone
	})
}

func (t *TTY) drop(c *client) {
	if t.o.Gone != nil {
		t.o.Gone(c.fd)
	}
	unix.Close(c.fd)
}

// counts says whether the guest's output waits for the client.
func (c *client) counts() bool { return !c.lagging && !c.hup }

func (c *client) behind(r *Ring) int { return int(r.End() - c.pos) }

// near says whether the client has so little before it that it doesn't hold the
// guest up, and won't for the next half of a ring.
func (c *client) near(r *Ring) bool { return c.behind(r) <= r.Size()/4 }

// send gives the socket all that it takes.
func (c *client) send(r *Ring) {
	for !c.full && !c.hup {
		if len(c.pre) == 0 && c.pos < r.Start() {
			c.skip(r)
		}
		p := c.pre
		if len(p) == 0 {
			p, _ = r.view(c.pos)
		}
		if len(p) == 0 {
			return
		}
		n, err := unix.Write(c.fd, p)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			c.full = true
		case err != nil:
			c.hup, c.readable = true, true
		default:
			c.sent(r, n)
		}
	}
}

func (c *client) sent(r *Ring, n int) {
	if len(c.pre) > 0 {
		c.pre = c.pre[n:]
		return
	}
	c.pre = nil
	c.pos += uint64(n)
	c.lagging = c.lagging && !c.near(r)
}

// skip goes on with the last quarter of the ring: far enough back to show what
// happened last, and far enough ahead not to be overtaken again at once.
func (c *client) skip(r *Ring) {
	to := r.End() - uint64(r.Size()/4)
	head, _ := r.view(to)
	to += uint64(lineStart(head))
	c.pre = fmt.Appendf(nil, "\r\n[sysct: %d bytes skipped]\r\n", to-c.pos)
	c.pos, c.lagging = to, false
}
