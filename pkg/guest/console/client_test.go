package console_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/guest/console"
	"golang.org/x/sys/unix"
)

// guest is a tty with its guest's side, in a loop.
type guest struct {
	*loop
	tty    *console.TTY
	ring   *console.Ring
	master int
	slave  *os.File
}

func newGuest(t *testing.T) *guest {
	t.Helper()
	g := &guest{ring: newRing(t, console.MinTTYRing)}
	g.loop = newLoop(t)
	g.master, g.slave = openPTY(t)
	g.tty = g.loop.tty(console.Options{Master: g.master, Ring: g.ring})
	return g
}

// blocked says whether a program of the guest can't write to its tty.
func (g *guest) blocked() bool {
	fd := int(g.slave.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		g.t.Fatal(err)
	}
	defer unix.SetNonblock(fd, false)
	_, err := unix.Write(fd, []byte("."))
	return err == unix.EAGAIN
}

func TestAttachReplaysAndGoesOn(t *testing.T) {
	g := newGuest(t)
	write(t, g.slave, "boot\x1b[6n\nlogin: ")
	eventually(t, "the prompt", func() bool { return strings.HasSuffix(string(g.ring.Snapshot()), "login: ") })
	client := g.attach(g.tty, 0, 0)
	if got := expect(t, client, "login: "); got != "boot\r\nlogin: " {
		t.Errorf("replay is %q", got)
	}
	write(t, client, "root\n")
	expect(t, client, "root\r\n")
	line := make([]byte, 100)
	if n, err := g.slave.Read(line); err != nil || string(line[:n]) != "root\n" {
		t.Errorf("the guest read %q, %v", line[:n], err)
	}
	write(t, g.slave, "Password: ")
	expect(t, client, "Password: ")
	client.Close()
	eventually(t, "the client to be gone", func() bool { return g.clients(g.tty) == 0 && g.gone.Load() == 1 })
	expect(t, g.attach(g.tty, 0, 0), "login: root\r\nPassword: ")
}

// A new client is sent the last part of a long past, in whole lines.
func TestReplayIsBounded(t *testing.T) {
	g := newGuest(t)
	g.ring.Write([]byte(strings.Repeat("0123456789\n", 20_000) + "end"))
	got := expect(t, g.attach(g.tty, 0, 0), "end")
	if !strings.HasPrefix(got, "0123456789\n") || len(got) > console.ReplaySize || len(got) < console.ReplaySize-1024 {
		t.Errorf("%d bytes, begins with %q", len(got), got[:20])
	}
}

func TestTwoClientsShare(t *testing.T) {
	g := newGuest(t)
	one, two := g.attach(g.tty, 24, 80), g.attach(g.tty, 50, 132)
	write(t, one, "one ")
	expect(t, two, "one ")
	write(t, two, "two\n")
	expect(t, one, "one two\r\n")
	line := make([]byte, 100)
	if n, err := g.slave.Read(line); err != nil || string(line[:n]) != "one two\n" {
		t.Errorf("the guest read %q, %v", line[:n], err)
	}
	one.Close()
	eventually(t, "one to be gone", func() bool { return g.clients(g.tty) == 1 })
	write(t, g.slave, "still here")
	expect(t, two, "still here")
}

func TestSizeIsTheLastOnes(t *testing.T) {
	g := newGuest(t)
	check := func(rows, cols uint16) {
		t.Helper()
		ws, err := unix.IoctlGetWinsize(int(g.slave.Fd()), unix.TIOCGWINSZ)
		if err != nil || ws.Row != rows || ws.Col != cols {
			t.Errorf("size %+v, %v, want %d %d", ws, err, rows, cols)
		}
	}
	g.attach(g.tty, 24, 80)
	check(24, 80)
	g.attach(g.tty, 50, 132)
	check(50, 132)
	g.call(func() { g.tty.Resize(25, 81) })
	check(25, 81)
	g.attach(g.tty, 0, 0)
	check(25, 81)
}

// Five ttys in one loop with one buffer: a flood on one holds none of the others up,
// and none sees another's output.
func TestManyTTYs(t *testing.T) {
	const ttys = 5
	var rings []*console.Ring
	for range ttys {
		rings = append(rings, newRing(t, console.MinTTYRing))
	}
	l, buf := newLoop(t), make([]byte, 64<<10)
	var slaves, clients []*os.File
	for i := range ttys {
		master, slave := openPTY(t)
		raw(t, slave)
		tty := l.tty(console.Options{Master: master, Ring: rings[i], Buffer: buf})
		slaves, clients = append(slaves, slave), append(clients, l.attach(tty, 24, 80))
	}
	flood := startFlood(t, slaves[0], 1<<30)
	eventually(t, "the flood", func() bool { return rings[0].End() > 0 })
	for round := range 20 {
		for i := 1; i < ttys; i++ {
			text := fmt.Sprintf("<%d.%d>", round, i)
			write(t, clients[i], text)
			line := make([]byte, 100)
			if n, err := slaves[i].Read(line); err != nil || string(line[:n]) != text {
				t.Fatalf("tty %d read %q, %v", i, line[:n], err)
			}
			write(t, slaves[i], text)
			if got := expect(t, clients[i], text); got != text {
				t.Fatalf("tty %d showed %q", i, got)
			}
		}
	}
	flood.Process.Kill()
	flood.Wait()
}

// The number of clients is bounded, and one too many stays the caller's.
func TestTooManyClients(t *testing.T) {
	g := newGuest(t)
	var last error
	for n := 0; last == nil && n < 1000; n++ {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fds[1])
		g.call(func() { last = g.tty.Attach(time.Now(), fds[0], 0, 0) })
		if last != nil {
			if err := unix.Close(fds[0]); err != nil {
				t.Error(err)
			}
		}
	}
	if last == nil {
		t.Error("a thousand clients")
	}
}
