package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/testprograms"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/holder"
	"github.com/sysct/sysct/pkg/guest/state"
)

// buildOther builds the helper with a tag: another program.
func buildOther(t *testing.T, tag string) string {
	t.Helper()
	helper := t.TempDir() + "/sysct-helper"
	if err := testprograms.Build(helper, "sysct-helper", tag); err != nil {
		t.Fatal(err)
	}
	return helper
}

// upgrade has the monitor execute a program.
func (g *guest) upgrade(program string, timeout time.Duration) (*control.Response, error) {
	g.t.Helper()
	f, err := os.Open(program)
	if err != nil {
		g.t.Fatal(err)
	}
	defer f.Close()
	dir, err := os.Open(g.conf.RunDir)
	if err != nil {
		g.t.Fatal(err)
	}
	defer dir.Close()
	c, err := control.Dial(g.t.Context(), int(dir.Fd()), g.name)
	if err != nil {
		g.t.Fatal(err)
	}
	defer c.Close()
	req := control.Request{Op: control.OpUpgrade}
	req.SetTimeout(timeout)
	var resp control.Response
	_, err = c.CallFDs(g.t.Context(), req, []int{int(f.Fd())}, &resp)
	return &resp, err
}

func exeOf(t *testing.T, pid int) string {
	t.Helper()
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// TestUpgrade: the monitor and the holder become other programs and stay the same
// processes; what they knew and kept is known and kept.
func TestUpgrade(t *testing.T) {
	next := buildOther(t, "failpoints")
	w := newWorld(t)
	g := w.guest("web", "echo up > /up\ntrap 'exit 7' USR1\ni=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done\n")
	orphan := w.guest("db", obedient)
	g.start()
	orphan.start()
	g.up()
	first, held := g.status(), w.holderPid()
	for range 3 {
		resp, err := g.upgrade(next, time.Minute)
		if err != nil || resp.Program != "devel" || resp.Pid != first.MonitorPid {
			t.Fatalf("upgrade: %+v, %v", resp, err)
		}
	}
	run := g.status()
	if run.MonitorPid != first.MonitorPid || exeOf(t, run.MonitorPid) != next || run.Pid != first.Pid || run.Boots != 1 || !run.StartedAt.Equal(first.StartedAt) {
		t.Errorf("run is %+v by %s, was %+v", run, exeOf(t, run.MonitorPid), first)
	}

	orphan.killMonitor() // its init is the holder's from now on
	orphaned := orphan.status()
	conf := w.conf
	conf.Helper = next
	now, err := w.upgradeHolder(conf)
	if err != nil || now.Pid != held || now.Version != "devel" || exeOf(t, held) != next {
		t.Fatalf("the holder is %+v, %v", now, err)
	}
	if again := w.holderPid(); again != held {
		t.Errorf("the holder is %d, was %d", again, held)
	}
	kill(t, orphaned.Pid, unix.SIGKILL)
	if e := orphan.ended().Exit; e.Signal != "SIGKILL" {
		t.Errorf("the orphan's exit is %+v", e)
	}

	g.killMonitor()
	run = g.status()
	if run.MonitorPid == first.MonitorPid || exeOf(t, run.MonitorPid) != next || run.Pid != first.Pid {
		t.Errorf("run is %+v by %s, was %+v", run, exeOf(t, run.MonitorPid), first)
	}
	if !strings.Contains(g.log(), "died, by the signal SIGKILL") {
		t.Errorf("the log says nothing of a kill:\n%s", g.log())
	}
	kill(t, run.Pid, unix.SIGUSR1)
	if e := g.ended().Exit; e.Code == nil || *e.Code != 7 {
		t.Errorf("exit is %+v", e)
	}
	data, err := os.ReadFile(g.conf.LogDir + "/web.console.log")
	if err != nil {
		t.Fatal(err)
	}
	g.checkLines(strings.Count(string(data), "line "))
}

func (w *world) upgradeHolder(conf holder.Config) (*holder.Running, error) {
	w.t.Helper()
	old, err := holder.Find(w.t.Context(), conf)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(conf.Helper)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return holder.Upgrade(w.t.Context(), conf, old, f)
}

// TestUpgradeRefused: by a program that isn't one, or doesn't understand what is kept,
// and while the guest is stopping. The monitor works as before.
func TestUpgradeRefused(t *testing.T) {
	g := newWorld(t).guest("web", stubborn)
	g.start()
	first := g.status()
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no program\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for program, want := range map[string]string{text: "cannot execute it", "/bin/busybox": "can't take over"} {
		var refused *control.Error
		if _, err := g.upgrade(program, time.Minute); !errors.As(err, &refused) || refused.Kind != control.KindFailed || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", program, err)
		}
	}
	if run := g.status(); run.MonitorPid != first.MonitorPid || run.State != state.Running {
		t.Errorf("run is %+v, was %+v", run, first)
	}
	g.must(control.Request{Op: control.OpStop, NoWait: true})
	var refused *control.Error
	if _, err := g.upgrade(g.conf.Helper, 100*time.Millisecond); !errors.As(err, &refused) || refused.Kind != control.KindBusy {
		t.Errorf("while it stops: %v", err)
	}
	g.must(control.Request{Op: control.OpKill, Signal: int(unix.SIGKILL)})
	g.ended()
}

// TestOlderServers: a monitor and a holder that know no upgrade refuse it as of another
// version, and do all else; the holder is replaced by one that adopts.
func TestOlderServers(t *testing.T) {
	w := newWorld(t)
	w.conf.Helper = buildOther(t, "protocol1")
	g := w.guest("web", obedient)
	g.start()
	first := g.status()
	var refused *control.Error
	next := buildOther(t, "failpoints")
	if _, err := g.upgrade(next, time.Minute); !errors.As(err, &refused) || refused.Kind != control.KindVersion {
		t.Errorf("upgrade: %v", err)
	}
	g.must(control.Request{Op: control.OpFreeze})
	g.must(control.Request{Op: control.OpThaw})
	old := w.holderPid()
	conf := w.conf
	conf.Helper = next
	now, err := w.upgradeHolder(conf)
	if err != nil || now.Pid == old || exeOf(t, now.Pid) != next {
		t.Fatalf("the holder is %+v, %v; was %d", now, err, old)
	}
	if run := g.status(); run.MonitorPid != first.MonitorPid { // and has left its descriptors
		t.Errorf("run is %+v, was %+v", run, first)
	}
	g.killMonitor()
	if run := g.status(); exeOf(t, run.MonitorPid) != next || run.Pid != first.Pid || run.Boots != 1 {
		t.Errorf("run is %+v by %s, was %+v", run, exeOf(t, run.MonitorPid), first)
	}
	g.stop()
}
