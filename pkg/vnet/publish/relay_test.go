package publish

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/nettest"
	"github.com/sysct/sysct/pkg/vnet"
)

// relayPid is that of guest a's relay, 0 if it has none.
func (w *world) relayPid(t *testing.T) (pid int) {
	t.Helper()
	data, err := os.ReadFile(relayFile(&vnet.Setup{RunDir: w.run, Guest: "a"}))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	must(t, err)
	if _, err := fmt.Sscan(string(data), &pid); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	return pid
}

// TestRelay: the ports on loopback are there with it, only there, and end with the guest.
func TestRelay(t *testing.T) {
	t.Parallel()
	nettest.Host(t, func(t *testing.T) {
		w := newWorld(t)
		init := sleeper(t)
		s := w.setup(vnet.Publish{Proto: "tcp", Port: 8080, Loopback: true}, vnet.Publish{Proto: "udp", Port: 8080, Loopback: true},
			vnet.Publish{Proto: "tcp", Port: 8081}, vnet.Publish{Proto: "tcp", Port: 8082, To: 1, Loopback: true})
		leak, err := unix.Open("/etc/passwd", unix.O_RDONLY, 0) // as a careless parent of all may have
		must(t, err)
		defer unix.Close(leak)
		must(t, Up(t.Context(), s, "/proc/self/exe", init.Process.Pid))
		w.checkLoopback(t)
		w.checkTCP(t)
		w.checkPowers(t)
		w.checkFull(t)
		// Once more for the same guest: it is kept, and its ports aren't taken by itself.
		first := w.relayPid(t)
		must(t, change(t, s, s, init.Process.Pid))
		w.checkRefusedChange(t, s, init.Process.Pid)
		if now := w.relayPid(t); now != first {
			t.Errorf("relay %d was replaced by %d", first, now)
		}
		// For other ports it is replaced.
		was := *s
		was.Publish = slices.Clone(s.Publish)
		s.Publish[3].To = 2
		must(t, change(t, &was, s, init.Process.Pid))
		awaitEnd(t, first)
		// One that was killed is missed.
		if lost := LostRelays(w.run); len(lost) > 0 {
			t.Errorf("%q are lost", lost)
		}
		killed := w.relayPid(t)
		must(t, unix.Kill(killed, unix.SIGKILL))
		awaitEnd(t, killed)
		if lost := LostRelays(w.run); !slices.Equal(lost, []string{"a"}) {
			t.Errorf("%q are lost", lost)
		}
		must(t, change(t, s, s, init.Process.Pid))
		w.checkLoopback(t)
		second := w.relayPid(t)
		init.Process.Kill()
		awaitEnd(t, second)
		must(t, Down(t.Context(), s))

		another := sleeper(t)
		must(t, Up(t.Context(), s, "/proc/self/exe", another.Process.Pid))
		third := w.relayPid(t)
		if third == 0 || third == second {
			t.Fatalf("relay %d after %d", third, second)
		}
		must(t, Down(t.Context(), s))
		awaitEnd(t, third)
		if w.relayPid(t) != 0 {
			t.Error("its file is left over")
		}
		w.checkStranger(t, s)
	})
}

// change is Change where nothing is to be warned of.
func change(t *testing.T, from, to *vnet.Setup, pid int) error {
	return Change(t.Context(), from, to, "/proc/self/exe", pid, func(text string) { t.Errorf("a warning: %s", text) })
}

// checkRefusedChange: a change to a port that is taken leaves what there was, and a program
// that takes a port that the guest has takes nothing.
func (w *world) checkRefusedChange(t *testing.T, s *vnet.Setup, pid int) {
	t.Helper()
	hold(t, "tcp", "192.0.2.1:83")
	next := w.setup(vnet.Publish{Proto: "tcp", Port: 8083, Loopback: true}, vnet.Publish{Proto: "tcp", Port: 83})
	if err := change(t, s, next, pid); err == nil || !strings.Contains(err.Error(), "port 83/tcp of the host is taken by") {
		t.Errorf("a change to a port that is taken: %v", err)
	}
	l, err := net.Listen("tcp", "192.0.2.1:8081")
	must(t, err)
	defer l.Close()
	var warnings []string
	for _, to := range []*vnet.Setup{s, w.setup(s.Publish...)} {
		must(t, Change(t.Context(), s, to, "/proc/self/exe", pid, func(text string) { warnings = append(warnings, text) }))
	}
	if len(warnings) != 2 || !strings.HasPrefix(warnings[0], "port 8081/tcp of the host is taken by ") {
		t.Errorf("warned of a listener on a port that the guest has: %q", warnings)
	}
	for _, port := range []uint16{8080, 8081} {
		reached(t, w.outside, "tcp", "192.0.2.1", port)
	}
	w.checkLoopback(t)
}

