package console

import (
	"time"

	"golang.org/x/sys/unix"
)

// input moves what clients type into the pty.
func (t *TTY) input(now time.Time) {
	t.more = false
	for _, c := range t.clients {
		moved := t.pump(now, c)
		t.expire(now, c, moved)
	}
}

// pump moves one client's input as far as the pty takes it, within a budget, and
// says whether anything moved.
func (t *TTY) pump(now time.Time, c *client) bool {
	moved := 0
	for !c.gone {
		if c.head < c.tail {
			n := t.enter(now, c.queue[c.head:c.tail])
			if n == 0 {
				break
			}
			c.head += n
			moved += n
			continue
		}
		if c.leaving {
			c.gone = true
			break
		}
		if !c.readable {
			break
		}
		if moved >= inputBudget {
			t.more = true
			break
		}
		t.receive(c)
	}
	return moved > 0
}

// receive fills a client's empty queue from its socket. After the last input it
// adds the start character: a ^S of a client that is gone must not stop the
// guest's output for ever.
func (t *TTY) receive(c *client) {
	n, err := unix.Read(c.fd, c.queue[:queueSize])
	switch {
	case n > 0:
		c.head, c.tail = 0, n
	case err == unix.EINTR:
	case err == unix.EAGAIN:
		c.readable = false
	default:
		c.leaving = true
		c.head, c.tail = 0, 0
		if start := t.startChar(); start != 0 {
			c.queue[0], c.tail = start, 1
		}
	}
}

// enter writes input to the pty and returns how much it took. Input for a tty that
// nobody has open is thrown away, as on a real line.
func (t *TTY) enter(now time.Time, p []byte) int {
	if t.o.Master < 0 {
		return len(p)
	}
	for !t.jammed {
		n, err := unix.Write(t.o.Master, p)
		switch {
		case n > 0:
			return n
		case err == unix.EINTR:
		case err == nil || err == unix.EAGAIN:
			t.jammed, t.retry = true, now.Add(inputRetry)
		default:
			return len(p)
		}
	}
	return 0
}

// expire ends a client that left and whose input doesn't move: the guest's program
// doesn't read, perhaps because its output was stopped by that very client. The
// unread input is flushed, so that the start character is seen.
func (t *TTY) expire(now time.Time, c *client, moved bool) {
	switch {
	case c.gone || !c.leaving && !c.hup || c.head == c.tail:
		c.dropAt = time.Time{}
	case moved || c.dropAt.IsZero():
		c.dropAt = now.Add(leaveGrace)
	case !now.Before(c.dropAt):
		c.gone = true
		t.restart(now)
	}
}

// restart throws unread input away and undoes a ^S: before Linux 6.0 a start
// character behind unread input is not looked at, even if there is room for it.
func (t *TTY) restart(now time.Time) {
	start := t.startChar()
	if start == 0 {
		return
	}
	// Of the master, TCOFLUSH empties what the slave hasn't read.
	_ = unix.IoctlSetInt(t.o.Master, unix.TCFLSH, unix.TCOFLUSH)
	t.jammed = false
	t.enter(now, []byte{start})
}

// startChar is the character that restarts stopped output, 0 if there is none: in
// raw mode it would be input. The master shows the slave's settings.
func (t *TTY) startChar() byte {
	if t.o.Master < 0 {
		return 0
	}
	tio, err := unix.IoctlGetTermios(t.o.Master, unix.TCGETS)
	if err != nil || tio.Iflag&unix.IXON == 0 {
		return 0
	}
	return tio.Cc[unix.VSTART]
}
