package console_test

import (
	"bytes"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/guest/console"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// bench is a TTY driven step by step, at a time that the test sets: no loop, no
// other goroutine. What the guest writes is a text that shows its position.
type bench struct {
	t       testing.TB
	now     time.Time
	ring    *console.Ring
	tty     *console.TTY
	slave   int
	client  int // the TTY's end
	other   int // the user's end
	written uint64
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, now: epoch, ring: newRing(t, console.MinTTYRing)}
	master, slave := openPTY(t)
	raw(t, slave)
	b.slave = int(slave.Fd())
	if err := unix.SetNonblock(b.slave, true); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.tty, err = console.NewTTY(console.Options{Master: master, Ring: b.ring}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.tty.Close() })
	return b
}

// attach adds the one client, which reads nothing by itself.
func (b *bench) attach() {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	b.client, b.other = fds[0], fds[1]
	if err := b.tty.Attach(b.now, b.client, 0, 0); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { unix.Close(b.other) })
}

func textAt(pos uint64) byte { return 'a' + byteAt(pos)%26 }

// write lets the guest write up to n bytes and returns how many the pty took.
func (b *bench) write(n int) int {
	p := make([]byte, n)
	for i := range p {
		p[i] = textAt(b.written + uint64(i))
	}
	n, err := unix.Write(b.slave, p)
	if err != nil && err != unix.EAGAIN {
		b.t.Fatal(err)
	}
	n = max(n, 0)
	b.written += uint64(n)
	return n
}

// turn is what a loop does that finds output and room.
func (b *bench) turn() { b.tty.Ready(b.now, b.tty.Master(), unix.EPOLLIN) }

// flood writes until the guest is blocked or n bytes are written.
func (b *bench) flood(n int) (written int) {
	for written < n {
		k := b.write(min(n-written, 8192))
		if k == 0 {
			break
		}
		written += k
		b.turn()
	}
	return written
}

// read is the user's terminal taking up to n bytes.
func (b *bench) read(n int) []byte {
	p := make([]byte, n)
	k, err := unix.Read(b.other, p)
	if err != nil && err != unix.EAGAIN {
		b.t.Fatal(err)
	}
	return p[:max(k, 0)]
}

// readAll reads till nothing comes any more.
func (b *bench) readAll() (got []byte) {
	for {
		p := b.read(1 << 20)
		got = append(got, p...)
		b.tty.Ready(b.now, b.client, unix.EPOLLOUT)
		if len(p) == 0 {
			return got
		}
	}
}

func (b *bench) paused() bool { return b.tty.Deadline().After(b.now) }

// A client that is stopped holds the guest up once, for 100 ms, and is told later
// what it missed.
func TestStoppedClient(t *testing.T) {
	b := newBench(t)
	b.attach()
	b.flood(10 << 20)
	if !b.paused() || b.tty.Deadline() != b.now.Add(100*time.Millisecond) {
		t.Fatalf("not paused for 100 ms but until %v", b.tty.Deadline())
	}
	b.now = b.now.Add(99 * time.Millisecond)
	b.tty.Tick(b.now)
	if b.flood(1) != 0 {
		t.Fatal("the pause ended early")
	}
	b.now = b.now.Add(time.Millisecond)
	b.tty.Tick(b.now)
	if n := b.flood(10 << 20); n != 10<<20 {
		t.Fatalf("the guest is blocked again after %d bytes", n)
	}
	check(t, b.readAll(), b.written, 1)
}

// A client that is slow, but takes half a ring in 100 ms, misses nothing.
func TestSlowClientMissesNothing(t *testing.T) {
	b := newBench(t)
	b.attach()
	var got []byte
	for b.written < 8<<20 {
		b.flood(1 << 20)
		if !b.paused() {
			t.Fatal("no pause")
		}
		b.now = b.now.Add(90 * time.Millisecond)
		for range 16 {
			got = append(got, b.read(16<<10)...)
			b.tty.Ready(b.now, b.client, unix.EPOLLOUT)
		}
	}
	check(t, append(got, b.readAll()...), b.written, 0)
}