func (w *world) checkLoopback(t *testing.T) {
	t.Helper()
	for to, sees := range map[string]string{"127.0.0.1": "10.99.1.1", "::1": "fd00:99:1::1"} {
		for _, proto := range []string{"tcp", "udp"} {
			for range 2 {
				if got := reached(t, w.host, proto, to, 8080); got != sees {
					t.Errorf("%s %s: the guest sees %s and not %s", proto, to, got, sees)
				}
			}
		}
		silent(t, "not asked for", w.host, "tcp", to, 8081)
	}
	// Beside the loopback addresses all is as it is without a relay.
	if got := reached(t, w.outside, "tcp", "192.0.2.1", 8080); got != "192.0.2.2" {
		t.Errorf("the guest sees %s", got)
	}
	if got := nettest.Run(t, "ss", "-Hltn"); strings.Count(got, ":8080") != 2 || !strings.Contains(got, "127.0.0.1:8080") || !strings.Contains(got, "[::1]:8080") {
		t.Errorf("it listens at\n%s", got)
	}
}

// checkTCP: half-closed connections, much data, and a guest that refuses.
func (w *world) checkTCP(t *testing.T) {
	t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:8080")
	must(t, err)
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	much := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	go func() {
		c.Write(much)
		c.(*net.TCPConn).CloseWrite()
	}()
	all, err := io.ReadAll(c)
	if _, back, _ := bytes.Cut(all, []byte("\n")); err != nil || !bytes.Equal(back, much) {
		t.Errorf("%d bytes came back, and %v", len(back), err)
	}
	refused, err := net.Dial("tcp", "127.0.0.1:8082")
	if errors.Is(err, unix.ECONNRESET) {
		return // the refusal was as quick as the connection
	}
	must(t, err)
	defer refused.Close()
	refused.SetDeadline(time.Now().Add(time.Minute))
	if n, err := refused.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a port that the guest refuses: %d %v", n, err)
	}
}

// checkFull: with all places taken by idle connections, the next ones wait for one.
func (w *world) checkFull(t *testing.T) {
	t.Helper()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", "127.0.0.1:8080")
		must(t, err)
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(time.Minute))
		return c
	}
	var all []net.Conn
	for i := range maxConnections {
		c := dial()
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		all = append(all, c)
	}
	last := dial()
	last.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if n, err := last.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("one more than there are places: %d, %v", n, err)
	}
	last.SetReadDeadline(time.Now().Add(time.Minute))
	for _, c := range all {
		c.Close()
	}
	if _, err := last.Read(make([]byte, 1)); err != nil {
		t.Errorf("the one that waited: %v", err)
	}
}

// checkPowers: what talks to guests and to all users of the host may do nothing.
func (w *world) checkPowers(t *testing.T) {
	t.Helper()
	pid := w.relayPid(t)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	for _, want := range []string{"Uid:\t65534\t65534\t65534\t65534", "Gid:\t65534\t65534\t65534\t65534", "Groups:\t \n", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapAmb:\t0000000000000000"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("no %q in\n%s", want, status)
		}
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	must(t, err)
	for _, e := range fds {
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, e.Name()))
		if err == nil && !strings.HasPrefix(link, "socket:") && !strings.HasPrefix(link, "anon_inode:") && !strings.HasPrefix(link, "pipe:") && link != "/dev/null" { // splice(2) goes by pipes
			t.Errorf("it has descriptor %s: %s", e.Name(), link)
		}
	}
}

// checkStranger: a process that has got the number of a relay that ended is let live.
func (w *world) checkStranger(t *testing.T, s *vnet.Setup) {
	stranger := sleeper(t)
	must(t, os.WriteFile(relayFile(s), fmt.Appendf(nil, "%d 1 x\n", stranger.Process.Pid), 0o600))
	must(t, Down(t.Context(), s))
	if startTime(stranger.Process.Pid) == "" {
		t.Error("the stranger was killed")
	}
}
