package terminal

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// roleEnv makes the test binary another program.
const roleEnv = "SYSCT_TERMINAL_ROLE"

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleEnv); role {
	case "":
		os.Exit(m.Run())
	case "attach", "panic", "panic in copy":
		os.Exit(attachRole(role))
	case "relay":
		os.Exit(relayRole(os.Args[1:]))
	}
	os.Exit(99)
}

// user is a terminal with a program in its foreground, as a shell starts it.
type user struct {
	t      *testing.T
	master *os.File
	before unix.Termios
	cmd    *exec.Cmd
}

// startUser runs a role on a new terminal, which is its controlling one.
func startUser(t *testing.T, role string, extra []*os.File, args ...string) *user {
	t.Helper()
	master, slave := openPTY(t)
	u := &user{t: t, master: master}
	u.resize(24, 80)
	u.before = u.termios()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	u.cmd = exec.Command(exe, args...)
	u.cmd.Env = append(os.Environ(), roleEnv+"="+role)
	u.cmd.Stdin, u.cmd.Stdout, u.cmd.Stderr = slave, slave, os.Stderr
	if role != "attach" && role != "relay" {
		u.cmd.Stderr = nil // it is going to panic
	}
	u.cmd.ExtraFiles = extra
	u.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	if err := u.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.cmd.Process.Kill(); u.cmd.Wait() })
	return u
}

func (u *user) termios() unix.Termios {
	u.t.Helper()
	tio, err := unix.IoctlGetTermios(int(u.master.Fd()), unix.TCGETS)
	if err != nil {
		u.t.Fatal(err)
	}
	return *tio
}

func (u *user) resize(rows, cols uint16) {
	u.t.Helper()
	if err := unix.IoctlSetWinsize(int(u.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols}); err != nil {
		u.t.Fatal(err)
	}
}

func (u *user) waitRaw() {
	u.t.Helper()
	eventually(u.t, "raw mode", func() bool { return u.termios().Lflag&unix.ICANON == 0 })
}

// exit waits for the program's end and checks what it leaves of the terminal.
func (u *user) exit() int {
	u.t.Helper()
	go io.Copy(io.Discard, u.master)
	u.cmd.Wait()
	if after := u.termios(); after != u.before {
		u.t.Errorf("the terminal was left as %+v, not %+v", after, u.before)
	}
	return u.cmd.ProcessState.ExitCode()
}

// openPTY opens a pair; the test keeps both sides open.
func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	m, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(m, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	s, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(m), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		t.Fatal(errno)
	}
	master, slave = os.NewFile(uintptr(m), "master"), os.NewFile(s, "slave")
	t.Cleanup(func() { master.Close(); slave.Close() })
	return master, slave
}

// socketpair gives two ends of which Close ends a Read.
func socketpair(t *testing.T) (one, two *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	one, two = os.NewFile(uintptr(fds[0]), "one"), os.NewFile(uintptr(fds[1]), "two")
	t.Cleanup(func() { one.Close(); two.Close() })
	return one, two
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 20 s for: %s", what)
		}
	}
}

// expect reads until the text has come, and returns all that it read.
func expect(t *testing.T, r io.Reader, text string) string {
	t.Helper()
	type result struct {
		got string
		err error
	}
	found := make(chan result, 1)
	go func() {
		var got strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := r.Read(buf)
			got.Write(buf[:n])
			if strings.Contains(got.String(), text) || err != nil {
				found <- result{got.String(), err}
				return
			}
		}
	}()
	select {
	case r := <-found:
		if !strings.Contains(r.got, text) {
			t.Fatalf("%v after %q, want %q", r.err, r.got, text)
		}
		return r.got
	case <-time.After(20 * time.Second):
		t.Fatalf("waited 20 s for %q", text)
	}
	return ""
}

func write(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := fmt.Fprint(w, text); err != nil {
		t.Fatal(err)
	}
}
