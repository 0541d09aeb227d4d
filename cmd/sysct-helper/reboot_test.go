package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/proctest"
	"github.com/sysct/sysct/pkg/context/seccomp"
	"github.com/sysct/sysct/pkg/guest/state"
)

// orphaned has the guest's monitor and its holder die, in this order, so that neither
// its parent nor the holder can say how its init ends; both are there anew.
func (g *guest) orphaned() *state.Run {
	g.t.Helper()
	g.killMonitor()
	run := g.status()
	old := g.holderPid()
	kill(g.t, old, unix.SIGKILL)
	log := g.conf.LogDir + "/holder.log"
	g.until("another holder", func() error {
		data, err := os.ReadFile(log)
		if err == nil && !strings.Contains(string(data), fmt.Sprintf("monitor %d of %s is adopted", run.MonitorPid, g.name)) {
			err = fmt.Errorf("the monitor %d isn't adopted", run.MonitorPid)
		}
		return err
	})
	if ppid := parentOf(g.t, run.Pid); ppid == run.MonitorPid || ppid == g.holderPid() {
		g.t.Fatalf("init %d is a child of %d", run.Pid, ppid)
	}
	return run
}

// booted waits until the guest runs in its nth boot.
func (g *guest) booted(n int) *state.Run {
	g.t.Helper()
	var run *state.Run
	g.until(fmt.Sprintf("boot %d", n), func() error {
		if run = g.status(); run.Boots != n || run.State != state.Running {
			return fmt.Errorf("run is %+v", run)
		}
		return want(g.file("boots"), strings.Repeat("boot\n", n))
	})
	return run
}

func parentOf(t *testing.T, pid int) (ppid int) {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	var st byte
	if _, err := fmt.Sscanf(string(data[strings.LastIndexByte(string(data), ')')+1:]), " %c %d", &st, &ppid); err != nil {
		t.Fatal(err)
	}
	return ppid
}

// TestRebootOfOrphan: how a guest ends is known when nobody waits for its init, by
// what it says itself to the kernel.
func TestRebootOfOrphan(t *testing.T) {
	for word, c := range map[string]struct{ command, reason string }{
		"poweroff": {"poweroff -f", state.ReasonPoweroff},
		"halt":     {"busybox halt -f", state.ReasonHalt},
		"exit":     {"exit 0", state.ReasonExited},
		"killed":   {"", state.ReasonSignal},
	} {
		t.Run(word, func(t *testing.T) {
			g := newWorld(t).guest(word, "trap '"+c.command+"' USR1\necho up > /up\nwhile :; do sleep 0.05; done\n")
			g.start()
			g.up()
			run := g.orphaned()
			sig := unix.SIGUSR1
			if c.command == "" {
				sig = unix.SIGKILL
			}
			kill(t, run.Pid, sig)
			if e := g.ended().Exit; e.Reason != c.reason {
				t.Errorf("exit is %+v", e)
			}
		})
	}
	t.Run("reboot", func(t *testing.T) {
		g := newWorld(t).guest("reboot", `trap 'reboot -f' USR1
trap 'poweroff -f' USR2
echo boot >> /boots
while :; do sleep 0.05; done
`)
		g.start()
		g.booted(1)
		run := g.orphaned()
		kill(t, run.Pid, unix.SIGUSR1)
		if now := g.booted(2); now.Exit == nil || now.Exit.Reason != state.ReasonReboot {
			t.Errorf("run is %+v, exit %+v", now, now.Exit)
		}
		g.stop()
	})
}

// TestHaltIsNoPoweroff: the two differ also where the parent is there, which can't tell.
func TestHaltIsNoPoweroff(t *testing.T) {
	g := newWorld(t).guest("web", "busybox halt -f\n")
	g.start()
	if e := g.ended().Exit; e.Reason != state.ReasonHalt {
		t.Errorf("exit is %+v", e)
	}
}

// TestRebootWaitsForMonitor: a call that comes while there is no monitor, or while the
// one that took it is stopped, is noted and carried out by the next.
func TestRebootWaitsForMonitor(t *testing.T) {
	g := newWorld(t).guest("web", `trap 'reboot -f' USR1
trap 'poweroff -f' USR2
echo boot >> /boots
while :; do sleep 0.05; done
`)
	g.start()
	for boots := 1; boots < 4; boots++ {
		run := g.booted(boots)
		proctest.Stop(t, run.MonitorPid)
		kill(t, run.Pid, unix.SIGUSR1)
		g.until("the call", func() error { return callsReboot(run.Pid) })
		if boots%2 == 0 {
			kill(t, run.MonitorPid, unix.SIGCONT)
		} else {
			kill(t, run.MonitorPid, unix.SIGKILL)
		}
	}
	if run := g.booted(4); run.Exit.Reason != state.ReasonReboot {
		t.Errorf("run is %+v, exit %+v", run, run.Exit)
	}
	g.stop()
}

