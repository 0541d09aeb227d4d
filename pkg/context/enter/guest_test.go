package enter

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/context/caps"
	"github.com/sysct/sysct/pkg/context/seccomp"
	"golang.org/x/sys/unix"
)

const idBase = 65536

// v2Root is where this host has control groups v2; v1Roots are hierarchies of it that the program joins by "0", if it has v1.
var v2Root, v1Roots = cgroupRoots()

func cgroupRoots() (v2 string, v1 []string) {
	const top = "/sys/fs/cgroup"
	if _, err := os.Stat(top + "/cgroup.controllers"); err == nil {
		return top, nil
	}
	return top + "/unified", []string{top + "/pids", top + "/memory"}
}

// guestInit sets the test's guest up from inside. Its root directory is the
// host's; /srv is a file system of its own.
const guestInit = `set -e
hostname guest-of-the-test
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /srv
mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 devpts /dev/pts
echo yes > /srv/inside
echo ready
read forever`

// guest is a process in eight namespaces of its own, and in cgroups.
type guest struct {
	t      testing.TB
	pid    int
	target Target
	group  string // relative to each hierarchy
}

// newGuest starts a guest that ends with the test.
func newGuest(t testing.TB) *guest {
	t.Helper()
	g := &guest{t: t, group: fmt.Sprintf("sysct-test-enter-%d-%x", os.Getpid(), rand.Uint32())}
	g.makeGroups()
	in, inWriter := makePipe(t)
	out, outWriter := makePipe(t)
	cmd := exec.Command("/usr/bin/unshare", "--cgroup", "/bin/sh", "-c", guestInit)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, outWriter, os.Stderr
	must(t, g.startInit(cmd))
	t.Cleanup(func() {
		inWriter.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	outWriter.Close()
	g.pid = cmd.Process.Pid
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "ready\n" {
		t.Fatalf("the guest's init said %q, %v", line, err)
	}
	g.openTarget()
	return g
}

// startInit starts cmd from a thread that is in the v1 groups and in front of a
// new time namespace, and dies with its goroutine.
func (g *guest) startInit(cmd *exec.Cmd) error {
	payload, err := os.Open(filepath.Join(v2Root, g.group, "payload"))
	if err != nil {
		return err
	}
	defer payload.Close()
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: idBase, Size: 65536}}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
			unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
		Credential:  &syscall.Credential{},
		UseCgroupFD: true, CgroupFD: int(payload.Fd()),
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- g.startFromHere(cmd)
	}()
	return <-done
}

// startFromHere changes the calling thread, and puts it back into its groups:
// the first thread of a program stays even when its goroutine ends.
func (g *guest) startFromHere(cmd *exec.Cmd) error {
	if err := unix.Unshare(unix.CLONE_NEWTIME); err != nil {
		return err
	}
	for _, root := range v1Roots {
		home := ownGroup(g.t, root)
		if err := joinTasks(filepath.Join(root, g.group)); err != nil {
			return err
		}
		defer func() { must(g.t, joinTasks(filepath.Join(root, home))) }()
	}
	return cmd.Start()
}

func joinTasks(group string) error {
	return os.WriteFile(filepath.Join(group, "tasks"), []byte("0"), 0)
}

// ownGroup returns this process's group in a v1 hierarchy.
func ownGroup(t testing.TB, root string) string {
	data, err := os.ReadFile("/proc/self/cgroup")
	must(t, err)
	for line := range strings.Lines(string(data)) {
		if _, group, ok := strings.Cut(line, ":"+filepath.Base(root)+":"); ok {
			return strings.TrimSpace(group)
		}
	}
	t.Fatalf("no group of this process in %s", root)
	return ""
}

func (g *guest) makeGroups() {
	dirs := []string{filepath.Join(v2Root, g.group), filepath.Join(v2Root, g.group, "payload"), filepath.Join(v2Root, g.group, "payload", ".sysct")}
	for _, root := range v1Roots {
		dirs = append(dirs, filepath.Join(root, g.group))
	}
	for _, dir := range dirs {
		must(g.t, os.Mkdir(dir, 0o755))
		g.t.Cleanup(func() { removeGroup(g.t, dir) })
	}
}

// removeGroup retries: a group stays busy until the last member's exit is complete.
func removeGroup(t testing.TB, dir string) {
	for range 500 {
		if err := os.Remove(dir); err == nil || errors.Is(err, os.ErrNotExist) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	procs, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	t.Errorf("cannot remove %s: it has %q", dir, procs)
}

func (g *guest) openTarget() {
	pidfd, err := unix.PidfdOpen(g.pid, 0)
	must(g.t, err)
	g.t.Cleanup(func() { unix.Close(pidfd) })
	leaf, err := unix.Open(filepath.Join(v2Root, g.group, "payload", ".sysct"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(g.t, err)
	g.t.Cleanup(func() { unix.Close(leaf) })
	filter, err := seccomp.Build(seccomp.Policy{})
	must(g.t, err)
	g.target = Target{PidFD: pidfd, LeafFD: leaf, Keep: caps.Default(), Filter: filter}
	for _, root := range v1Roots {
		fd, err := unix.Open(filepath.Join(root, g.group, "tasks"), unix.O_WRONLY|unix.O_CLOEXEC, 0)
		must(g.t, err)
		g.t.Cleanup(func() { unix.Close(fd) })
		g.target.JoinFDs = append(g.target.JoinFDs, fd)
	}
}

// start starts a process that ends with the test at the latest: the guest can't
// end before it.
func (g *guest) start(p *Process) *Child {
	g.t.Helper()
	if p.Env == nil {
		p.Env = []string{"PATH=/usr/bin:/bin"}
	}
	c, err := g.try(p)
	must(g.t, err)
	return c
}

// try is start for what may or should fail.
func (g *guest) try(p *Process) (*Child, error) {
	c, err := Start(&g.target, p)
	if err == nil {
		g.t.Cleanup(func() {
			_ = c.Signal(unix.SIGKILL)
			_, _ = c.Wait()
		})
	}
	return c, err
}

// run starts a process, and returns how it ended.
func (g *guest) run(p *Process) unix.WaitStatus {
	g.t.Helper()
	status, err := g.start(p).Wait()
	must(g.t, err)
	return status
}

// output runs a process in the guest, and returns what it wrote and how it ended.
func (g *guest) output(p *Process) (string, unix.WaitStatus) {
	g.t.Helper()
	r, w := makePipe(g.t)
	p.Files = [3]int{null(g.t), int(w.Fd()), int(w.Fd())}
	c := g.start(p)
	w.Close()
	data, err := io.ReadAll(r)
	must(g.t, err)
	status, err := c.Wait()
	must(g.t, err)
	return string(data), status
}

// shell runs a script as the guest's root, and fails the test if it fails.
func (g *guest) shell(script string) string {
	g.t.Helper()
	out, status := g.output(&Process{Args: []string{"sh", "-c", script}})
	if status != 0 {
		g.t.Fatalf("%s: status %#x, %s", script, int(status), out)
	}
	return out
}

// nsenter runs a script with the program that the field trusts.
func (g *guest) nsenter(script string) string {
	g.t.Helper()
	out, err := exec.Command("/usr/bin/nsenter", "--all", "--target", fmt.Sprint(g.pid), "/bin/sh", "-c", script).CombinedOutput()
	if err != nil {
		g.t.Fatalf("nsenter: %v: %s", err, out)
	}
	return string(out)
}
