package main

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/context/ns"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/holder"
	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/images/store"
	"github.com/sysct/sysct/pkg/limits/detect"
	"github.com/sysct/sysct/pkg/vnet/space"
)

// TestMain: the test's own program is the helper, as the stage, the monitors
// and the holder, and an init that talks to its monitor.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "monitor", "holder", "stage", "check", "mend":
			main()
		case "listened":
			os.Exit(listened(os.Args[2:]))
		case "views":
			os.Exit(viewReader(os.Args[2]))
		case "plain":
			os.Exit(plain())
		case "init":
			os.Exit(talkativeInit())
		case "enter":
			os.Exit(enterGuest(os.Args[2], os.Args[3], os.Args[4]))
		}
	}
	os.Exit(m.Run())
}

// world is an instance of its own.
type world struct {
	t    *testing.T
	conf holder.Config
	top  string
	fds  int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	pollerOf(t)
	w := &world{t: t, top: top, fds: openFDs(t)}
	// A base of its own for each run of each test.
	tag := fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(top)))
	w.conf = holder.Config{RunDir: top + "/run", LogDir: top + "/log", Base: "sysct-" + tag, Helper: exe}
	for _, d := range []string{w.conf.RunDir, w.conf.LogDir} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(w.end)
	return w
}

// end looks for what is left; a test that failed leaves something.
func (w *world) end() {
	t := w.t
	if t.Failed() {
		w.show()
		w.killAll()
		return
	}
	w.until("the holder's end", func() error {
		if _, err := os.Lstat(w.conf.RunDir + "/" + control.HolderSocketName); err == nil {
			return errors.New("its socket is there")
		}
		return nil
	})
	w.until("the end of all control groups", func() error {
		left, _ := filepath.Glob("/sys/fs/cgroup/*/" + w.conf.Base)
		if len(left) > 0 {
			return fmt.Errorf("%q", left)
		}
		return nil
	})
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil || strings.Contains(string(mounts), w.top) {
		t.Errorf("a mount is left below %s: %v", w.top, err)
	}
	if n := openFDs(t); n > w.fds {
		t.Errorf("%d descriptors are open, %d before", n, w.fds)
	}
}

// show prints the logs.
func (w *world) show() {
	logs, _ := filepath.Glob(w.conf.LogDir + "/*")
	for _, path := range logs {
		data, _ := os.ReadFile(path)
		if len(data) > 4000 {
			data = data[len(data)-4000:]
		}
		w.t.Logf("%s:\n%s", filepath.Base(path), data)
	}
}

// killAll ends what a failed test has left: the processes in its own groups.
func (w *world) killAll() {
	base := ""
	for _, mount := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if _, err := os.Stat(mount + "/" + w.conf.Base); err == nil {
			base = mount + "/" + w.conf.Base
			break
		}
	}
	if base == "" {
		return
	}
	os.WriteFile(base+"/.holder/cgroup.kill", []byte("1"), 0)
	os.WriteFile(base+"/cgroup.kill", []byte("1"), 0)
	backend, err := detect.Detect()
	if err != nil {
		w.t.Log(err)
		return
	}
	names, _ := backend.List(w.conf.Base)
	for _, name := range names {
		backend.Remove(w.conf.Base, name)
		store.Unmount(store.Layout{Backend: store.Dir, GuestDir: w.top + "/" + name})
	}
	os.Remove(base + "/.holder")
	os.Remove(base)
}

// pollerOf has the runtime open the descriptors of its poller, which then stay.
func pollerOf(t *testing.T) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Close()
}

func openFDs(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// until waits for something, a minute at most.
func (w *world) until(what string, check func() error) {
	w.t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	w.t.Fatalf("waited in vain for %s: %v", what, err)
}

// guest is one of the world's.
type guest struct {
	*world
	name string
	plan monitor.Plan
}

// guest makes a guest whose init is a shell script, with busybox beside it.
func (w *world) guest(name, script string) *guest {
	w.t.Helper()
	g := &guest{world: w, name: name}
	dir := filepath.Join(w.top, name)
	root := filepath.Join(dir, "rootfs")
	for _, d := range []string{"", "rootfs", "rootfs/bin", "rootfs/sbin", "rootfs/proc", "rootfs/sys", "rootfs/dev", "rootfs/run", "rootfs/root"} {
		mode := os.FileMode(0o755)
		if d == "" {
			mode = 0o700
		}
		if err := os.Mkdir(filepath.Join(dir, d), mode); err != nil {
			w.t.Fatal(err)
		}
	}
	copyFile(w.t, "/bin/busybox", root+"/bin/busybox")
	for _, a := range strings.Fields("sh sleep cat echo poweroff reboot kill test touch seq mount ls dd") {
		if err := os.Symlink("busybox", root+"/bin/"+a); err != nil {
			w.t.Fatal(err)
		}
	}
	g.write("sbin/init", "#!/bin/sh\n"+script)
	g.plan = monitor.Plan{
		Name: name, Base: w.conf.Base, RunDir: w.conf.RunDir, LogDir: w.conf.LogDir, BootID: "test",
		Context: sysctx.Spec{Name: name, Hostname: name, MachineID: strings.Repeat("0123", 8),
			IDs:  ns.IDRange{Base: 1800000000, Size: 65536},
			Root: store.Layout{Backend: store.Dir, GuestDir: dir}, TTYs: 2, Net: space.Plan{Private: true, Loopback: true}},
		StopTimeout: 20 * time.Second,
	}
	return g
}

// write makes a program in the guest.
func (g *guest) write(path, text string) {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(g.top, g.name, "rootfs", path), []byte(text), 0o755); err != nil {
		g.t.Fatal(err)
	}
}

