package caps

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// childRole tells a re-executed test binary what to do with its own capabilities before it
// becomes a cat of its status.
const childRole = "SYSCT_TEST_CAPS_ROLE"

func TestMain(m *testing.M) {
	runtime.LockOSThread()
	var err error
	switch os.Getenv(childRole) {
	case "":
		os.Exit(m.Run())
	case "apply":
		err = errors.Join(spread(), Apply(Default()))
	case "raw":
		p := Prepare(Kept(Last()))
		if err = spread(); err != nil {
			break
		}
		if step, errno := p.ApplyRaw(); errno != 0 {
			err = fmt.Errorf("%s: %w", step, errno)
		}
	case "raw-then-user":
		p := Prepare(Default())
		_, raw := p.ApplyRaw()
		_, _, uid := unix.RawSyscall(unix.SYS_SETRESUID, 1000, 1000, 1000)
		if raw != 0 || uid != 0 {
			err = fmt.Errorf("capabilities: %w, user: %w", raw, uid)
		}
	case "unprivileged":
		_, _, uid := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534)
		if got := Apply(Default()); uid != 0 || !errors.Is(got, unix.EPERM) {
			err = fmt.Errorf("without privilege: %v (setresuid: %w)", got, uid)
		}
	}
	if err == nil {
		err = syscall.Exec("/bin/cat", []string{"cat", "/proc/thread-self/status"}, nil)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(99)
}

// spread puts something into the inheritable and ambient sets, for there to be something
// to clear.
func spread() error {
	have, err := permitted()
	if err != nil {
		return err
	}
	p := Prepare(have)
	p.Data[0].Inheritable = p.Data[0].Permitted
	if err := unix.Capset(&p.Header, &p.Data[0]); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_CHOWN, 0, 0)
}

// run returns the capability sets of a cat behind role, by their names in its status.
func run(t *testing.T, role string, attr *syscall.SysProcAttr) map[string]Set {
	t.Helper()
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), childRole+"="+role)
	c.SysProcAttr = attr
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", role, err, stderr.String())
	}
	return capLines(t, string(out))
}

func capLines(t *testing.T, status string) map[string]Set {
	t.Helper()
	sets := make(map[string]Set)
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		if !strings.HasPrefix(key, "Cap") {
			continue
		}
		n, err := strconv.ParseUint(value, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		sets[key] = Set(n)
	}
	return sets
}

func expect(t *testing.T, got map[string]Set, bounding, permitted Set) {
	t.Helper()
	for key, want := range map[string]Set{"CapBnd": bounding, "CapPrm": permitted, "CapEff": permitted, "CapInh": 0, "CapAmb": 0} {
		if got[key] != want {
			t.Errorf("%s: %v, want %v", key, got[key].Names(), want.Names())
		}
	}
}

func newUserNamespace() *syscall.SysProcAttr {
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 1 << 30, Size: 65536}}
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids,
		Credential: &syscall.Credential{}}
}

func TestApplyInUserNamespace(t *testing.T) {
	kept := Kept(Last())
	expect(t, run(t, "apply", newUserNamespace()), kept, kept)
	expect(t, run(t, "raw", newUserNamespace()), kept, kept)
}

// The host's root may lack capabilities that a guest keeps; Apply doesn't ask for them.
func TestApplyOnHost(t *testing.T) {
	text, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		t.Fatal(err)
	}
	host := capLines(t, string(text))
	expect(t, run(t, "apply", nil), host["CapBnd"]&Default(), host["CapPrm"]&Default())
}

func TestUserAfterApply(t *testing.T) {
	expect(t, run(t, "raw-then-user", newUserNamespace()), Kept(Last()), 0)
}

func TestApplyNeedsPrivilege(t *testing.T) {
	run(t, "unprivileged", nil)
}

func TestPrepare(t *testing.T) {
	for _, keep := range []Set{0, 1, Default(), 1<<64 - 1} {
		p := Prepare(keep)
		var drops Set
		for _, c := range p.Drops[:p.Count] {
			drops |= 1 << c
		}
		data := Set(p.Data[0].Permitted) | Set(p.Data[1].Permitted)<<32
		if known := upTo(Last()); drops != known&^keep || data != known&keep || p.Data[0].Inheritable|p.Data[1].Inheritable != 0 {
			t.Errorf("keep %#x: drops %#x, data %#x", keep, drops, data)
		}
	}
}
