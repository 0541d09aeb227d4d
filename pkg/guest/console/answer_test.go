package console_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/guest/console"
	"golang.org/x/sys/unix"
)

func TestSizeIsAnswered(t *testing.T) {
	ring := newRing(t, console.MinTTYRing)
	master, slave := openPTY(t)
	raw(t, slave)
	if err := unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	tty, err := console.NewTTY(console.Options{Master: master, Ring: ring})
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	ask := func(text string) {
		t.Helper()
		write(t, slave, text)
		arrived(t, master)
		tty.Ready(time.Now(), master, unix.EPOLLIN)
	}
	for text, want := range map[string]string{
		"\x1b[18t": "\x1b[8;24;80t",
		"boot\x1b7\x1b[32766;32766H\x1b[6n\x1b8 ok\r\n": "\x1b[24;80R",
		"\x1b[18t\x1b7\x1b[32766;32766H\x1b[6n\x1b8":    "\x1b[8;24;80t",
		"\x1b[6n": "", "\x1b[c": "", "\x1b]11;?\x07": "", "18t": "",
	} {
		ask(text)
		ask("\x1b[18t") // the answer to this one comes next, where there is none to the other
		want += "\x1b[8;24;80t"
		if got := answers(t, slave, len(want)); got != want {
			t.Errorf("%q was answered by %q, want %q", text, got, want)
		}
	}
	// With a client the terminal is the client's.
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[1])
	if err := tty.Attach(time.Now(), ends[0], 24, 80); err != nil {
		t.Fatal(err)
	}
	ask("\x1b[18t")
	if err := tty.Detach(time.Now(), ends[0]); err != nil {
		t.Fatal(err)
	}
	ask("\x1b[32766;32766H\x1b[6n")
	got := answers(t, slave, 1)
	for !strings.Contains(got, "R") {
		got += answers(t, slave, 1)
	}
	if strings.Contains(got, "t") {
		t.Errorf("beside a client it was answered: %q", got)
	}
}

// arrived waits until there is something to be read: what was written to one
// side of a pty is at the other a moment later.
func arrived(t *testing.T, fd int) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, 60e3); n != 1 {
		t.Fatalf("nothing arrives: %v", err)
	}
}

// answers reads as many bytes.
func answers(t *testing.T, slave *os.File, size int) string {
	t.Helper()
	buf := make([]byte, size)
	for n := 0; n < size; {
		arrived(t, int(slave.Fd()))
		more, err := slave.Read(buf[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += more
	}
	return string(buf)
}
