package console_test

import (
	"io"
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

// What getty does: all slaves closed or hung up, and opened again.
func TestSlaveGoesAndComesBack(t *testing.T) {
	g := newGuest(t)
	client := g.attach(g.tty, 0, 0)
	for _, end := range []func(){
		func() { g.slave.Close() },
		func() {
			if err := unix.IoctlSetInt(int(g.slave.Fd()), unix.TIOCVHANGUP, 0); err != nil {
				t.Error(err)
			}
		},
		func() { g.slave.Close() },
	} {
		write(t, g.slave, "before\n")
		expect(t, client, "before\r\n")
		end()
		write(t, client, "typed to nobody\n")
		turns := g.busy.Load()
		time.Sleep(20 * time.Millisecond)
		if n := g.busy.Load() - turns; n > 20 {
			t.Errorf("the loop turned %d times while nothing happened", n)
		}
		g.slave = openSlave(t, g.master)
		write(t, g.slave, "after\n")
		expect(t, client, "after\r\n")
	}
}

// A reboot: the clients see the old pty to its end, then the new one.
func TestReplaceKeepsClients(t *testing.T) {
	g := newGuest(t)
	client := g.attach(g.tty, 33, 99)
	write(t, g.slave, "going down\n")
	g.slave.Close()
	g.call(func() {
		if err := g.tty.Replace(time.Now(), -1); err != nil {
			t.Error(err)
		}
	})
	expect(t, client, "going down\r\n")
	write(t, client, "typed to nobody")
	master, slave := openPTY(t)
	g.slave = slave
	g.call(func() {
		if err := g.tty.Replace(time.Now(), master); err != nil {
			t.Error(err)
		}
		g.add(master)
	})
	write(t, slave, "coming up\n")
	expect(t, client, "coming up\r\n")
	ws, err := unix.IoctlGetWinsize(int(slave.Fd()), unix.TIOCGWINSZ)
	if err != nil || ws.Row != 33 || ws.Col != 99 {
		t.Errorf("size %+v, %v", ws, err)
	}
}

// A monitor is killed in the middle of a flood; the next one goes on with ring, log
// and pty.
func TestAdoption(t *testing.T) {
	dir := t.TempDir()
	ring := newRing(t, console.MinTTYRing)
	master, slave := openPTY(t)
	raw(t, slave)
	masterFile := os.NewFile(uintptr(master), "master")
	logDir := os.NewFile(uintptr(openDir(t, dir)), "dir")
	kept, err := unix.FcntlInt(uintptr(ring.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ringFile := os.NewFile(uintptr(kept), "ring")
	defer ringFile.Close()
	guest := startFlood(t, slave, 4<<20)
	for i := range 10 {
		monitor := role(t, "monitor")
		monitor.ExtraFiles = []*os.File{masterFile, ringFile, logDir}
		if err := monitor.Start(); err != nil {
			t.Fatal(err)
		}
		from := ring.End()
		eventually(t, "some output", func() bool { return ring.End() > from+uint64(i)*1000 || ring.End() >= 4<<20-300<<10 })
		monitor.Process.Kill()
		monitor.Wait()
	}
	log := newLog(t, dir, "log", console.LogOptions{})
	l := newLoop(t)
	fd, err := unix.FcntlInt(masterFile.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	masterFile.Close()
	l.tty(console.Options{Master: fd, Ring: ring, Log: log})
	if err := guest.Wait(); err != nil {
		t.Fatal(err)
	}
	// Each kill may cost the one read that was under way.
	eventually(t, "the rest", func() bool { return ring.End() > 4<<20-10*(64<<10) })
	write(t, slave, "\nthe end\n")
	eventually(t, "the end", func() bool { return strings.HasSuffix(string(ring.Snapshot()), "\nthe end\n") })
	var logged strings.Builder
	if err := console.ReadLog(openDir(t, dir), "log", 4, 0, &logged); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(logged.String(), "\nthe end\n") || logged.Len() < 3<<20 {
		t.Errorf("the log has %d bytes", logged.Len())
	}
}

// monitor drains the pty in descriptor 3 into the ring in 4 and a log in the
// directory in 5 until it is killed.
func monitor() error {
	ring, err := console.OpenRing(4)
	if err != nil {
		return err
	}
	log, err := console.NewLog(5, "log", console.LogOptions{})
	if err != nil {
		return err
	}
	tty, err := console.NewTTY(console.Options{Master: 3, Ring: ring, Log: log})
	if err != nil {
		return err
	}
	for {
		tty.Ready(time.Now(), 3, unix.EPOLLIN)
		if tty.Deadline().IsZero() {
			if _, err := unix.Poll([]unix.PollFd{{Fd: 3, Events: unix.POLLIN}}, -1); err != nil && err != unix.EINTR {
				return err
			}
		}
	}
}
