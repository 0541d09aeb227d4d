package terminal

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// attachRole attaches its terminal to the socket in descriptor 3 and tells the sizes
// that it sees in descriptor 4. It exits with 10 and the reason.
func attachRole(role string) int {
	fd := 3
	if err := unix.SetNonblock(fd, true); err != nil {
		return 98
	}
	sizes := os.NewFile(4, "sizes")
	var conn io.ReadWriteCloser = os.NewFile(uintptr(fd), "conn")
	if role == "panic in copy" {
		conn = bomb{conn}
	}
	end, err := Attach(Options{In: os.Stdin, Out: os.Stdout, Conn: conn, Banner: Banner(1, Escape{}), Resize: func(rows, cols uint16) {
		fmt.Fprintf(sizes, "%dx%d\n", rows, cols)
		if role == "panic" && rows == 13 {
			panic("bad luck")
		}
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 97
	}
	if sig, ok := end.Signal.(syscall.Signal); ok {
		return 10 + int(end.Reason) + int(sig)
	}
	return 10 + int(end.Reason)
}

// bomb panics when the guest is written to.
type bomb struct{ io.ReadWriteCloser }

func (bomb) Write([]byte) (int, error) { panic("bad luck") }

// attached is a user in front of Attach, and the guest behind it.
type attached struct {
	*user
	guest, sizes *os.File
}

func startAttach(t *testing.T, role string) *attached {
	t.Helper()
	conn, guest := socketpair(t)
	sizes, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	t.Cleanup(func() { sizes.Close() })
	a := &attached{user: startUser(t, role, []*os.File{conn, w}), guest: guest, sizes: sizes}
	conn.Close()
	expect(t, a.master, "Connected to tty 1. Type <Ctrl+a q> to exit the console")
	expect(t, a.sizes, "24x80\n")
	a.waitRaw()
	return a
}

func TestAttachAndDetach(t *testing.T) {
	a := startAttach(t, "attach")
	write(t, a.guest, "login: \xff\x00")
	expect(t, a.master, "login: \xff\x00")
	write(t, a.master, "root\r\x03\x1a\x13\x01\x01.")
	expect(t, a.guest, "root\r\x03\x1a\x13\x01.")
	a.resize(50, 132)
	expect(t, a.sizes, "50x132\n")
	write(t, a.master, "last\x01q")
	expect(t, a.guest, "last")
	if code := a.exit(); code != 10+int(Detached) {
		t.Errorf("exit status %d", code)
	}
	if _, err := a.guest.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after that the guest reads %v", err)
	}
}

func TestAttachGuestGone(t *testing.T) {
	a := startAttach(t, "attach")
	write(t, a.guest, "last words\n")
	a.guest.Close()
	expect(t, a.master, "last words\n")
	if code := a.exit(); code != 10+int(Gone) {
		t.Errorf("exit status %d", code)
	}
}

func TestAttachSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM} {
		a := startAttach(t, "attach")
		if err := a.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if code := a.exit(); code != 10+int(Signalled)+int(sig) {
			t.Errorf("%v: exit status %d", sig, code)
		}
	}
}

// Stopped from outside and continued by a shell that has set the terminal to its own
// liking.
func TestAttachContinued(t *testing.T) {
	a := startAttach(t, "attach")
	if err := a.cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetTermios(int(a.master.Fd()), unix.TCSETS, &a.before); err != nil {
		t.Fatal(err)
	}
	if err := a.cmd.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	a.waitRaw()
	write(t, a.master, "\x01q")
	if code := a.exit(); code != 10+int(Detached) {
		t.Errorf("exit status %d", code)
	}
}

func TestAttachPanics(t *testing.T) {
	a := startAttach(t, "panic")
	a.resize(13, 13)
	if code := a.exit(); code != 2 {
		t.Errorf("exit status %d, not that of a panic", code)
	}
	a = startAttach(t, "panic in copy")
	write(t, a.master, "x")
	if code := a.exit(); code != 2 {
		t.Errorf("exit status %d, not that of a panic", code)
	}
}

// A guest that reads nothing doesn't keep the user from leaving.
func TestAttachGuestHangs(t *testing.T) {
	a := startAttach(t, "attach")
	paste := strings.Repeat("a paste that nobody reads\r", 20_000)
	write(t, a.master, paste)
	write(t, a.master, "\x01q")
	if code := a.exit(); code != 10+int(Detached) {
		t.Errorf("exit status %d", code)
	}
}

// pipes runs Attach with pipes instead of a terminal.
func pipes(t *testing.T) (in, out, guest *os.File, end <-chan End) {
	t.Helper()
	conn, guest := socketpair(t)
	inR, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan End, 1)
	go func() {
		e, err := Attach(Options{In: inR, Out: outW, Conn: conn, Resize: func(uint16, uint16) { t.Error("a pipe has a size") }})
		if err != nil {
			t.Error(err)
		}
		inR.Close()
		outW.Close()
		ended <- e
	}()
	t.Cleanup(func() { in.Close(); out.Close() })
	return in, out, guest, ended
}

// Input at its end detaches, after all of it has arrived.
func TestAttachPipe(t *testing.T) {
	in, out, guest, ended := pipes(t)
	write(t, guest, "hello\n")
	expect(t, out, "hello\n")
	text := strings.Repeat("0123456789abcdef\n", 100_000)
	var got bytes.Buffer
	var reader sync.WaitGroup
	reader.Go(func() {
		time.Sleep(10 * time.Millisecond)
		io.Copy(&got, guest)
	})
	write(t, in, text)
	in.Close()
	reader.Wait()
	if got.String() != text {
		t.Errorf("%d of %d bytes arrived", got.Len(), len(text))
	}
	if e := <-ended; e.Reason != Detached {
		t.Errorf("ended %+v", e)
	}
}

// Every byte of a flood arrives before the end of the guest is told.
func TestAttachFlood(t *testing.T) {
	_, out, guest, ended := pipes(t)
	const size = 50 << 20
	begin := time.Now()
	go func() {
		p := make([]byte, 64<<10)
		for range size / len(p) {
			guest.Write(p)
		}
		guest.Close()
	}()
	n, err := io.Copy(io.Discard, out)
	if err != nil || n != size {
		t.Errorf("%d of %d bytes arrived, %v", n, size, err)
	}
	t.Logf("%.0f MB/s", size/1e6/time.Since(begin).Seconds())
	if e := <-ended; e.Reason != Gone {
		t.Errorf("ended %+v", e)
	}
}

// A user's side that is broken ends it with an error.
func TestAttachBrokenOut(t *testing.T) {
	conn, guest := socketpair(t)
	out, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out.Close()
	in, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer inW.Close()
	write(t, guest, "x")
	if end, err := Attach(Options{In: in, Out: outW, Conn: conn}); err == nil {
		t.Errorf("ended %+v", end)
	}
}
