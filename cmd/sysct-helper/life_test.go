package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/proctest"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/fdstore"
	"github.com/sysct/sysct/pkg/guest/holder"
	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/guest/state"
)

// obedient is an init that shuts down when it is told to, as busybox's does.
const obedient = `trap 'poweroff -f' USR2
echo up > /up
while :; do sleep 0.05; done
`

// stubborn is one that doesn't.
const stubborn = `trap '' USR2 TERM INT HUP
while :; do sleep 0.05; done
`

func TestCleanLife(t *testing.T) {
	g := newWorld(t).guest("web", obedient)
	g.start()
	run := g.status()
	if run.State != state.Running || run.Pid <= 1 || run.Boots != 1 || run.IDBase != 1800000000 || run.StartedAt.IsZero() {
		t.Errorf("run is %+v", run)
	}
	resp := g.stop()
	if resp.Run.State != state.Stopped || resp.Run.Exit.Reason != state.ReasonPoweroff || resp.Note != "" {
		t.Errorf("the stop was answered %+v, note %q", resp.Run, resp.Note)
	}
	// Again, under the same name.
	g.start()
	g.stop()
}

func TestStartThatFails(t *testing.T) {
	g := newWorld(t).guest("web", obedient)
	g.plan.Context.Init = []string{"/sbin/nothing"}
	rep, err := g.launch()
	if err != nil {
		t.Fatal(err)
	}
	f := rep.Error
	if rep.OK || f == nil || f.Call != "execve" || f.Path != "/sbin/nothing" || f.Errno != int(unix.ENOENT) {
		t.Errorf("the report is %+v, %+v", rep, f)
	}
	if run := g.ended(); run.Exit.Reason != state.ReasonFailed || run.Boots != 0 {
		t.Errorf("run is %+v", run)
	}
}

func TestHowItEnds(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		reason string
		code   int
		signal string
	}{
		"exits":      {"exit 3\n", state.ReasonExited, 3, ""},
		"powers-off": {"poweroff -f\n", state.ReasonPoweroff, -1, ""},
		"is-killed":  {"echo up > /up; while :; do sleep 0.05; done\n", state.ReasonSignal, -1, "SIGKILL"},
		"needs-room": {"exec dd if=/dev/zero of=/dev/null bs=200M\n", state.ReasonOOM, -1, "SIGKILL"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newWorld(t).guest(name, c.script)
			room := int64(32 << 20)
			g.plan.Limits.Memory = &room
			g.start()
			if name == "is-killed" {
				kill(t, g.status().Pid, unix.SIGKILL)
			}
			e := g.ended().Exit
			code := -1
			if e.Code != nil {
				code = *e.Code
			}
			if e.Reason != c.reason || code != c.code || e.Signal != c.signal {
				t.Errorf("exit is %+v, status %d", e, code)
			}
		})
	}
}

func TestRebootsAndFailures(t *testing.T) {
	w := newWorld(t)
	g := w.guest("web", `echo x >> /boots
n=$(cat /boots | busybox wc -l)
test $n -lt 4 && reboot -f
`+obedient)
	g.start()
	g.until("the fourth boot", func() error { return want(g.file("up"), "up\n") })
	if run := g.status(); run.Boots != 4 || run.State != state.Running || run.Exit.Reason != state.ReasonReboot {
		t.Errorf("run is %+v, exit %+v", run, run.Exit)
	}
	g.stop()

	g = w.guest("db", `echo x >> /boots
n=$(cat /boots | busybox wc -l)
test $n -lt 3 && exit 7
`+obedient)
	g.plan.Restart = monitor.RestartOnFailure
	g.start()
	g.until("the third boot", func() error { return want(g.file("up"), "up\n") })
	if run := g.status(); run.Boots != 3 || run.State != state.Running || *run.Exit.Code != 7 {
		t.Errorf("run is %+v, exit %+v", run, run.Exit)
	}
	g.stop()
}

func want(got, want string) error {
	if got != want {
		return errors.New("it is " + got)
	}
	return nil
}

