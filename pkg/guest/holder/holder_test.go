package holder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/proctest"
	"github.com/sysct/sysct/pkg/guest/control"
)

// instance is a run directory with a real holder.
type instance struct {
	t    *testing.T
	conf Config
}

func newInstance(t *testing.T) *instance {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	in := &instance{t, Config{RunDir: filepath.Join(dir, "run"), LogDir: filepath.Join(dir, "log"),
		Base: "sysct-" + filepath.Base(filepath.Dir(dir)), Helper: exe}}
	for _, d := range []string{in.conf.RunDir, in.conf.LogDir} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(in.conf.LogDir, logName))
			t.Logf("holder.log:\n%s", log)
			in.killAll()
		}
	})
	return in
}

// killAll ends what a failed test has left: the processes in its own group.
func (in *instance) killAll() {
	mount, _, err := v2()
	if err != nil {
		in.t.Log(err)
		return
	}
	base := filepath.Join(mount, in.conf.Base)
	os.WriteFile(filepath.Join(base, groupName, "cgroup.kill"), []byte("1"), 0)
	for range 100 {
		os.Remove(filepath.Join(base, groupName))
		if err := os.Remove(base); err == nil || os.IsNotExist(err) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// start starts a fake monitor and waits until it reports. The result is what
// it reads its plan from.
func (in *instance) start(name string, p fakePlan) *os.File {
	in.t.Helper()
	p.RunDir, p.Out = in.conf.RunDir, filepath.Join(in.conf.RunDir, name, "out")
	if err := os.Mkdir(filepath.Join(in.conf.RunDir, name), 0o700); err != nil && !os.IsExist(err) {
		in.t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		in.t.Fatal(err)
	}
	defer r.Close()
	plan := in.plan(p)
	_, err = Start(in.t.Context(), in.conf, name, plan, w)
	w.Close()
	if err != nil {
		in.t.Fatal(err)
	}
	said, err := io.ReadAll(r)
	if want := "up"; err != nil || p.Exit == nil && string(said) != want {
		in.t.Fatalf("report: %q, %v", said, err)
	}
	return plan
}

func (in *instance) plan(p fakePlan) *os.File {
	in.t.Helper()
	fd, err := unix.MemfdCreate("plan", unix.MFD_CLOEXEC)
	if err != nil {
		in.t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "plan")
	in.t.Cleanup(func() { f.Close() })
	in.rewrite(f, p)
	return f
}

// rewrite gives the lives to come another plan. It is padded, because a reader
// must not see a part of the old one.
func (in *instance) rewrite(f *os.File, p fakePlan) {
	in.t.Helper()
	data, err := json.Marshal(p)
	if err == nil {
		_, err = f.WriteAt(fmt.Appendf(nil, "%-4000s", data), 0)
	}
	if err != nil {
		in.t.Fatal(err)
	}
}

// life is one line of a fake monitor.
type life struct {
	pid, child int
	names      []string
}

// lives waits for the n-th life of a monitor.
func (in *instance) lives(name string, n int) []life {
	in.t.Helper()
	var got []life
	in.until(func() bool {
		data, _ := os.ReadFile(filepath.Join(in.conf.RunDir, name, "out"))
		got = nil
		for line := range strings.Lines(string(data)) {
			var l life
			var names string
			fmt.Sscan(line, &l.pid, &l.child, &names)
			l.names = strings.Split(names, ",")
			got = append(got, l)
		}
		return len(got) >= n
	}, "life %d of %s", n, name)
	return got
}

func (in *instance) until(ok func() bool, format string, args ...any) {
	in.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			in.t.Fatalf("waited in vain for "+format, args...)
		}
	}
}

// call asks the holder something.
func (in *instance) call(req control.Request) (*control.Response, error) {
	in.t.Helper()
	dir, err := os.Open(in.conf.RunDir)
	if err != nil {
		in.t.Fatal(err)
	}
	defer dir.Close()
	c, err := control.DialAt(in.t.Context(), int(dir.Fd()), SocketName)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var resp control.Response
	_, err = c.Call(in.t.Context(), req, &resp)
	return &resp, err
}

func (in *instance) pid() int {
	in.t.Helper()
	resp, err := in.call(control.Request{Op: control.OpStatus})
	if err != nil {
		in.t.Fatal(err)
	}
	return resp.Pid
}

// ended waits until the holder and everything of it is gone.
func (in *instance) ended() {
	in.t.Helper()
	in.until(func() bool {
		_, err := in.call(control.Request{Op: control.OpStatus})
		return errors.Is(err, control.ErrNoMonitor)
	}, "the end of the holder")
	for _, name := range []string{SocketName, notifyName} {
		in.until(func() bool {
			_, err := os.Lstat(filepath.Join(in.conf.RunDir, name))
			return os.IsNotExist(err)
		}, "the end of "+name)
	}
	mount, _, err := v2()
	if err != nil {
		in.t.Fatal(err)
	}
	in.until(func() bool {
		_, err := os.Stat(filepath.Join(mount, in.conf.Base))
		return os.IsNotExist(err)
	}, "the end of the control group")
}

func kill(t *testing.T, pid int, sig unix.Signal) {
	t.Helper()
	if err := unix.Kill(pid, sig); err != nil {
		t.Fatalf("kill %d: %v", pid, err)
	}
}

