package guest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/testprograms"
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/spec"
)

// helper is the program that TestMain built.
var helper string

// TestMain builds the helper: guests need the real one.
func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	if os.Geteuid() != 0 {
		fmt.Println("these tests start guests and have to run as root")
		return 1
	}
	dir, err := os.MkdirTemp("", "sysct-test-helper-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	helper = filepath.Join(dir, "sysct-helper")
	if err := testprograms.Build(helper, "sysct-helper", ""); err != nil {
		fmt.Println(err)
		return 1
	}
	return m.Run()
}

// instance is an instance of sysct that the test made; the end of the test
// checks that nothing of it is left.
type instance struct {
	*guest.Manager
	t    *testing.T
	dirs spec.Dirs
	host string // the host's state before

	warned warnings
}

func testCache() string {
	if dir := os.Getenv("SYSCT_TEST_CACHE"); dir != "" {
		return dir
	}
	return "/var/cache/sysct-test"
}

func newInstance(t *testing.T) *instance {
	t.Helper()
	top, err := os.MkdirTemp("/var/tmp", "sysct-test-")
	if err != nil {
		t.Fatal(err)
	}
	in := &instance{t: t, host: hostState(t, top)}
	in.dirs = spec.Dirs{State: top + "/lib", Run: top + "/run", Log: top + "/log", Cache: testCache()}
	in.Manager, err = guest.Open(guest.Options{Dirs: in.dirs, Helper: helper, Network: "none", Warn: func(s string) {
		t.Log("warning:", s)
		in.warned.add(s)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.end(top) })
	return in
}

// end destroys what the test left running and looks for traces.
func (in *instance) end(top string) {
	t := in.t
	names, err := in.Names()
	if err != nil {
		t.Error(err)
	}
	for _, name := range names {
		if t.Failed() {
			in.show(name)
		}
		if err := in.Destroy(context.Background(), name, guest.DestroyOptions{Force: true}); err != nil {
			t.Errorf("destroy %s: %v", name, err)
		}
	}
	in.noTraces()
	if err := os.RemoveAll(top); err != nil {
		t.Error(err)
	}
}

// show prints a guest's logs for a test that failed.
func (in *instance) show(name string) {
	var log, console strings.Builder
	in.Logs(context.Background(), name, &log, 40)
	in.ConsoleLog(context.Background(), name, &console, 40)
	in.t.Logf("log of %s:\n%s\nconsole:\n%s", name, &log, &console)
}

// noTraces says that no process, group, mount or host's state is changed by an
// instance without guests. The holder ends by itself, a moment later.
func (in *instance) noTraces() {
	t := in.t
	t.Helper()
	eventually(t, "the holder ends", func() error {
		if _, err := os.Lstat(in.dirs.Run + "/holder.sock"); err == nil {
			return fmt.Errorf("holder.sock is there")
		}
		return nil
	})
	tag := spec.Tag(in.dirs.State)
	eventually(t, "no control group is left", func() error {
		left, _ := filepath.Glob("/sys/fs/cgroup/*/sysct-" + tag)
		more, _ := filepath.Glob("/sys/fs/cgroup/sysct-" + tag)
		if left = append(left, more...); len(left) > 0 {
			return fmt.Errorf("%q", left)
		}
		return nil
	})
	eventually(t, "no process is left", func() error { return noProcess(in.dirs.Run) })
	eventually(t, "the host is as before", func() error { // another may have mounted something for a moment
		if after := hostState(t, filepath.Dir(in.dirs.State)); after != in.host {
			return fmt.Errorf("new:\n%s\nmissing:\n%s", without(after, in.host), without(in.host, after))
		}
		return nil
	})
}

// without gives the lines of a text that another doesn't have.
func without(text, other string) string {
	var b strings.Builder
	for _, line := range strings.SplitAfter(text, "\n") {
		if !strings.Contains(other, line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// noProcess looks for processes with the run directory in their command line.
func noProcess(run string) error {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if data, err := os.ReadFile(f); err == nil && strings.Contains(string(data), run) {
			return fmt.Errorf("%s: %q", f, data)
		}
	}
	return nil
}

// hostState is what no guest may change and no test may leave.
func hostState(t *testing.T, top string) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, line := range strings.SplitAfter(string(mounts), "\n") {
		// Guests of other instances come and go on this host.
		if !strings.Contains(line, "/rootfs ") || strings.Contains(line, top) {
			b.WriteString(line)
		}
	}
	for _, name := range []string{"fs/protected_hardlinks", "fs/protected_symlinks", "fs/protected_regular", "fs/protected_fifos",
		"kernel/hostname", "kernel/core_pattern", "kernel/sysrq", "kernel/printk", "net/ipv4/ip_forward", "vm/overcommit_memory"} {
		value, _ := os.ReadFile("/proc/sys/" + name)
		fmt.Fprintf(&b, "%s %s", name, value)
	}
	for _, node := range []string{"/dev/null", "/dev/console", "/dev/tty", "/dev/ptmx", "/dev/random"} {
		var st unix.Stat_t
		unix.Stat(node, &st)
		fmt.Fprintf(&b, "%s %o %d:%d\n", node, st.Mode, st.Uid, st.Gid)
	}
	return b.String()
}

// eventually waits for something that happens by itself, a minute at most.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Errorf("not so: %s: %v", what, err)
}

func (in *instance) create(name, template, backend string, args ...string) {
	in.t.Helper()
	err := in.Create(context.Background(), name, guest.CreateOptions{Template: template, Backend: backend, Args: args})
	if err != nil {
		in.t.Fatalf("create %s: %v", name, err)
	}
}

func (in *instance) start(name string) {
	in.t.Helper()
	if err := in.Start(context.Background(), name, guest.StartOptions{}); err != nil {
		in.t.Fatalf("start %s: %v", name, err)
	}
}

func (in *instance) ready(name string) {
	in.t.Helper()
	if err := in.Wait(context.Background(), name, guest.WaitOptions{Ready: true, Timeout: minute()}); err != nil {
		in.t.Fatalf("wait %s ready: %v", name, err)
	}
}

// run executes a command in a guest and gives its output and exit status.
func (in *instance) run(name string, args ...string) (string, int) {
	in.t.Helper()
	out, status, err := in.exec(name, guest.ExecOptions{Args: args})
	if err != nil {
		in.t.Fatalf("exec %s %q: %v", name, args, err)
	}
	return out, status
}

func (in *instance) exec(name string, o guest.ExecOptions) (string, int, error) {
	in.t.Helper()
	f, err := os.CreateTemp(in.t.TempDir(), "out")
	if err != nil {
		in.t.Fatal(err)
	}
	defer f.Close()
	o.Stdout, o.Stderr = f, f
	status, err := in.Exec(context.Background(), name, o)
	out, rerr := os.ReadFile(f.Name())
	if rerr != nil {
		in.t.Fatal(rerr)
	}
	return string(out), status, err
}

func minute() *time.Duration {
	m := time.Minute
	return &m
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (in *instance) info(name string) *guest.Info {
	in.t.Helper()
	info, err := in.Info(context.Background(), name)
	if err != nil {
		in.t.Fatalf("info %s: %v", name, err)
	}
	return info
}
