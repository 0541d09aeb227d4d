package guest_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// inOwnMounts is set in the process that has mounts of its own.
const inOwnMounts = "SYSCT_TEST_OWN_MOUNTS"

// ownMounts runs the test once more, in a process whose mounts the host doesn't see,
// and tells whether this is that process.
func ownMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inOwnMounts) != "" {
		return true
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), inOwnMounts+"=1")
	// Go makes all mounts private with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// onSmallDisk gives an instance whose state directory is a small ext4 of its own.
func onSmallDisk(t *testing.T, options ...string) *instance {
	t.Helper()
	in := newInstance(t)
	image := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 16<<20); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(in.dirs.State, 0o700); err != nil {
		t.Fatal(err)
	}
	in.must(append(append([]string{"mkfs.ext4", "-q", "-m", "0"}, options...), image)...)
	in.must("mount", "-o", "loop", image, in.dirs.State)
	in.must("chmod", "700", in.dirs.State)
	return in
}

// must runs a program of the host.
func (in *instance) must(args ...string) {
	in.t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		in.t.Fatalf("%q: %v\n%s", args, err, out)
	}
}

// fails runs a verb that has to fail with a word, and to leave the guests as they are.
func (in *instance) fails(word string, args ...string) {
	in.t.Helper()
	before := in.names()
	out, err := in.verb("", args...)
	if exitStatus(err) != 1 || !strings.Contains(out, word) {
		in.t.Errorf("%q: %v\n%s", args, err, out)
	}
	if after := in.names(); after != before {
		in.t.Errorf("%q: the guests are %q, were %q", args, after, before)
	}
	if left, _ := filepath.Glob(in.dirs.State + "/.new-*"); len(left) > 0 {
		in.t.Errorf("%q leaves %q", args, left)
	}
}

// usable: a running guest can be listed, entered, stopped and started.
func (in *instance) usable(name string) {
	t := in.t
	t.Helper()
	if list, err := in.List(context.Background(), guest.ListOptions{}); err != nil || len(list) == 0 || list[0].State != state.Running {
		t.Errorf("ls: %+v %v", list, err)
	}
	if out, status := in.run(name, "echo", "hello"); status != 0 || out != "hello\n" {
		t.Errorf("exec: %d %q", status, out)
	}
	if err := in.Stop(context.Background(), name, guest.StopOptions{Timeout: minute()}); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// endDisk destroys the guests and takes the disk off.
func (in *instance) endDisk() {
	in.t.Helper()
	in.destroy(strings.Fields(in.names())...)
	in.collected()
	// Monitors have it open until their process ends, after they have let go of the guest.
	eventually(in.t, "the disk isn't in use", func() error { return unix.Unmount(in.dirs.State, 0) })
}

func TestFullDisk(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	in := onSmallDisk(t)
	in.create("web", "busybox", "overlay")
	in.start("web")
	in.ready("web")
	fill, err := os.Create(in.dirs.State + "/fill")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(fill, zeros{}); err == nil {
		t.Fatal("the disk isn't full")
	}
	fill.Close()
	in.fails("no space left on device", "create", "more", "-t", "busybox", "-B", "dir")
	in.fails("no space left on device", "clone", "web", "more")
	// A last block may be free: written or not, the configuration is whole.
	if out, err := in.verb("", "set", "web", "hostname=web"); err != nil && !strings.Contains(out, "no space left on device") {
		t.Errorf("set: %v\n%s", err, out)
	}
	if out, err := in.verb("", "get", "web", "limits.pids"); err != nil {
		t.Errorf("get: %v\n%s", err, out)
	}
	in.usable("web")
	if err := os.Remove(in.dirs.State + "/fill"); err != nil {
		t.Fatal(err)
	}
	in.start("web")
	in.create("more", "busybox", "dir")
	in.wholeThenGone("more")
	in.endDisk()
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestNoInodes(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	in := onSmallDisk(t, "-N", "96")
	in.create("web", "busybox", "overlay")
	in.start("web")
	in.ready("web")
	in.fails("no space left on device", "create", "more", "-t", "busybox", "-B", "dir")
	in.usable("web")
	in.endDisk()
}

func TestReadOnlyStore(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	in := onSmallDisk(t)
	in.create("web", "busybox", "dir")
	in.must("mount", "-o", "remount,ro", in.dirs.State)
	in.fails("read-only file system", "create", "more", "-t", "busybox", "-B", "dir")
	in.fails("read-only file system", "set", "web", "hostname=x")
	in.fails("read-only file system", "destroy", "web")
	if out, err := in.verb("", "ls"); err != nil || !strings.Contains(out, "web") {
		t.Errorf("ls: %v %s", err, out)
	}
	in.must("mount", "-o", "remount,rw", in.dirs.State)
	in.wholeThenGone("web")
	in.endDisk()
}

// A verb that may open but a few files fails in one line, and leaves nothing.
func TestFewDescriptors(t *testing.T) {
	in := newInstance(t)
	in.create("web", "busybox", "overlay")
	path, err := failing()
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, files := range []string{"8", "10", "12", "16", "20", "28"} {
		for _, verb := range []string{"create more -t busybox", "start web", "ls -f", "clone web more", "gc"} {
			cmd := exec.Command("sh", "-c", "ulimit -n "+files+" && exec "+path+" "+verb)
			cmd.Env = in.env("")
			out, err := cmd.CombinedOutput()
			if status := exitStatus(err); status > 6 || strings.Contains(string(out), "goroutine ") {
				t.Errorf("%s files, %s: status %d\n%s", files, verb, status, out)
			} else if status != 0 {
				failed++
			}
			in.verb("", "stop", "-k", "web")
			in.verb("", "destroy", "-f", "more")
		}
	}
	if failed == 0 {
		t.Error("nothing failed")
	}
	in.collected()
	in.wholeThenGone("web")
}