// callsReboot says whether a child of a process is in reboot(2).
func callsReboot(pid int) error {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, path := range tasks {
		children, _ := os.ReadFile(path)
		for _, child := range strings.Fields(string(children)) {
			call, _ := os.ReadFile("/proc/" + child + "/syscall")
			if strings.HasPrefix(string(call), fmt.Sprintf("%d ", unix.SYS_REBOOT)) {
				return nil
			}
		}
	}
	return fmt.Errorf("no child of %d is in it", pid)
}

// TestOthersRebootNothing: the calls of who may not reboot, or is in a pid namespace
// below the guest's, are no word about the guest.
func TestOthersRebootNothing(t *testing.T) {
	g := newWorld(t).guest("web", `busybox su nobody -c 'poweroff -f'
busybox unshare -p -f --mount-proc sh -c 'poweroff -f'
busybox unshare -U -r poweroff -f
echo up > /up
while :; do sleep 0.05; done
`)
	if err := os.Mkdir(filepath.Join(g.top, g.name, "rootfs/etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	g.write("etc/passwd", "root::0:0::/:/bin/sh\nnobody::1234:1234::/:/bin/sh\n")
	g.start()
	g.up()
	run := g.orphaned()
	kill(t, run.Pid, unix.SIGKILL)
	if e := g.ended().Exit; e.Reason != state.ReasonSignal || e.Signal != "SIGKILL" {
		t.Errorf("exit is %+v", e)
	}
	log, err := os.ReadFile(g.conf.LogDir + "/web.log")
	if err != nil || strings.Contains(string(log), "calls reboot(2)") {
		t.Errorf("%v, its log:\n%s", err, log)
	}
}

// TestRebootTakenByTheDead: a call that a monitor has taken, and died, is noted and
// carried out by the next.
func TestRebootTakenByTheDead(t *testing.T) {
	once := t.TempDir() + "/once"
	if err := os.WriteFile(once, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SYSCT_FAILPOINT", "kill:judge call")
	t.Setenv("SYSCT_FAILPOINT_ONCE", once)
	g := failing(t, buildFailing(t)).guest("web", "busybox halt -f\n")
	g.start()
	if e := g.ended().Exit; e.Reason != state.ReasonHalt {
		t.Errorf("exit is %+v", e)
	}
	if _, err := os.Lstat(once); err == nil {
		t.Error("the failpoint was not passed")
	}
}

// TestRebootHeardLater: a call that can't be heard of at once doesn't wait for ever.
func TestRebootHeardLater(t *testing.T) {
	once := t.TempDir() + "/once"
	if err := os.WriteFile(once, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SYSCT_FAILPOINT", "error:hear call")
	t.Setenv("SYSCT_FAILPOINT_ONCE", once)
	g := failing(t, buildFailing(t)).guest("web", "busybox halt -f\n")
	g.start()
	if e := g.ended().Exit; e.Reason != state.ReasonHalt {
		t.Errorf("exit is %+v", e)
	}
	if _, err := os.Lstat(once); err == nil {
		t.Error("the failpoint was not passed")
	}
}

// TestNoListener: inside what has a listener for itself a guest has none, and is told
// so; its reboot works.
func TestNoListener(t *testing.T) {
	w := newWorld(t)
	script := t.TempDir() + "/helper"
	text := fmt.Sprintf("#!/bin/sh\nexec %s listened \"$@\"\n", w.conf.Helper)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	w.conf.Helper = script
	g := w.guest("web", "test -e /again && poweroff -f\ntouch /again\nreboot -f\n")
	rep, err := g.launch()
	if err != nil || rep.Error != nil || len(rep.Warnings) != 1 || !strings.Contains(rep.Warnings[0], "no listener for its system calls") {
		t.Fatalf("the report is %+v, %v", rep, err)
	}
	if run := g.ended(); run.Exit.Reason != state.ReasonPoweroff || run.Boots != 2 {
		t.Errorf("run is %+v, exit %+v", run, run.Exit)
	}
}

// listened executes this program as the holder with a listener on its system calls,
// which stays open.
func listened(args []string) int {
	if args[0] == "holder" {
		runtime.LockOSThread()
		fd, err := seccomp.Load([]unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}}, true)
		if err == nil {
			_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	exe, err := os.Executable()
	if err == nil {
		err = unix.Exec(exe, append([]string{"sysct-helper"}, args...), os.Environ())
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}