// TestEndInBackoff: a guest that fails at once, and is to be started again, is
// stopped and killed in the pause.
func TestEndInBackoff(t *testing.T) {
	for name, req := range map[string]control.Request{
		"kill":   {Op: control.OpKill, Signal: int(unix.SIGKILL)},
		"stop":   {Op: control.OpStop},
		"nowait": {Op: control.OpStop, NoWait: true},
	} {
		t.Run(name, func(t *testing.T) {
			g := newWorld(t).guest("web", "exit 1\n")
			g.plan.Restart = monitor.RestartOnFailure
			g.start()
			g.until("the pause", func() error {
				resp := g.must(control.Request{Op: control.OpStatus})
				if !strings.HasPrefix(resp.Note, "it is started again in ") {
					return fmt.Errorf("it is %s, note %q", resp.Run.State, resp.Note)
				}
				if resp.Run.Pid != 0 || resp.Run.State != state.Starting {
					t.Fatalf("run is %+v", resp.Run)
				}
				return nil
			})
			boots := g.status().Boots
			g.must(req)
			if run := g.ended(); run.Exit.Reason != state.ReasonExited || run.Boots > boots+1 {
				t.Errorf("run is %+v after %d boots, exit %+v", run, boots, run.Exit)
			}
		})
	}
}

func TestNoTimeToStop(t *testing.T) {
	g := newWorld(t).guest("web", stubborn)
	g.plan.StopTimeout = 0
	g.start()
	if resp := g.stop(); resp.Note != "killed: it was given no time to stop" {
		t.Errorf("note %q", resp.Note)
	}
}

func TestStubbornInit(t *testing.T) {
	g := newWorld(t).guest("web", stubborn)
	g.start()
	req := control.Request{Op: control.OpStop, NoKill: true}
	req.SetTimeout(300 * time.Millisecond)
	if _, err := g.ask(req); !errors.Is(err, &control.Error{Kind: control.KindTimeout}) {
		t.Errorf("stop without a kill: %v", err)
	}
	req.NoKill = false
	resp := g.must(req)
	if !strings.HasPrefix(resp.Note, "killed: it did not stop in 300ms") || resp.Run.Exit.Reason != state.ReasonKilled {
		t.Errorf("note %q, exit %+v", resp.Note, resp.Run.Exit)
	}
	g.ended()
	g.start()
	g.must(control.Request{Op: control.OpKill, Signal: int(unix.SIGKILL)})
	if e := g.ended().Exit; e.Reason != state.ReasonKilled {
		t.Errorf("exit is %+v", e)
	}
}

func TestFrozen(t *testing.T) {
	g := newWorld(t).guest("web", obedient)
	g.start()
	if s := g.must(control.Request{Op: control.OpFreeze}).Run.State; s != state.Frozen {
		t.Errorf("after a freeze it is %s", s)
	}
	if _, err := g.ask(control.Request{Op: control.OpFreeze}); !errors.Is(err, &control.Error{Kind: control.KindState}) {
		t.Errorf("a second freeze: %v", err)
	}
	if s := g.must(control.Request{Op: control.OpThaw}).Run.State; s != state.Running {
		t.Errorf("after a thaw it is %s", s)
	}
	g.must(control.Request{Op: control.OpFreeze})
	if e := g.stop().Run.Exit; e.Reason != state.ReasonPoweroff {
		t.Errorf("stopped while frozen: %+v", e)
	}
	g.start()
	g.must(control.Request{Op: control.OpFreeze})
	g.must(control.Request{Op: control.OpKill, Signal: int(unix.SIGKILL)})
	if e := g.ended().Exit; e.Reason != state.ReasonKilled {
		t.Errorf("killed while frozen: %+v", e)
	}
}

func TestTerminatedMonitor(t *testing.T) {
	g := newWorld(t).guest("web", obedient)
	g.start()
	kill(t, g.status().MonitorPid, unix.SIGTERM)
	if e := g.ended().Exit; e.Reason != state.ReasonPoweroff {
		t.Errorf("exit is %+v", e)
	}
}