// file reads a file of the guest, also while it runs.
func (g *guest) file(path string) string {
	data, _ := os.ReadFile(filepath.Join(g.top, g.name, "rootfs", path))
	return string(data)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", from, to).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
}

// launch starts the guest and gives the monitor's report.
func (g *guest) launch() (*monitor.Report, error) {
	order, err := monitor.NewOrder()
	if err != nil {
		return nil, err
	}
	defer order.Close()
	if _, err := holder.Start(g.t.Context(), g.conf, g.name, order.Plan, order.Theirs); err != nil {
		return nil, err
	}
	order.Theirs.Close()
	if err := order.Begin(&g.plan); err != nil {
		return nil, err
	}
	return order.Report()
}

func (g *guest) start() {
	g.t.Helper()
	rep, err := g.launch()
	if err == nil && rep.Error != nil {
		err = rep.Error
	}
	if err != nil {
		g.t.Fatalf("start %s: %v", g.name, err)
	}
}

// ask sends one request. A monitor that is being replaced is asked again.
func (g *guest) ask(req control.Request) (*control.Response, error) {
	ctx, cancel := context.WithTimeout(g.t.Context(), 50*time.Second)
	defer cancel()
	for {
		resp, err := g.askOnce(ctx, req)
		if !errors.Is(err, control.ErrLost) {
			return resp, err
		}
	}
}

func (g *guest) askOnce(ctx context.Context, req control.Request) (*control.Response, error) {
	dir, err := os.Open(g.conf.RunDir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	c, err := control.Dial(ctx, int(dir.Fd()), g.name)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var resp control.Response
	fds, err := c.Call(ctx, req, &resp)
	control.CloseAll(fds)
	return &resp, err
}

func (g *guest) must(req control.Request) *control.Response {
	g.t.Helper()
	resp, err := g.ask(req)
	if err != nil {
		g.t.Fatalf("%s: %v", req.Op, err)
	}
	return resp
}

func (g *guest) status() *state.Run {
	g.t.Helper()
	return g.must(control.Request{Op: control.OpStatus}).Run
}

// stop stops the guest; a monitor that was killed meanwhile is asked again.
func (g *guest) stop() *control.Response {
	g.t.Helper()
	resp, err := g.ask(control.Request{Op: control.OpStop})
	if err != nil && !errors.Is(err, control.ErrNoMonitor) {
		g.t.Fatalf("stop: %v", err)
	}
	g.ended()
	return resp
}

// ended waits for the monitor's end and gives what it left behind.
func (g *guest) ended() *state.Run {
	g.t.Helper()
	var run *state.Run
	g.until("the end of "+g.name, func() error {
		fd, err := unix.Open(filepath.Join(g.conf.RunDir, g.name), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if run, err = state.ReadRun(fd); err != nil {
			return err
		}
		if run.State != state.Stopped {
			return fmt.Errorf("it is %s", run.State)
		}
		files, err := os.ReadDir(filepath.Join(g.conf.RunDir, g.name))
		if err != nil || len(files) != 1 || files[0].Name() != "run.json" {
			return fmt.Errorf("in the run directory are %v, %w", files, err)
		}
		return nil
	})
	return run
}

// killMonitor kills the guest's monitor.
func (g *guest) killMonitor() {
	g.t.Helper()
	kill(g.t, g.status().MonitorPid, unix.SIGKILL)
}

func kill(t *testing.T, pid int, sig unix.Signal) {
	t.Helper()
	if pid <= 1 {
		t.Fatalf("no process to kill: %d", pid)
	}
	if err := unix.Kill(pid, sig); err != nil && err != unix.ESRCH {
		t.Fatalf("kill %d: %v", pid, err)
	}
}

func (w *world) holderPid() int {
	w.t.Helper()
	dir, err := os.Open(w.conf.RunDir)
	if err != nil {
		w.t.Fatal(err)
	}
	defer dir.Close()
	c, err := control.DialAt(w.t.Context(), int(dir.Fd()), control.HolderSocketName)
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	var resp control.Response
	if _, err := c.Call(w.t.Context(), control.Request{Op: control.OpStatus}, &resp); err != nil {
		w.t.Fatal(err)
	}
	return resp.Pid
}
