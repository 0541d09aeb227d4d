package control

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/state"
)

// site is a run directory with one guest in it, and a listening socket.
type site struct {
	dir    *os.File
	listen int
}

func newSite(t *testing.T) *site {
	t.Helper()
	// As long as a state directory may be: the address would not hold it.
	path := filepath.Join(t.TempDir(), strings.Repeat("d", 150))
	if err := os.MkdirAll(filepath.Join(path, "web"), 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return &site{dir: dir, listen: -1}
}

func (s *site) serve(t *testing.T) {
	t.Helper()
	guest, err := os.Open(filepath.Join(s.dir.Name(), "web"))
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()
	s.listen, err = Listen(int(guest.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(s.listen) })
}

func (s *site) dial(t *testing.T) *Conn {
	t.Helper()
	c, err := Dial(t.Context(), int(s.dir.Fd()), "web")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (s *site) accept(t *testing.T) *Peer {
	t.Helper()
	p, err := Accept(s.listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func wait(t *testing.T, fd int) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		if err == nil {
			return
		}
		if err != unix.EINTR {
			t.Fatal(err)
		}
	}
}

func TestCall(t *testing.T) {
	s := newSite(t)
	if _, err := Dial(t.Context(), int(s.dir.Fd()), "web"); !errors.Is(err, ErrNoMonitor) {
		t.Errorf("Dial without a socket: %v", err)
	}
	s.serve(t)
	c := s.dial(t)
	go func() {
		p := s.accept(t)
		wait(t, p.FD())
		req, fds, err := p.Receive()
		if err != nil || req.Op != OpStop || req.Timeout(0) != 1500*time.Millisecond || !req.NoKill || len(fds) != 1 {
			t.Errorf("received %+v, %v, %v", req, fds, err)
		}
		p.Reply(&Response{Run: &state.Run{Pid: 7, State: "STOPPED"}}, fds...)
		CloseAll(fds)
	}()
	req := Request{Op: OpStop, NoKill: true}
	req.SetTimeout(1500 * time.Millisecond)
	var resp Response
	fds, err := c.CallFDs(t.Context(), req, []int{int(s.dir.Fd())}, &resp)
	if err != nil {
		t.Fatal(err)
	}
	defer CloseAll(fds)
	if len(fds) != 1 || !resp.OK || resp.V != MaxVersion || resp.Run.Pid != 7 || resp.Run.State != "STOPPED" {
		t.Errorf("answer %+v with %v", resp, fds)
	}
	var a, b unix.Stat_t
	unix.Fstat(fds[0], &a)
	unix.Fstat(int(s.dir.Fd()), &b)
	if a.Ino != b.Ino {
		t.Error("the descriptor that came back is another one")
	}
	if flags, _ := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
		t.Error("a received descriptor would be inherited")
	}
}

func TestServerError(t *testing.T) {
	s := newSite(t)
	s.serve(t)
	c := s.dial(t)
	go func() {
		p := s.accept(t)
		wait(t, p.FD())
		p.Receive()
		p.Reply(&Response{Error: Errorf(KindState, "guest is frozen")})
	}()
	var resp Response
	_, err := c.Call(t.Context(), Request{Op: OpFreeze}, &resp)
	if !errors.Is(err, &Error{Kind: KindState}) || errors.Is(err, &Error{Kind: KindBusy}) || err.Error() != "guest is frozen" {
		t.Errorf("got %v", err)
	}
}

func TestSilentMonitor(t *testing.T) {
	s := newSite(t)
	s.serve(t)
	c := s.dial(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := c.Call(ctx, Request{Op: OpStatus}, &Response{})
	if !errors.Is(err, ErrTimeout) {
		t.Errorf("a monitor that doesn't answer: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if err := c.Send(ctx, Request{Op: OpStatus}); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Send after Ctrl-C: %v", err)
	}
	if _, err = c.Receive(ctx, &Response{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Receive after Ctrl-C: %v", err)
	}
}

func TestFullQueue(t *testing.T) {
	s := newSite(t)
	s.serve(t)
	unix.Listen(s.listen, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for range 4 {
		c, err := Dial(ctx, int(s.dir.Fd()), "web")
		if err == nil {
			defer c.Close()
			continue
		}
		if !errors.Is(err, ErrTimeout) {
			t.Errorf("Dial with a full queue: %v", err)
		}
		return
	}
	t.Error("the queue took 4 clients")
}

func TestMonitorDies(t *testing.T) {
	s := newSite(t)
	s.serve(t)
	c := s.dial(t)
	p, err := Accept(s.listen)
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if _, err := c.Call(t.Context(), Request{Op: OpStatus}, &Response{}); !errors.Is(err, ErrLost) {
		t.Errorf("Call: %v", err)
	}
}

func TestMalformed(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		kind Kind
	}{
		"no JSON":     {"stop", KindInvalid},
		"trailing":    {`{"min":1,"max":1,"op":"stop"}x`, KindInvalid},
		"wrong type":  {`{"min":1,"max":1,"op":"stop","states":3}`, KindInvalid},
		"no op":       {`{"min":1,"max":1}`, KindInvalid},
		"old version": {`{"op":"stop"}`, KindVersion},
		"new version": {`{"min":7,"max":9,"op":"stop"}`, KindVersion},
		"deep":        {strings.Repeat(`{"a":`, 12000), KindInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.serve(t)
			client := s.dial(t)
			if err := sendPacket(client.Fd(), []byte(c.data), []int{client.Fd()}); err != nil {
				t.Fatal(err)
			}
			var bad *Error
			if _, _, err := s.accept(t).Receive(); !errors.As(err, &bad) {
				t.Fatalf("Receive: %v", err)
			}
			_, err := client.Receive(t.Context(), &Response{})
			if !errors.As(err, &bad) || bad.Kind != c.kind {
				t.Errorf("answered %v, want kind %s", err, c.kind)
			}
		})
	}
}

func TestNewerClientSettlesLower(t *testing.T) {
	req, v, bad := decodeRequest([]byte(`{"min":1,"max":9,"op":"status","new":{"x":1}}`), "1.0")
	if bad != nil || v != MaxVersion || req.Op != OpStatus {
		t.Errorf("got %+v, version %d, %v", req, v, bad)
	}
}

func TestTooLong(t *testing.T) {
	s := newSite(t)
	s.serve(t)
	c := s.dial(t)
	if err := sendPacket(c.Fd(), make([]byte, MaxPacket+1), nil); err != errTooLong {
		t.Errorf("sendPacket: %v", err)
	}
	if err := unix.Sendto(c.Fd(), make([]byte, MaxPacket+1), 0, nil); err != nil {
		t.Fatal(err)
	}
	p := s.accept(t)
	var bad *Error
	if _, _, err := p.Receive(); !errors.As(err, &bad) {
		t.Errorf("Receive: %v", err)
	}
	if _, _, err := p.Receive(); err != ErrAgain {
		t.Errorf("Receive after a packet that was too long: %v", err)
	}
	c.Close()
	if _, _, err := p.Receive(); err != io.EOF {
		t.Errorf("Receive after the client's end: %v", err)
	}
}

// TestManyDescriptors: none of what is over the bound stays open.
func TestManyDescriptors(t *testing.T) {
	s := newSite(t)
	s.serve(t)
	c := s.dial(t)
	p := s.accept(t)
	many := make([]int, maxFDs+5)
	for i := range many {
		many[i] = c.Fd()
	}
	before := openFDs(t)
	if err := sendPacket(c.Fd(), []byte(`{"min":1,"max":1,"op":"stop"}`), many); err != nil {
		t.Fatal(err)
	}
	var bad *Error
	if _, _, err := p.Receive(); !errors.As(err, &bad) {
		t.Errorf("Receive: %v", err)
	}
	if after := openFDs(t); after != before {
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}

func openFDs(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func TestOnlyRoot(t *testing.T) {
	s := newSite(t)
	s.serve(t)
	// A thread that is another user can still reach the socket by a
	// descriptor that root opened: the mode of the path is not the guard.
	done := make(chan error, 1)
	go func() {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			done <- err
			return
		}
		addr, err := address(int(s.dir.Fd()), "web/"+SocketName)
		if err == nil {
			err = connectAs(fd, addr, 65534)
		}
		t.Cleanup(func() { unix.Close(fd) })
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := Accept(s.listen); err == nil || errors.Is(err, ErrAgain) || !strings.Contains(err.Error(), "65534") {
		t.Errorf("Accept of another user: %v", err)
	}
	if _, err := Accept(s.listen); err != ErrAgain {
		t.Errorf("Accept after it: %v", err)
	}
}

// connectAs connects with the user of this thread alone changed, and keeps
// the capability to pass by file modes.
func connectAs(fd int, addr *unix.SockaddrUnix, uid int) error {
	type result struct{ err error }
	done := make(chan result)
	go func() {
		// The thread is never unlocked, so it ends with the goroutine.
		runtime.LockOSThread()
		if _, _, e := syscall.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0); e != 0 {
			done <- result{e}
			return
		}
		if _, _, e := syscall.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); e != 0 {
			done <- result{e}
			return
		}
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		err := unix.Capget(&hdr, &data[0])
		data[0].Effective, data[1].Effective = data[0].Permitted, data[1].Permitted
		if err == nil {
			err = unix.Capset(&hdr, &data[0])
		}
		if err == nil {
			err = unix.Connect(fd, addr)
		}
		done <- result{err}
	}()
	return (<-done).err
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add([]byte(`{"min":1,"max":1,"op":"stop","timeout_ms":-5}`))
	f.Add([]byte(`{"min":1,"max":1,"op":"wait","states":["STOPPED"],"ready":true}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		req, v, bad := decodeRequest(data, "")
		if (req == nil) == (bad == nil) {
			t.Errorf("request %v and error %v", req, bad)
		}
		if v < MinVersion || v > MaxVersion {
			t.Errorf("version %d", v)
		}
		if req != nil && req.Timeout(time.Second) < 0 {
			t.Errorf("timeout %v", req.Timeout(time.Second))
		}
	})
}

// TestOperationOfLater: a client names the version that its operation came with, so that
// a server of before refuses it as of another version, not as nonsense.
func TestOperationOfLater(t *testing.T) {
	s := newSite(t)
	s.serve(t)
	c := s.dial(t)
	for _, op := range []Op{OpUpgrade, OpStatus} {
		if err := c.Send(t.Context(), Request{Op: op}); err != nil {
			t.Fatal(err)
		}
	}
	p := s.accept(t)
	for range 2 {
		req, _, err := p.Receive()
		if err != nil || req.Max != MaxVersion || req.Min != map[Op]int{OpUpgrade: 2, OpStatus: 1}[req.Op] {
			t.Errorf("the request is %+v, %v", req, err)
		}
	}
	if _, _, bad := decodeRequest([]byte(`{"min":7,"max":9,"op":"fly"}`), "1.2"); bad == nil || bad.Kind != KindVersion || !strings.Contains(bad.Message, "sysct 1.2 speaks 1 to") {
		t.Errorf("a request of version 7: %v", bad)
	}
}
