package seccomp

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// childRole tells a re-executed test binary what to be. Filters can't be taken off again,
// so everything that loads one happens in a process of its own.
const childRole = "SYSCT_TEST_SECCOMP_ROLE"

func TestMain(m *testing.M) {
	runtime.LockOSThread()
	var err error
	switch os.Getenv(childRole) {
	case "":
		os.Exit(m.Run())
	case "try-free":
		err = tryDenied()
	case "try-filtered":
		if err = loadDefault(); err == nil {
			err = tryDenied()
		}
	case "work":
		if err = loadDefault(); err == nil {
			err = tryMustWork()
		}
	case "exec":
		if err = loadDefault(); err == nil {
			err = syscall.Exec(os.Args[1], os.Args[1:], nil)
		}
	case "listen":
		err = tryListener()
	case "unprivileged":
		err = tryUnprivileged()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
	os.Exit(0)
}

func loadDefault() error {
	prog, err := Build(Policy{})
	if err != nil {
		return err
	}
	fd, err := Load(prog, false)
	if err == nil && fd != -1 {
		return fmt.Errorf("a listener, %d, that nobody asked for", fd)
	}
	return err
}

// child runs this test binary in a role and returns what it printed.
func child(t *testing.T, role string, args ...string) string {
	t.Helper()
	c := exec.Command("/proc/self/exe", args...)
	c.Env = append(os.Environ(), childRole+"="+role)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", role, err, stderr.String())
	}
	return string(out)
}

// A try is a denied call with arguments that would do no harm if it were allowed: they make
// the kernel give an error other than EPERM.
type try struct {
	name  string
	want  unix.Errno
	args  [6]uintptr
	flags uint32 // or-ed to the number
}

const bad = ^uintptr(0) // no fd, no address

func tries() []try {
	list := []try{
		{name: "kexec_load", args: [6]uintptr{0, 1 << 20}}, {name: "kexec_file_load", args: [6]uintptr{bad, bad, 0, 0, 0xffff}},
		{name: "init_module", args: [6]uintptr{1, 0, 1}}, {name: "finit_module", args: [6]uintptr{bad, 1, 0xff}},
		{name: "delete_module", args: [6]uintptr{1}}, {name: "open_by_handle_at", args: [6]uintptr{bad, 1}},
		{name: "bpf", args: [6]uintptr{9999}}, {name: "perf_event_open", args: [6]uintptr{1}},
		{name: "userfaultfd", args: [6]uintptr{0xffff}}, {name: "swapon", args: [6]uintptr{1}},
		{name: "swapoff", args: [6]uintptr{1}}, {name: "acct", args: [6]uintptr{1}},
		{name: "iopl", args: [6]uintptr{99}}, {name: "ioperm", args: [6]uintptr{1 << 20, 1, 1}},
		{name: "clock_settime", args: [6]uintptr{9999}}, {name: "settimeofday", args: [6]uintptr{1}},
		{name: "syslog", args: [6]uintptr{99}}, {name: "lookup_dcookie"}, {name: "nfsservctl"},
		{name: "ioctl", args: [6]uintptr{bad, unix.TIOCSTI}}, {name: "ioctl", args: [6]uintptr{bad, rubbish | unix.TIOCLINUX}},
	}
	for i := range list {
		list[i].want = unix.EPERM
	}
	for _, name := range strings.Fields(wantENOSYS + " " + wantKeyring) {
		list = append(list, try{name: name, want: unix.ENOSYS, args: [6]uintptr{bad, bad, bad, bad, bad, bad}})
	}
	for _, args := range [][6]uintptr{{unix.AF_ALG, unix.SOCK_SEQPACKET}, {rubbish | unix.AF_VSOCK, unix.SOCK_STREAM},
		{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT}} {
		list = append(list, try{name: "socket", want: unix.EAFNOSUPPORT, args: args})
	}
	return append(list, try{name: "getpid", want: unix.ENOSYS, flags: 0x40000000}, try{name: "getpid", want: unix.ENOSYS, flags: 1024})
}

