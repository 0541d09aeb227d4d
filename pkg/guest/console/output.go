package console

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// output moves what the pty has into the log, the ring and the clients, within a
// budget and as far as clients let it.
func (t *TTY) output(now time.Time) {
	for spent := 0; t.readable && spent < outputBudget; {
		if !t.room(now) {
			break
		}
		spent += t.take(now)
	}
	for _, c := range t.clients {
		c.send(t.o.Ring)
	}
}

// take reads into the ring and passes what there was on. It returns 0 when there is
// nothing to be had until the next event.
func (t *TTY) take(now time.Time) int {
	n := t.fill()
	if n > 0 {
		head, rest := t.o.Ring.view(t.o.Ring.End() - uint64(n))
		copy(t.buf[copy(t.buf, head):], rest)
		t.keep(now, t.buf[:n])
	}
	return n
}

// fill reads until the pty is empty or a batch is full: one read gives less than 4 KiB,
// and a write into the log costs as much as a read.
func (t *TTY) fill() int {
	n := 0
	for n < batchSize {
		k, err := t.o.Ring.readFrom(t.o.Master)
		if err == unix.EINTR {
			continue
		}
		if k <= 0 {
			// EIO: nobody has the slave open, or it was hung up. That is no end: a
			// slave that is opened again raises an event with its first output.
			t.readable = false
			break
		}
		n += k
	}
	return n
}

// readNow is read(2) on a descriptor that never blocks. The scheduler isn't told of
// it: of thousands of short calls it takes some for ones that wait, and starts threads.
func readNow(fd int, p []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func (t *TTY) keep(now time.Time, p []byte) {
	if t.o.Log != nil {
		t.o.Log.Write(now, p)
	}
	t.answer(p)
	if t.o.Tap != nil {
		t.o.Tap(p)
	}
}

// room says whether the next read may be done: whether no client that counts
// would lose by it. It begins and ends pauses.
func (t *TTY) room(now time.Time) bool {
	if !t.pauseEnd.IsZero() {
		return t.resume(now)
	}
	limit := t.o.Ring.Size() - len(t.buf)
	for _, c := range t.clients {
		if !c.counts() || c.behind(t.o.Ring) <= limit {
			continue
		}
		if c.send(t.o.Ring); c.behind(t.o.Ring) > limit {
			t.pauseEnd = now.Add(maxPause)
			return false
		}
	}
	return true
}

// resume ends a pause when all clients that count are at most a quarter of the ring
// behind, and at its end at any rate: those that aren't don't count any more.
func (t *TTY) resume(now time.Time) bool {
	over := !now.Before(t.pauseEnd)
	for _, c := range t.clients {
		c.send(t.o.Ring)
		if !c.counts() || c.near(t.o.Ring) {
			continue
		}
		if !over {
			return false
		}
		c.lagging = true
	}
	t.pauseEnd = time.Time{}
	return true
}