// TestStoppedMonitor: one that was stopped by SIGSTOP costs its own clients a
// timeout, and nobody else anything.
func TestStoppedMonitor(t *testing.T) {
	w := newWorld(t)
	web, db := w.guest("web", obedient), w.guest("db", obedient)
	web.start()
	db.start()
	pid := web.status().MonitorPid
	proctest.Stop(t, pid)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := web.askOnce(ctx, control.Request{Op: control.OpStatus}); !errors.Is(err, control.ErrTimeout) {
		t.Errorf("a stopped monitor: %v", err)
	}
	db.stop()
	kill(t, pid, unix.SIGCONT)
	web.stop()
}

func TestReady(t *testing.T) {
	w := newWorld(t)
	ready := control.Request{Op: control.OpWait, Ready: true}

	g := w.guest("prompts", "printf 'web login: '\n"+obedient)
	g.start()
	g.must(ready)
	g.stop()

	g = w.talkative("says-so")
	g.start()
	if run := g.must(ready).Run; !run.Ready {
		t.Errorf("run is %+v", run)
	}
	g.stop()
	if e := g.ended().Exit; e.Code == nil || *e.Code != 42 || e.Reason != state.ReasonPoweroff {
		t.Errorf("exit is %+v", e)
	}

	g = w.guest("is-asked", "touch /slow; sleep 0.3; touch /is-up\n"+obedient)
	g.plan.ReadyCmd = []string{"test", "-e", "/is-up"}
	g.start()
	g.must(ready)
	g.stop()
}

// TestFloodOfMessages: an init that never stops to send messages keeps nobody
// from being answered.
func TestFloodOfMessages(t *testing.T) {
	g := newWorld(t).talkative("floods")
	g.write("flood", "")
	g.start()
	g.must(control.Request{Op: control.OpWait, Ready: true})
	for range 20 {
		g.status()
	}
	if e := g.stop().Run.Exit; e.Reason != state.ReasonPoweroff {
		t.Errorf("exit is %+v", e)
	}
}

// talkative makes a guest whose init is talkativeInit.
func (w *world) talkative(name string) *guest {
	g := w.guest(name, "")
	root := w.top + "/" + name + "/rootfs"
	copyFile(w.t, g.conf.Helper, root+"/sbin/init")
	if err := os.Remove(root + "/bin/poweroff"); err != nil {
		w.t.Fatal(err)
	}
	g.write("bin/poweroff", "#!/bin/sh\ntouch /off\n")
	g.plan.Context.Init = []string{"/sbin/init", "init"}
	return g
}

// talkativeInit is an init that uses its notify socket. Its own poweroff, which a
// monitor runs inside of an init that it doesn't know, makes a file.
func talkativeInit() int {
	s, err := fdstore.Open(os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return 1
	}
	s.Notify("READY", "1", "STATUS", "up and \x1b[31mrunning", "EXIT_STATUS", "42")
	_, err = os.Stat("/flood")
	flood := err == nil
	for n := 0; ; n++ {
		if _, err := os.Stat("/off"); err == nil {
			unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
		}
		if flood {
			s.Notify("STATUS", strconv.Itoa(n))
			continue
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestWithdrawnOrder: a monitor that was asked for and not told to begin ends, whether
// its starter took the order back or died, and the guest can be started.
func TestWithdrawnOrder(t *testing.T) {
	w := newWorld(t)
	g := w.guest("web", obedient)
	for range 3 {
		order, err := monitor.NewOrder()
		if err != nil {
			t.Fatal(err)
		}
		pid, err := holder.Start(t.Context(), w.conf, "web", order.Plan, order.Theirs)
		if err != nil {
			t.Fatal(err)
		}
		order.Close()
		w.until("the end of the monitor", func() error {
			if !ended(pid) {
				return fmt.Errorf("process %d runs", pid)
			}
			return nil
		})
	}
	g.start()
	g.stop()
}
