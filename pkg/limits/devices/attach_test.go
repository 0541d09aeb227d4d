package devices

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// childTries makes a re-executed test binary try devices: its arguments say which.
const childTries = "SYSCT_TEST_DEVICES_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childTries) == "" {
		os.Exit(m.Run())
	}
	for _, arg := range os.Args[1:] {
		var errno unix.Errno
		errors.As(tryDevice(arg), &errno)
		fmt.Println(uint(errno))
	}
	os.Exit(0)
}

// tryDevice does what a word such as "read:/dev/zero", "write:…", "node:…" or "pty:" says.
func tryDevice(word string) error {
	how, path, _ := strings.Cut(word, ":")
	switch how {
	case "read":
		return opened(path, unix.O_RDONLY)
	case "write":
		return opened(path, unix.O_WRONLY)
	case "node":
		return unix.Mknod(path, unix.S_IFBLK|0o600, int(unix.Mkdev(259, 77)))
	case "pty":
		return tryTerminal()
	}
	return fmt.Errorf("unknown word %q", word)
}

func opened(path string, flags int) error {
	fd, err := unix.Open(path, flags|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// tryTerminal opens a new pseudo-terminal: 5:2 and 136:*.
func tryTerminal() error {
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(master)
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return err
	}
	n, err := unix.IoctlGetUint32(master, unix.TIOCGPTN)
	if err != nil {
		return err
	}
	return opened(fmt.Sprintf("/dev/pts/%d", n), unix.O_RDWR)
}

// newGroup makes an empty cgroup v2 group for the test and returns it open.
func newGroup(t *testing.T) *os.File {
	t.Helper()
	path := filepath.Join(v2Mount(t), fmt.Sprintf("sysct-test-devices-%d", os.Getpid()))
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		dir.Close()
		removeGroup(t, path)
	})
	return dir
}

// removeGroup retries: a group stays busy until the last member's exit is complete.
func removeGroup(t *testing.T, path string) {
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		err := os.Remove(path)
		if err == nil {
			return
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(end) {
			t.Error(err)
			return
		}
	}
}

func v2Mount(t *testing.T) string {
	t.Helper()
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		if strings.HasPrefix(after, "cgroup2 ") {
			return strings.Fields(before)[4]
		}
	}
	t.Fatal("cgroup2 is not mounted")
	return ""
}

// errnos has a child try words, in group unless that is nil.
func errnos(t *testing.T, group *os.File, words ...string) []unix.Errno {
	t.Helper()
	c := exec.Command("/proc/self/exe", words...)
	c.Env = append(os.Environ(), childTries+"=1")
	c.Stderr = os.Stderr
	if group != nil {
		c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
	}
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []unix.Errno
	for line := range strings.Lines(string(out)) {
		var e uint
		if _, err := fmt.Sscan(line, &e); err != nil {
			t.Fatal(err)
		}
		list = append(list, unix.Errno(e))
	}
	if len(list) != len(words) {
		t.Fatalf("%d answers to %d words", len(list), len(words))
	}
	return list
}

// node makes a device node in the test's own directory.
func node(t *testing.T, mode, major, minor uint32) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "node")
	if err := unix.Mknod(path, mode|0o600, int(unix.Mkdev(major, minor))); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAttachedProgram(t *testing.T) {
	group := newGroup(t)
	if err := Attach(int(group.Fd()), Default()); err != nil {
		t.Fatal(err)
	}
	fine := []string{"read:/dev/null", "write:/dev/null", "read:/dev/zero", "write:" + node(t, unix.S_IFCHR, 1, 5),
		"read:/dev/urandom", "read:/dev/random", "read:/dev/full", "pty:", "node:" + filepath.Join(t.TempDir(), "made")}
	for i, errno := range errnos(t, group, fine...) {
		if errno != 0 {
			t.Errorf("%s in the group: %s", fine[i], unix.ErrnoName(errno))
		}
	}
	denied := []string{"read:" + node(t, unix.S_IFCHR, 1, 11), "write:" + node(t, unix.S_IFCHR, 1, 11),
		"read:" + node(t, unix.S_IFBLK, 7, 0), "read:" + node(t, unix.S_IFCHR, 10, 229), "read:" + node(t, unix.S_IFBLK, 1, 3)}
	outside := errnos(t, nil, denied...)
	for i, errno := range errnos(t, group, denied...) {
		if errno != unix.EPERM || outside[i] == unix.EPERM {
			t.Errorf("%s: %s in the group, %s outside", denied[i], unix.ErrnoName(errno), unix.ErrnoName(outside[i]))
		}
	}
}

func TestProgramsAddUp(t *testing.T) {
	group := newGroup(t)
	if errno := errnos(t, group, "read:/dev/zero")[0]; errno != 0 {
		t.Errorf("/dev/zero before any program: %s", unix.ErrnoName(errno))
	}
	for _, rules := range [][]Rule{Default(), {{Char, 1, 3, Read}}} {
		if err := Attach(int(group.Fd()), rules); err != nil {
			t.Fatal(err)
		}
	}
	got := errnos(t, group, "read:/dev/null", "write:/dev/null", "read:/dev/zero")
	if got[0] != 0 || got[1] != unix.EPERM || got[2] != unix.EPERM {
		t.Errorf("/dev/null read %d and write %d, /dev/zero %d", got[0], got[1], got[2])
	}
}

func TestAttachTakesPathFD(t *testing.T) {
	group := newGroup(t)
	fd, err := unix.Open(group.Name(), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := Attach(fd, nil); err != nil {
		t.Fatal(err)
	}
	// The child's standard input is a /dev/null that was opened outside.
	if got := errnos(t, group, "read:/dev/null", "node:"+filepath.Join(t.TempDir(), "made")); got[0] != unix.EPERM || got[1] != unix.EPERM {
		t.Errorf("without a rule: %v", got)
	}
}

func TestAttachErrors(t *testing.T) {
	if err := Attach(-1, Default()); !errors.Is(err, unix.EBADF) {
		t.Errorf("no descriptor: %v", err)
	}
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := Attach(int(dir.Fd()), Default()); !errors.Is(err, unix.EBADF) {
		t.Errorf("not a group: %v", err)
	}
}
