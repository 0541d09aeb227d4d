package limitstest

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

const long = time.Minute

func frozen(t *testing.T, g limits.Group) bool {
	t.Helper()
	_, is, err := g.Events()
	if err != nil {
		t.Fatal(err)
	}
	return is
}

func testFreeze(t *testing.T, h Host) {
	g := h.guestOf(t, "one", limits.Limits{})
	c := start(t, g, "while :; do :; done")
	if _, _, err := g.Events(); err != nil { // what has been so far is seen
		t.Fatal(err)
	}
	for range 2 { // freezing what is frozen is no error
		if err := g.Freeze(long); err != nil {
			t.Fatal(err)
		}
	}
	changed := []unix.PollFd{{Fd: int32(g.EventsFD()), Events: unix.POLLPRI}}
	if n, err := unix.Poll(changed, 60000); n != 1 || err != nil {
		t.Errorf("EventsFD tells nothing: %d, %v", n, err)
	}
	if !frozen(t, g) {
		t.Error("it isn't frozen")
	}
	for range 2 {
		if err := g.Thaw(long); err != nil {
			t.Fatal(err)
		}
	}
	if frozen(t, g) {
		t.Error("it isn't thawed")
	}
	before := usage(t, g)
	eventually(t, "it runs again", func() bool { return usage(t, g) > before })
	if err := g.Freeze(long); err != nil {
		t.Fatal(err)
	}
	if err := g.Kill(); err != nil { // frozen processes die too
		t.Fatal(err)
	}
	c.wait(t)
}

func usage(t *testing.T, g limits.Group) int64 {
	t.Helper()
	s, err := g.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return s.CPU.Usage
}

// testFreezeInVain has a process that can't be frozen: all go on running.
func testFreezeInVain(t *testing.T, h Host) {
	g := h.guestOf(t, "one", limits.Limits{})
	looks := t.TempDir() + "/looks"
	stuck := startRole(t, g, "stuck:"+t.TempDir()+":"+looks, unix.CLONE_NEWNS)
	eventually(t, "it is stuck", func() bool {
		_, err := os.Stat(looks) // until then it sleeps so for a moment at most
		return err == nil && sleepsDeeply(stuck.Process.Pid)
	})
	other := start(t, g, "while :; do :; done")
	err := g.Freeze(50 * time.Millisecond)
	if !errors.Is(err, limits.ErrTimeout) || !mentions(err, fmt.Sprintf("process %d (", stuck.Process.Pid)) {
		t.Errorf("freeze: %v (stuck is %d: %s)", err, stuck.Process.Pid, stuck.output.String())
	}
	if frozen(t, g) {
		t.Error("it is frozen after all")
	}
	before := usage(t, g)
	eventually(t, "the others run on", func() bool { return usage(t, g) > before })
	if err := g.Kill(); err != nil {
		t.Fatal(err)
	}
	stuck.wait(t)
	other.wait(t)
}

func sleepsDeeply(pid int) bool {
	tasks := fmt.Sprintf("/proc/%d/task", pid)
	threads, err := os.ReadDir(tasks)
	if err != nil {
		return false
	}
	for _, thread := range threads {
		status, err := os.ReadFile(tasks + "/" + thread.Name() + "/status")
		if err == nil && mentions(errors.New(string(status)), "disk sleep") {
			return true
		}
	}
	return false
}

// testFrozenFromAbove has a group above the guest's frozen by somebody, and one of
// the guest's own frozen by itself: kill and removal work in either.
func testFrozenFromAbove(t *testing.T, h Host) {
	g := h.guestOf(t, "one", limits.Limits{})
	own := h.guest("one") + "/payload/own"
	inner := start(t, g, fmt.Sprintf("mkdir %s && echo $$ > %s/cgroup.procs && exec sleep 600", own, own))
	inner.running(t, "sleep")
	if c := start(t, g, "echo 1 > "+own+"/cgroup.freeze"); c.wait(t).ExitCode() != 0 {
		t.Fatal(c.output.String())
	}
	if err := os.WriteFile(h.V2+"/"+Base()+"/one/cgroup.freeze", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is frozen", func() bool { return frozen(t, g) })
	err := g.Thaw(20 * time.Millisecond)
	if !errors.Is(err, limits.ErrTimeout) || !mentions(err, "somebody froze "+h.V2+"/"+Base()+"/one") {
		t.Errorf("thaw: %v", err)
	}
	if err := g.Kill(); err != nil {
		t.Fatal(err)
	}
	inner.wait(t)
}