func TestCleanEnd(t *testing.T) {
	in := newInstance(t)
	in.start("web", fakePlan{})
	in.start("db", fakePlan{})
	group, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", in.lives("web", 1)[0].pid))
	if want := "/" + in.conf.Base + "/.holder\n"; err != nil || !strings.HasSuffix(string(group), want) {
		t.Errorf("a monitor is in %q, %v; want %q", group, err, want)
	}
	kill(t, in.lives("web", 1)[0].pid, unix.SIGTERM)
	kill(t, in.lives("db", 1)[0].pid, unix.SIGTERM)
	in.ended()
	if n := len(in.lives("web", 1)); n != 1 {
		t.Errorf("web has had %d monitors", n)
	}
}

func TestKilledMonitorComesBack(t *testing.T) {
	in := newInstance(t)
	in.start("web", fakePlan{})
	for n := 1; n <= 6; n++ {
		kill(t, in.lives("web", n)[n-1].pid, unix.SIGKILL)
	}
	last := in.lives("web", 7)
	if want := []string{"plan", "report"}; !slices.Equal(last[0].names, want) {
		t.Errorf("the first monitor got %v, want %v", last[0].names, want)
	}
	for _, l := range last[1:] {
		if want := []string{"plan", "control", "shared"}; !slices.Equal(l.names, want) {
			t.Errorf("a later monitor got %v, want %v", l.names, want)
		}
	}
	kill(t, last[6].pid, unix.SIGTERM)
	in.ended()
}

func TestStartTwice(t *testing.T) {
	in := newInstance(t)
	in.start("web", fakePlan{})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	_, err = Start(t.Context(), in.conf, "web", in.plan(fakePlan{}), w)
	if !errors.Is(err, &control.Error{Kind: control.KindState}) {
		t.Errorf("a second start: %v", err)
	}
	kill(t, in.lives("web", 1)[0].pid, unix.SIGTERM)
	in.ended()
	in.start("web", fakePlan{})
	kill(t, in.lives("web", 2)[1].pid, unix.SIGTERM)
	in.ended()
}

func TestMonitorThatFails(t *testing.T) {
	in := newInstance(t)
	status := 0
	in.start("web", fakePlan{Exit: &status})
	in.ended()
	status = 7
	plan := in.start("db", fakePlan{Exit: &status})
	in.lives("db", 6) // again and again
	status = 0
	in.rewrite(plan, fakePlan{Out: filepath.Join(in.conf.RunDir, "db", "out"), Exit: &status})
	in.ended()
}

func TestOrphansAreReaped(t *testing.T) {
	in := newInstance(t)
	in.start("web", fakePlan{Child: true})
	first := in.lives("web", 1)[0]
	kill(t, first.pid, unix.SIGKILL)
	second := in.lives("web", 2)[1]
	if _, err := in.call(control.Request{Op: control.OpReap, Pid: first.child}); !errors.Is(err, &control.Error{Kind: control.KindAbsent}) {
		t.Errorf("asked for a process that lives: %v", err)
	}
	kill(t, first.child, unix.SIGUSR1)
	in.until(func() bool {
		resp, err := in.call(control.Request{Op: control.OpReap, Pid: first.child})
		return err == nil && unix.WaitStatus(*resp.Status).Signal() == unix.SIGUSR1
	}, "the wait status of an orphan")
	kill(t, second.pid, unix.SIGTERM)
	in.ended()
}

func TestNewHolderAdopts(t *testing.T) {
	in := newInstance(t)
	in.start("web", fakePlan{})
	in.start("db", fakePlan{})
	web := in.lives("web", 1)[0].pid
	proctest.Stop(t, web) // it can't answer for now
	old := in.pid()
	kill(t, old, unix.SIGKILL)
	in.until(func() bool {
		_, err := in.call(control.Request{Op: control.OpStatus})
		return errors.Is(err, control.ErrNoMonitor)
	}, "the end of the holder")
	c, err := Ensure(t.Context(), in.conf)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if in.pid() == old {
		t.Fatal("the holder is the old one")
	}
	db := in.lives("db", 1)[0].pid
	in.until(func() bool { return in.logged("is adopted") == 1 }, "the adoption of db")
	kill(t, db, unix.SIGKILL)
	if l := in.lives("db", 2)[1]; len(l.names) != 3 {
		t.Errorf("db's next monitor got %v", l.names)
	}
	kill(t, web, unix.SIGCONT)
	in.until(func() bool { return in.logged("is adopted") == 2 }, "the adoption of web")
	kill(t, web, unix.SIGTERM)
	kill(t, in.lives("db", 2)[1].pid, unix.SIGTERM)
	in.ended()
	if n := len(in.lives("web", 1)); n != 1 {
		t.Errorf("web has had %d monitors", n)
	}
}

func (in *instance) logged(text string) int {
	data, _ := os.ReadFile(filepath.Join(in.conf.LogDir, logName))
	return strings.Count(string(data), text)
}

// TestManyStartersOneHolder: who comes while a holder ends gets the next one.
func TestManyStartersOneHolder(t *testing.T) {
	in := newInstance(t)
	done := make(chan error)
	for i := range 8 {
		go func() {
			for j := range 10 {
				if err := in.startAndEnd(fmt.Sprintf("g%d-%d", i, j)); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	in.ended()
}

func (in *instance) startAndEnd(name string) error {
	status := 0
	if err := os.Mkdir(filepath.Join(in.conf.RunDir, name), 0o700); err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = Start(in.t.Context(), in.conf, name, in.plan(fakePlan{Out: filepath.Join(in.conf.RunDir, name, "out"), Exit: &status}), w)
	w.Close()
	if err != nil {
		return err
	}
	_, err = io.ReadAll(r) // its end
	return err
}
