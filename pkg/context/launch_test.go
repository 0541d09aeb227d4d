package context_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/context/ns"
	"github.com/sysct/sysct/pkg/context/stage"
	"github.com/sysct/sysct/pkg/images/store"
	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/limits/detect"
	"github.com/sysct/sysct/pkg/vnet/space"
)

// TestMain is the stage when the package under test clones it.
func TestMain(m *testing.M) {
	if os.Args[0] == "sysct-stage" {
		os.Exit(stage.Main())
	}
	os.Exit(m.Run())
}

const script = `#!/bin/sh
echo pid $$ uid $(id -u) host $(hostname)
echo uptime $(cut -d. -f1 /proc/uptime)
ls -ld /dev/null /dev/console /dev/pts/0
cat /run/host/container-manager /proc/sys/kernel/random/boot_id
echo "cgroup $(cat /proc/self/cgroup | tail -1)"
grep -E 'NoNewPrivs|Seccomp:|CapBnd' /proc/self/status
cat /proc/self/mountinfo
touch /made-by-guest && ls -ln /made-by-guest
env
echo the-end
exec sleep 1000
`

func rootfs(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "guest")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "rootfs")
	for _, d := range []string{"bin", "sbin", "etc", "proc", "sys", "dev", "run", "root"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(root, "bin/busybox"), data, 0o755)
	for _, a := range strings.Fields("sh id hostname cut cat ls tail grep touch env sleep") {
		os.Symlink("busybox", filepath.Join(root, "bin", a))
	}
	os.WriteFile(filepath.Join(root, "sbin/init"), []byte(script), 0o755)
	return dir
}

// world is one guest's groups and spec, removed at the end of the test.
func world(t *testing.T) (*sysctx.Spec, limits.Group) {
	t.Helper()
	spec := &sysctx.Spec{Name: "web", Hostname: "web", MachineID: "0123456789abcdef0123456789abcdef",
		IDs: ns.IDRange{Base: 1900000000, Size: 65536}, Root: store.Layout{Backend: "dir", GuestDir: rootfs(t)},
		Net: space.Plan{Private: true, Loopback: true}, TTYs: 4, Env: map[string]string{"USERS_OWN": "yes"}}
	backend, err := detect.Detect()
	if err != nil {
		t.Fatal(err)
	}
	base := fmt.Sprintf("sysct-test-%d", os.Getpid())
	g, err := backend.Make(base, spec.Name, limits.Limits{}, spec.IDs.Base, func(s string) { t.Log(s) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.Kill()
		g.Close()
		if err := backend.Remove(base, spec.Name); err != nil {
			t.Error(err)
		}
	})
	return spec, g
}

func end(t *testing.T, spec *sysctx.Spec, guest *sysctx.Guest) {
	t.Helper()
	// Not by cgroup.kill: since Linux 6.9 the kernel kills at birth what is cloned
	// into a group that was killed before.
	unix.PidfdSendSignal(guest.PidFD, unix.SIGKILL, nil, 0)
	var st unix.WaitStatus
	unix.Wait4(guest.Pid, &st, 0, nil)
	for _, fd := range append(guest.TTYs, guest.PidFD, guest.Console, guest.Notify, guest.Listener) {
		unix.Close(fd)
	}
	if err := store.Unmount(spec.Root); err != nil {
		t.Error(err)
	}
}