// A stopped client's death ends the pause.
func TestPauseEndsWithClient(t *testing.T) {
	b := newBench(t)
	b.attach()
	b.flood(10 << 20)
	unix.Shutdown(b.other, unix.SHUT_RDWR)
	b.tty.Ready(b.now, b.client, unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLRDHUP)
	if n := b.flood(1 << 20); n != 1<<20 || b.tty.Clients() != 0 {
		t.Errorf("%d bytes, %d clients", n, b.tty.Clients())
	}
}

var skippedNotice = regexp.MustCompile(`^\r\n\[sysct: (\d+) bytes skipped\]\r\n`)

// check compares what a client saw with the text of the guest, position by
// position, and counts the notices.
func check(t testing.TB, got []byte, end uint64, notices int) {
	t.Helper()
	pos, seen := uint64(0), 0
	for len(got) > 0 {
		if got[0] == '\r' {
			m := skippedNotice.FindSubmatch(got[:min(len(got), 64)])
			if m == nil {
				t.Fatalf("at %d: no notice but %q", pos, got[:min(len(got), 64)])
			}
			n, _ := strconv.ParseUint(string(m[1]), 10, 64)
			pos, got, seen = pos+n, got[len(m[0]):], seen+1
			continue
		}
		if got[0] != textAt(pos) {
			t.Fatalf("wrong byte at %d", pos)
		}
		pos, got = pos+1, got[1:]
	}
	if pos != end || notices >= 0 && seen != notices {
		t.Errorf("at the end at %d with %d notices, want %d and %d", pos, seen, end, notices)
	}
}

// However guest, client and clock interleave, the client sees the guest's text but
// for what a notice stands for, and the guest is never held up longer than 100 ms
// or twice within half a ring.
func TestAnyPace(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t)
		b.attach()
		var got []byte
		var pauseAt time.Time
		lastPause := uint64(0)
		rt.Repeat(map[string]func(*rapid.T){
			"flood": func(rt *rapid.T) { b.flood(rapid.IntRange(1, 1<<20).Draw(rt, "n")) },
			"read": func(rt *rapid.T) {
				got = append(got, b.read(rapid.IntRange(1, 400<<10).Draw(rt, "n"))...)
				b.tty.Ready(b.now, b.client, unix.EPOLLOUT)
			},
			"wait": func(rt *rapid.T) {
				b.now = b.now.Add(time.Duration(rapid.IntRange(1, 60).Draw(rt, "ms")) * time.Millisecond)
				b.tty.Tick(b.now)
			},
			"": func(rt *rapid.T) {
				if !b.paused() {
					pauseAt = time.Time{}
					return
				}
				if pauseAt.IsZero() {
					if flowed := b.ring.End() - lastPause; lastPause > 0 && flowed < uint64(b.ring.Size()/2) {
						rt.Fatalf("only %d bytes between two pauses", flowed)
					}
					pauseAt, lastPause = b.now, b.ring.End()
				}
				if b.now.Sub(pauseAt) >= 100*time.Millisecond {
					rt.Fatalf("a pause of %v", b.now.Sub(pauseAt))
				}
			},
		})
		b.now = b.now.Add(time.Second)
		b.turn()
		check(t, append(got, b.readAll()...), b.written, -1)
	})
}

// Draining takes no memory.
func TestNoAllocationPerRead(t *testing.T) {
	b := newBench(t)
	b.attach()
	p, got := bytes.Repeat([]byte("x"), 4096), make([]byte, 8192)
	if n := testing.AllocsPerRun(200, func() {
		unix.Write(b.slave, p)
		b.turn()
		unix.Read(b.other, got)
		b.tty.Ready(b.now, b.client, unix.EPOLLOUT)
	}); n != 0 {
		t.Errorf("%v allocations a read", n)
	}
}