// tryDenied makes each of the calls and prints a line `index errno` for it.
func tryDenied() error {
	native := Arch(runtime.GOARCH).abis()[0]
	for i, c := range tries() {
		var number int32 = none
		for j := range calls {
			if calls[j].name == c.name {
				number = native.number(&calls[j])
			}
		}
		if number == none {
			continue // the native ABI has no such call
		}
		a := c.args
		_, _, errno := unix.RawSyscall6(uintptr(uint32(number)|c.flags), a[0], a[1], a[2], a[3], a[4], a[5])
		fmt.Println(i, uint(errno))
	}
	return nil
}

func errnos(t *testing.T, out string) map[int]unix.Errno {
	t.Helper()
	got := make(map[int]unix.Errno)
	for line := range strings.Lines(out) {
		var i int
		var e uint
		if _, err := fmt.Sscan(line, &i, &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got[i] = unix.Errno(e)
	}
	return got
}

// TestKernelDenies makes the denied calls for real, once without and once with the filter.
func TestKernelDenies(t *testing.T) {
	free, filtered := errnos(t, child(t, "try-free")), errnos(t, child(t, "try-filtered"))
	if len(filtered) < 25 || len(free) != len(filtered) {
		t.Fatalf("%d calls without and %d with the filter", len(free), len(filtered))
	}
	for i, c := range tries() {
		got, made := filtered[i]
		if made && got != c.want {
			t.Errorf("%s(%#x): %s, want %s", c.name, c.args, unix.ErrnoName(got), unix.ErrnoName(c.want))
		}
		if made && c.want == unix.EPERM && free[i] == unix.EPERM {
			t.Errorf("%s(%#x): EPERM without the filter too, which proves nothing", c.name, c.args)
		}
	}
}

// tryMustWork makes some of the calls that a system in a guest can't be without. Each
// stands on the one before: nothing is mounted before the mount namespace is private.
func tryMustWork() error {
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"pidfd_open", func() error { return closed(unix.PidfdOpen(os.Getpid(), 0)) }},
		{"fsopen", func() error { return closed(unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)) }},
		{"name_to_handle_at", func() error { _, _, err := unix.NameToHandleAt(unix.AT_FDCWD, "/", 0); return err }},
		{"unshare", func() error { return unix.Unshare(unix.CLONE_NEWUTS | unix.CLONE_NEWNS) }},
		{"sethostname", func() error { return unix.Sethostname([]byte("guest")) }},
		{"mount", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
		{"mount tmpfs", func() error { return unix.Mount("tmpfs", "/tmp", "tmpfs", 0, "") }},
		{"clone and exec", func() error { return exec.Command("/bin/true").Run() }},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

func closed(fd int, err error) error {
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func TestKernelAllows(t *testing.T) {
	child(t, "work")
}

// TestNoNewPrivsStaysOff reads what the kernel says of a program behind the filter.
func TestNoNewPrivsStaysOff(t *testing.T) {
	status := make(map[string]string)
	scan := bufio.NewScanner(strings.NewReader(child(t, "exec", "/bin/cat", "/proc/self/status")))
	for scan.Scan() {
		key, value, _ := strings.Cut(scan.Text(), ":")
		status[key] = strings.TrimSpace(value)
	}
	if status["NoNewPrivs"] != "0" || status["Seccomp"] != "2" || status["Seccomp_filters"] != "1" {
		t.Errorf("NoNewPrivs %q, Seccomp %q, Seccomp_filters %q", status["NoNewPrivs"], status["Seccomp"], status["Seccomp_filters"])
	}
}

// tryUnprivileged loads without CAP_SYS_ADMIN, which must fail rather than set no_new_privs.
func tryUnprivileged() error {
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
		return errno
	}
	if err := loadDefault(); !errors.Is(err, unix.EACCES) {
		return fmt.Errorf("loading without privilege: %v", err)
	}
	if nnp, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); nnp != 0 || err != nil {
		return fmt.Errorf("no_new_privs %d, %v", nnp, err)
	}
	return nil
}

func TestLoadNeedsPrivilege(t *testing.T) {
	child(t, "unprivileged")
	if _, err := Load(nil, false); err == nil {
		t.Error("an empty program was loaded")
	}
}
