package epoll

import (
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func newLoop(t *testing.T) *Loop {
	t.Helper()
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func pipe(t *testing.T) (r, w int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(p[0]); unix.Close(p[1]) })
	return p[0], p[1]
}

// until runs rounds until done.
func until(t *testing.T, l *Loop, done *bool) {
	t.Helper()
	for !*done {
		if err := l.Round(-1); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReady(t *testing.T) {
	l := newLoop(t)
	r, w := pipe(t)
	var got bool
	if err := l.Add(r, unix.EPOLLIN, func(ev uint32) { got = ev&unix.EPOLLIN != 0 }); err != nil {
		t.Fatal(err)
	}
	if err := l.Round(0); err != nil || got {
		t.Errorf("an empty pipe: %v, %v", got, err)
	}
	unix.Write(w, []byte("x"))
	until(t, l, &got)
	got = false
	l.Remove(r)
	l.Remove(r)
	if err := l.Round(0); err != nil || got {
		t.Errorf("after Remove: %v, %v", got, err)
	}
}

// TestReused: an event that was taken for a descriptor must not reach the next
// owner of its number.
func TestReused(t *testing.T) {
	l := newLoop(t)
	r1, w1 := pipe(t)
	r2, w2 := pipe(t)
	calls := 0
	swap := func(other int) func(uint32) {
		return func(uint32) {
			calls++
			l.Remove(other)
			if err := l.Add(other, unix.EPOLLIN, func(uint32) { t.Error("the new owner was called") }); err != nil {
				t.Error(err)
			}
		}
	}
	l.Add(r1, unix.EPOLLIN, swap(r2))
	l.Add(r2, unix.EPOLLIN, swap(r1))
	unix.Write(w1, []byte("x"))
	unix.Write(w2, []byte("x"))
	if err := l.Round(-1); err != nil || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestPostAndSignals(t *testing.T) {
	l := newLoop(t)
	n, all := 0, false
	for range 100 {
		go l.Post(func() { n++; all = n == 100 })
	}
	until(t, l, &all)
	var sig os.Signal
	got := false
	l.Signals(func(s os.Signal) { sig, got = s, true }, syscall.SIGUSR1)
	if err := unix.Kill(os.Getpid(), unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	until(t, l, &got)
	if sig != syscall.SIGUSR1 {
		t.Errorf("got %v", sig)
	}
}

func TestMilliseconds(t *testing.T) {
	for d, want := range map[time.Duration]int{
		-1:                       -1,
		0:                        0,
		1:                        1,
		time.Millisecond:         1,
		time.Millisecond + 1:     2,
		365 * 24 * time.Hour * 9: 1<<31 - 1,
	} {
		if got := milliseconds(d); got != want {
			t.Errorf("milliseconds(%d) = %d, want %d", d, got, want)
		}
	}
}
