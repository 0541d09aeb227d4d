package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/proctest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// log is the monitor's log.
func (g *guest) log() string {
	g.t.Helper()
	data, err := os.ReadFile(g.conf.LogDir + "/" + g.name + ".log")
	if err != nil {
		g.t.Fatal(err)
	}
	return string(data)
}

// TestCrash: the log has the trace of a monitor that crashed, and the next one says of
// what, and how one died that left no trace.
func TestCrash(t *testing.T) {
	g := newWorld(t).guest("web", obedient)
	g.start()
	first := g.status()
	for sig, want := range map[unix.Signal]string{
		unix.SIGSEGV: `died, with status 2: SIGSEGV: segmentation violation\n`,
		unix.SIGKILL: `died, by the signal SIGKILL\n`,
	} {
		run := g.status()
		kill(t, run.MonitorPid, sig)
		g.until("another monitor", func() error {
			if now := g.status(); now.MonitorPid == run.MonitorPid {
				return fmt.Errorf("it is still %d", now.MonitorPid)
			}
			return nil
		})
		if !regexp.MustCompile(`(?m)^20\S+ the monitor before this one ` + want).MatchString(g.log()) {
			t.Errorf("%v, the log:\n%s", sig, g.log())
		}
	}
	if !strings.Contains(g.log(), "goroutine 1 ") {
		t.Errorf("no trace is in the log:\n%s", g.log())
	}
	if run := g.status(); run.Pid != first.Pid || run.Boots != 1 {
		t.Errorf("run is %+v, was %+v", run, first)
	}
	g.stop()
}

// TestHungMonitor: one that gives no sign of life is killed and replaced; the guest,
// which waits for it in a call, goes on.
func TestHungMonitor(t *testing.T) {
	w := newWorld(t)
	w.conf.Watchdog = 8 * time.Second // the other one may be late by some of it
	g := w.guest("web", `trap 'reboot -f' USR1
trap 'poweroff -f' USR2
echo boot >> /boots
while :; do sleep 0.05; done
`)
	other := w.guest("db", obedient)
	g.start()
	other.start()
	run, others := g.booted(1), other.status()
	proctest.Stop(t, run.MonitorPid)
	kill(t, run.Pid, unix.SIGUSR1)
	if now := g.booted(2); now.MonitorPid == run.MonitorPid || now.Exit.Reason != state.ReasonReboot {
		t.Errorf("run is %+v, was %+v", now, run)
	}
	if now := other.status(); now.MonitorPid != others.MonitorPid {
		t.Errorf("the other monitor was %d, is %d", others.MonitorPid, now.MonitorPid)
	}
	if !strings.Contains(g.log(), "died, killed, as it gave no sign of life") {
		t.Errorf("the log says nothing of it:\n%s", g.log())
	}
	g.stop()
	other.stop()
}
