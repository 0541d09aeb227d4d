package console_test

import (
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A client that stopped the output and is killed doesn't keep it stopped.
func TestKilledClientLeavesNoStop(t *testing.T) {
	g := newGuest(t)
	client := g.attach(g.tty, 0, 0)
	cmd := role(t, "stopper")
	cmd.ExtraFiles = []*os.File{client}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client.Close()
	eventually(t, "the stop", g.blocked)
	cmd.Process.Kill()
	cmd.Wait()
	eventually(t, "output after the stop", func() bool { return !g.blocked() })
	eventually(t, "the client to be gone", func() bool { return g.clients(g.tty) == 0 })
}

// stopper is a client that types ^S and then hangs.
func stopper() {
	os.NewFile(3, "socket").WriteString("\x13")
	time.Sleep(time.Hour)
}

// The same with so much unread input that not even the start character fits: the
// input is what goes.
func TestKilledClientLeavesNoJam(t *testing.T) {
	g := newGuest(t)
	client := g.attach(g.tty, 0, 0)
	write(t, client, "\x13")
	eventually(t, "the stop", g.blocked)
	took := time.Now()
	eventually(t, "the pty to be full", func() bool {
		if n, err := unix.Write(g.master, []byte("\n")); n == 1 && err == nil {
			took = time.Now()
			for n == 1 {
				n, _ = unix.Write(g.master, []byte("\n"))
			}
		}
		return time.Since(took) > 100*time.Millisecond
	})
	write(t, client, "nobody reads this\n")
	client.Close()
	eventually(t, "output after the jam", func() bool { return !g.blocked() })
	eventually(t, "the client to be gone", func() bool { return g.clients(g.tty) == 0 })
}

// A client that is gone before its socket is registered is noticed all the same.
func TestAttachOfTheDead(t *testing.T) {
	g := newGuest(t)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fds[1])
	g.call(func() {
		if err := g.tty.Attach(time.Now(), fds[0], 24, 80); err != nil {
			t.Error(err)
		}
		g.add(fds[0])
	})
	eventually(t, "the client to be gone", func() bool { return g.clients(g.tty) == 0 })
}

// In raw mode the start character would be input, so none is sent.
func TestNoStartCharacterInRawMode(t *testing.T) {
	g := newGuest(t)
	raw(t, g.slave)
	write(t, g.attach(g.tty, 0, 0), "x")
	g.call(func() { g.tty.Detach(time.Now(), g.tty.FDs()[1]) })
	eventually(t, "the client to be gone", func() bool { return g.clients(g.tty) == 0 })
	write(t, g.attach(g.tty, 0, 0), "y")
	got := make([]byte, 2)
	if _, err := io.ReadFull(g.slave, got); err != nil || string(got) != "xy" {
		t.Errorf("the guest read %q, %v", got, err)
	}
}

// Input that is larger than all queues arrives whole, though the client left at
// once, and while the guest reads slowly other clients' output goes on.
func TestInputIsWhole(t *testing.T) {
	g := newGuest(t)
	raw(t, g.slave)
	other := g.attach(g.tty, 0, 0)
	client := g.attach(g.tty, 0, 0)
	const size = 1 << 20
	go func() {
		client.Write(pattern(0, size))
		client.Close()
	}()
	got := make([]byte, 0, size)
	buf := make([]byte, 10_000)
	for len(got) < size {
		n, err := g.slave.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, buf[:n]...)
		if len(got)%7 == 0 {
			write(t, g.slave, "*")
			expect(t, other, "*")
		}
	}
	if string(got) != string(pattern(0, size)) {
		t.Error("the input differs")
	}
	eventually(t, "the client to be gone", func() bool { return g.clients(g.tty) == 1 })
}