func TestLaunch(t *testing.T) {
	spec, g := world(t)
	before := hostState(t)
	begin := time.Now()
	stored := false
	guest, err := sysctx.Launch(spec, g, sysctx.Options{BeforeExec: func(*sysctx.Guest) error { stored = true; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	out := strings.ReplaceAll(read(t, guest.Console, "the-end"), "\r", "")
	for _, want := range []string{
		"pid 1 uid 0 host web\n", "cgroup 0::/\n", "NoNewPrivs:\t0\n", "Seccomp:\t2\n", "CapBnd:\t000000009decffff\n",
		"\nsysct\n", "container=sysct\n", "container_uuid=01234567-89ab-cdef-0123-456789abcdef\n", "USERS_OWN=yes\n",
		"container_ttys=pts/1 pts/2 pts/3 pts/4\n", "NOTIFY_SOCKET=/run/host/notify\n", "container_host_id=",
		"/rootfs / rw,nodev,relatime,idmapped", "-rw-r--r--    1 0        0                0 ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in the guest's console", want)
		}
	}
	_, text, _ := strings.Cut(out, "\nuptime ")
	var uptime int
	if _, err := fmt.Sscan(text, &uptime); err != nil || uptime > int(time.Since(begin).Seconds())+1 {
		t.Errorf("the guest is up for %d seconds (%v), and was launched %s ago", uptime, err, time.Since(begin))
	}
	if t.Failed() {
		t.Log(out)
	}
	if !stored {
		t.Error("BeforeExec was not called")
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(spec.Root.GuestDir, "rootfs/made-by-guest"), &st); err != nil || st.Uid != spec.IDs.Base {
		t.Errorf("on the host, while it runs, the guest's file has uid %d (%v), want %d", st.Uid, err, spec.IDs.Base)
	}
	end(t, spec, guest)
	if err := unix.Stat(filepath.Join(spec.Root.GuestDir, "rootfs/made-by-guest"), &st); err != nil || st.Uid != 0 {
		t.Errorf("on disk the guest's file has uid %d (%v), want 0", st.Uid, err)
	}
	if after := hostState(t); after != before {
		t.Errorf("the host changed:\n%s\nwas\n%s", after, before)
	}
}

// hostState is what a guest must not change and not leave behind.
func hostState(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	fds, _ := os.ReadDir("/proc/self/fd")
	var st unix.Stat_t
	unix.Stat("/dev/null", &st)
	name, _, _ := strings.Cut(t.Name(), "/")
	var own strings.Builder
	for _, line := range strings.SplitAfter(string(mounts), "\n") {
		// Guests of other instances come and go on this host.
		if !strings.Contains(line, "/rootfs ") || strings.Contains(line, name) {
			own.WriteString(line)
		}
	}
	return fmt.Sprintf("%s\nfds %d\nnull %o %d", &own, len(fds), st.Mode, st.Uid)
}

func TestLaunchFailsWithStepCallAndPath(t *testing.T) {
	for _, c := range []struct {
		name string
		harm func(*testing.T, *sysctx.Spec)
		want sysctx.StepError
	}{
		{"no init", func(t *testing.T, s *sysctx.Spec) { os.Remove(filepath.Join(s.Root.GuestDir, "rootfs/sbin/init")) },
			sysctx.StepError{Step: "exec init", Call: "execve", Err: unix.ENOENT,
				Path: "/sbin/init, /usr/lib/systemd/systemd, /lib/systemd/systemd, /etc/init, /bin/init"}},
		{"init that can't run", func(t *testing.T, s *sysctx.Spec) { s.Init = []string{"/etc"} },
			sysctx.StepError{Step: "exec init", Call: "execve", Path: "/etc", Err: unix.EACCES}},
		{"proc is a link", func(t *testing.T, s *sysctx.Spec) {
			proc := filepath.Join(s.Root.GuestDir, "rootfs/proc")
			os.Remove(proc)
			os.Symlink("/etc", proc)
		}, sysctx.StepError{Step: "mount /proc", Call: "openat2", Path: "/proc", Err: unix.ELOOP}},
		{"host's ids", func(t *testing.T, s *sysctx.Spec) { s.IDs.Base = 0 }, sysctx.StepError{Step: "check"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec, g := world(t)
			c.harm(t, spec)
			before := hostState(t)
			_, err := sysctx.Launch(spec, g, sysctx.Options{})
			var got *sysctx.StepError
			if !errors.As(err, &got) || got.Step != c.want.Step || got.Call != c.want.Call || got.Path != c.want.Path || !errors.Is(err, c.want.Err) && c.want.Err != nil {
				t.Errorf("got %v, want %v", err, &c.want)
			}
			if after := hostState(t); after != before {
				t.Errorf("the host changed:\n%s\nwas\n%s", after, before)
			}
		})
	}
}

func TestAFailureAtAnyStepLeavesNothing(t *testing.T) {
	spec, g := world(t)
	var names []string
	guest, err := sysctx.Launch(spec, g, sysctx.Options{Failpoint: func(step string) error { names = append(names, step); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	end(t, spec, guest)
	if len(names) < 5 {
		t.Fatalf("steps: %q", names)
	}
	before := hostState(t)
	for _, name := range names {
		_, err := sysctx.Launch(spec, g, sysctx.Options{Failpoint: func(step string) error {
			if step == name {
				return unix.EIO
			}
			return nil
		}})
		if !errors.Is(err, unix.EIO) {
			t.Errorf("%s: %v", name, err)
		}
		if after := hostState(t); after != before {
			t.Errorf("after a failure at %q the host changed:\n%s\nwas\n%s", name, after, before)
		}
		if err := emptied(g); err != nil {
			t.Errorf("after a failure at %q a process is left (%v)", name, err)
		}
	}
}

// emptied waits until a group has no process: one that has ended and been waited for counts for
// a moment more.
func emptied(g limits.Group) error {
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		populated, _, err := g.Events()
		if !populated || err != nil {
			return err
		}
		if time.Now().After(end) {
			return errors.New("it is populated")
		}
	}
}

func read(t *testing.T, fd int, until string) string {
	t.Helper()
	var all bytes.Buffer
	buf := make([]byte, 4096)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		unix.Poll(p, 100)
		n, _ := unix.Read(fd, buf)
		if n > 0 {
			all.Write(buf[:n])
		}
		if strings.Contains(all.String(), until) {
			return all.String()
		}
	}
	t.Fatalf("no %q on the console:\n%s", until, all.String())
	return ""
}
