package console_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/sysct/sysct/pkg/guest/console"
	"golang.org/x/sys/unix"
)

// roleEnv makes the test binary another program: what it says is run instead of
// the tests.
const roleEnv = "SYSCT_CONSOLE_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "":
		os.Exit(m.Run())
	case "flood":
		os.Exit(flood(os.Args[1]))
	case "ring":
		ringWriter()
	case "stopper":
		stopper()
	case "monitor":
		fmt.Fprintln(os.Stderr, monitor())
	case "tiny disk":
		if err := tinyDisk(os.Args[1]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(3)
}

// role is a command that runs this test binary as something else.
func role(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), roleEnv+"="+name)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// flood writes that many bytes of text to standard output, in lines of 80.
func flood(count string) int {
	left, err := strconv.Atoi(count)
	if err != nil {
		return 3
	}
	buf := make([]byte, 16000)
	for i := range buf {
		buf[i] = 'a' + byte(i%26)
		if i%80 == 79 {
			buf[i] = '\n'
		}
	}
	for left > 0 {
		n, err := os.Stdout.Write(buf[:min(left, len(buf))])
		if err != nil {
			fmt.Fprintln(os.Stderr, "flood:", err)
			return 1
		}
		left -= n
	}
	return 0
}

// openPTY opens a pair in the host's own devpts, as the first one of a guest's
// devpts is opened: without a name.
func openPTY(t *testing.T) (master int, slave *os.File) {
	t.Helper()
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	return master, openSlave(t, master)
}

// openSlave opens the other side of a pty, blocking and without making it a
// controlling terminal.
func openSlave(t *testing.T, master int) *os.File {
	t.Helper()
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		t.Fatal(errno)
	}
	f := os.NewFile(fd, "slave")
	t.Cleanup(func() { f.Close() })
	return f
}

// raw switches off all that a line discipline does.
func raw(t *testing.T, f *os.File) {
	t.Helper()
	tio, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	tio.Iflag, tio.Oflag = 0, 0
	tio.Lflag &^= unix.ICANON | unix.ECHO | unix.ISIG | unix.IEXTEN
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, tio); err != nil {
		t.Fatal(err)
	}
}

func newRing(t *testing.T, size int) *console.Ring {
	t.Helper()
	r, err := console.NewRing(size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func newLog(t *testing.T, dir, name string, o console.LogOptions) *console.Log {
	t.Helper()
	l, err := console.NewLog(openDir(t, dir), name, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func openDir(t *testing.T, dir string) int {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}
