package console_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/guest/console"
	"golang.org/x/sys/unix"
)

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
