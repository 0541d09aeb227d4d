package console

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// half is a ring and a log as a killed process leaves them, and the tty of the next.
type half struct {
	t    *testing.T
	ring *Ring
	dir  *os.File
	pipe [2]int
}

func newHalf(t *testing.T) *half {
	t.Helper()
	ring, err := NewRing(MinTTYRing)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h := &half{t: t, ring: ring, dir: dir}
	if err := unix.Pipe2(h.pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Close(h.pipe[0])
		unix.Close(h.pipe[1])
		h.ring.Close()
		dir.Close()
	})
	return h
}

func (h *half) log() *Log {
	h.t.Helper()
	l, err := NewLog(int(h.dir.Fd()), "log", LogOptions{Size: 1000, Files: 3})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { l.Close() })
	return l
}

// read has the ring read text, as from a pty.
func (h *half) read(text string) {
	h.t.Helper()
	if _, err := unix.Write(h.pipe[1], []byte(text)); err != nil {
		h.t.Fatal(err)
	}
	for got := 0; got < len(text); {
		n, err := h.ring.readFrom(h.pipe[0])
		if err != nil {
			h.t.Fatalf("read %d of %d bytes: %v", got, len(text), err)
		}
		got += n
	}
}

// next is the process that takes over; its tty has resumed.
func (h *half) next() *TTY {
	h.t.Helper()
	fd, err := unix.FcntlInt(uintptr(h.ring.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	h.ring.Close()
	if h.ring, err = OpenRing(fd); err != nil {
		h.t.Fatal(err)
	}
	t, err := NewTTY(Options{Master: -1, Ring: h.ring, Log: h.log()})
	if err != nil {
		h.t.Fatal(err)
	}
	t.Resume(time.Now())
	return t
}

// logged is what all files of the log have.
func (h *half) logged() string {
	h.t.Helper()
	var all []byte
	for _, name := range []string{"log.2", "log.1", "log"} {
		data, err := os.ReadFile(h.dir.Name() + "/" + name)
		if err != nil && !os.IsNotExist(err) {
			h.t.Fatal(err)
		}
		all = append(all, data...)
	}
	return string(all)
}

// first is the first process's tty.
func (h *half) first() *TTY {
	h.t.Helper()
	t, err := NewTTY(Options{Master: -1, Ring: h.ring, Log: h.log()})
	if err != nil {
		h.t.Fatal(err)
	}
	t.Resume(time.Now())
	return t
}

// TestKilledWithinRead: what the kernel has given is found, wherever the ring is.
func TestKilledWithinRead(t *testing.T) {
	h := newHalf(t)
	h.first()
	long := strings.Repeat("0123456789abcdef", 128)
	for i := range MinTTYRing/len(long) + 3 {
		text := fmt.Sprintf("<%d>%s", i, long[:len(long)-i%9])
		h.read(text)
		// Read and never counted: the kill comes at the read's end.
		end := h.ring.End()
		at := int(end % uint64(len(h.ring.data)))
		room := min(readRoom, len(h.ring.data)-at)
		h.ring.claimClean(end, end+uint64(room))
		h.ring.reading.Store(1)
		lost := fmt.Sprintf("[lost %d]", i)
		lost = lost[:min(len(lost), room)]
		copy(h.ring.data[at:], lost)
		h.next()
		if got := string(h.ring.Last(len(text) + len(lost))); got != text+lost {
			t.Fatalf("%d: the ring ends in %.80q", i, got)
		}
	}
	if got := h.ring.Snapshot(); bytes.IndexByte(got, 0) >= 0 || len(got) < MinTTYRing-2*readRoom {
		t.Errorf("the ring has %d bytes, with a zero at %d", len(got), bytes.IndexByte(got, 0))
	}
}

// TestKilledBeforeLog: a successor logs what is in the ring alone, and nothing twice.
func TestKilledBeforeLog(t *testing.T) {
	h := newHalf(t)
	if err := os.WriteFile(h.dir.Name()+"/log", []byte("of old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tty := h.first()
	all := "of old\n"
	for i := range 60 {
		text := fmt.Sprintf("line %d of many, which is here to fill files\n", i)
		h.read(text)
		all += text
		switch i % 4 {
		case 0: // killed before it wrote
			tty = h.next()
		case 1: // killed between its write and the mark
			mark := h.ring.mark.Load()
			tty.o.Log.Write(time.Now(), []byte(text))
			if st, err := os.Stat(h.dir.Name() + "/log"); err == nil && st.Size() > int64(len(text)) {
				h.ring.mark.Store(mark)
			}
			tty = h.next()
		case 2: // killed after it
			tty.o.Log.Write(time.Now(), []byte(text))
			tty = h.next()
		default:
			tty.o.Log.Write(time.Now(), []byte(text))
		}
		if got := h.logged(); !strings.HasSuffix(all, got) || !strings.HasSuffix(got, text) {
			t.Fatalf("%d: the log ends in %.200q", i, got[max(0, len(got)-200):])
		}
	}
}

// TestRingWithoutMark: one of a program that kept none is logged from now on.
func TestRingWithoutMark(t *testing.T) {
	h := newHalf(t)
	h.ring.Write([]byte("logged long ago\n"))
	tty := h.next()
	h.read("new\n")
	tty.o.Log.Write(time.Now(), []byte("new\n"))
	h.read("newer\n")
	h.next()
	if got := h.logged(); got != "new\nnewer\n" {
		t.Errorf("the log is %q", got)
	}
}
