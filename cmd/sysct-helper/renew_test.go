package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/guest/state"
)

// renewed waits until the guest's monitor has executed itself anew after a boot.
func (g *guest) renewed(boot int) *state.Run {
	g.t.Helper()
	run := g.status()
	g.until("the monitor's renewal", func() error {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", run.MonitorPid))
		if err == nil && !strings.Contains(string(env), fmt.Sprintf("SYSCT_RENEWED=%d\x00", boot)) {
			err = errors.New("its environment is the old one")
		}
		return err
	})
	return run
}

// TestRenewed: a monitor that has begun anew is the same process, knows all that it
// knew, and learns as its init's parent how that ended.
func TestRenewed(t *testing.T) {
	g := newWorld(t).guest("web", "trap 'exit 7' USR2\nwhile :; do sleep 0.05; done\n")
	g.start()
	old := g.renewed(1)
	run := g.status()
	if run.MonitorPid != old.MonitorPid || run.Pid != old.Pid || run.Boots != 1 || !run.StartedAt.Equal(old.StartedAt) {
		t.Errorf("run is %+v, was %+v", run, old)
	}
	data, err := os.ReadFile(g.conf.LogDir + "/web.log")
	if err != nil || strings.Contains(string(data), "takes the guest over") {
		t.Errorf("%v, its log:\n%s", err, data)
	}
	g.must(control.Request{Op: control.OpFreeze})
	g.must(control.Request{Op: control.OpThaw})
	kill(t, run.MonitorPid, unix.SIGTERM)
	if e := g.ended().Exit; e.Code == nil || *e.Code != 7 {
		t.Errorf("exit is %+v", e)
	}
}

// TestRenewedAgain: each boot is followed by a renewal, and a death after one by a
// takeover as ever.
func TestRenewedAgain(t *testing.T) {
	g := newWorld(t).guest("web", `trap 'poweroff -f' USR2
trap 'reboot -f' USR1
echo boot >> /boots
while :; do sleep 0.05; done
`)
	g.start()
	first := g.renewed(1)
	kill(t, first.Pid, unix.SIGUSR1)
	g.until("the second boot", func() error { return want(g.file("boots"), "boot\nboot\n") })
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.status().Pid)); err != nil || !strings.Contains(string(status), "SigBlk:\t0000000000000000\n") {
		t.Errorf("init has signals blocked: %v\n%s", err, status)
	}
	if run := g.renewed(2); run.MonitorPid != first.MonitorPid || run.Boots != 2 {
		t.Errorf("run is %+v, was %+v", run, first)
	}
	g.killMonitor()
	if run := g.status(); run.MonitorPid == first.MonitorPid || run.Boots != 2 || run.State != state.Running {
		t.Errorf("run is %+v, was %+v", run, first)
	}
	if e := g.stop().Run.Exit; e.Reason != state.ReasonPoweroff {
		t.Errorf("exit is %+v", e)
	}
}

// TestStoppedWhileItBeginsAnew: a signal that comes before the new program catches it
// stops the guest all the same.
func TestStoppedWhileItBeginsAnew(t *testing.T) {
	g := newWorld(t).guest("web", "trap 'exit 7' USR2\nwhile :; do sleep 0.05; done\n")
	g.start()
	run := g.status()
	for deadline := time.Now().Add(time.Minute); ; {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", run.MonitorPid))
		if err == nil && strings.Contains(string(env), "SYSCT_RENEWED=1\x00") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it doesn't begin anew: %v", err)
		}
	}
	kill(t, run.MonitorPid, unix.Signal(monitor.SigStop))
	if e := g.ended().Exit; e.Code == nil || *e.Code != 7 {
		t.Errorf("exit is %+v", e)
	}
	data, err := os.ReadFile(g.conf.LogDir + "/web.log")
	if err != nil || strings.Contains(string(data), "takes the guest over") {
		t.Errorf("%v, its log:\n%s", err, data)
	}
}

// TestStoppedAtTheExecution: so does one that comes at the last moment of the old program, when
// that catches it still, and when its threads would and be gone. It begins with the signal
// blocked by then, as one that systemd starts does.
func TestStoppedAtTheExecution(t *testing.T) {
	helper := buildFailing(t)
	for _, step := range []string{"be deaf 2", "begin anew 2"} {
		t.Run(step, func(t *testing.T) {
			once := t.TempDir() + "/once"
			if err := os.WriteFile(once, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("SYSCT_FAILPOINT", "asked:"+step)
			t.Setenv("SYSCT_FAILPOINT_ONCE", once)
			g := failing(t, helper).guest("web", `trap 'exit 7' USR2
trap 'reboot -f' USR1
echo boot >> /boots
while :; do sleep 0.05; done
`)
			g.start()
			run := g.renewed(1)
			kill(t, run.Pid, unix.SIGUSR1)
			if e := g.ended().Exit; e.Code == nil || *e.Code != 7 {
				t.Errorf("exit is %+v", e)
			}
			data, err := os.ReadFile(g.conf.LogDir + "/web.log")
			if text := string(data); err != nil || strings.Contains(text, "takes the guest over") || strings.Count(text, "asked to end") != 1 {
				t.Errorf("%v, its log:\n%s", err, data)
			}
		})
	}
}
