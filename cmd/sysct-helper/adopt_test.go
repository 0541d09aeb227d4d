package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/proctest"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
)

// TestKilledMonitors kills one monitor after the other while the guest writes
// to its console. Each successor goes on, and the log has every line once.
func TestKilledMonitors(t *testing.T) {
	g := newWorld(t).guest("web", `trap 'poweroff -f' USR2
i=0
while test $i -lt 2000; do i=$((i+1)); echo line $i; done
echo up > /up
while :; do sleep 0.05; done
`)
	g.start()
	first := g.status()
	killed := 0
	for ; killed < 20 || g.file("up") == ""; killed++ {
		g.killMonitor()
	}
	run := g.status()
	if run.Pid != first.Pid || run.Boots != 1 || !run.StartedAt.Equal(first.StartedAt) || run.State != state.Running {
		t.Errorf("after %d kills run is %+v, was %+v", killed, run, first)
	}
	g.until("the last line in the log", func() error {
		data, err := os.ReadFile(g.conf.LogDir + "/web.console.log")
		if err != nil || !strings.Contains(string(data), "line 2000\r\n") {
			return errors.New("it isn't there")
		}
		return nil
	})
	g.checkLines(2000)
	if e := g.stop().Run.Exit; e.Reason != state.ReasonPoweroff {
		t.Errorf("exit is %+v", e)
	}
	t.Logf("%d monitors were killed", killed)
}

// checkLines says that the console's log has `line 1` to `line n`, each once.
func (g *guest) checkLines(n int) {
	g.t.Helper()
	data, err := os.ReadFile(g.conf.LogDir + "/" + g.name + ".console.log")
	if err != nil {
		g.t.Fatal(err)
	}
	last := 0
	for line := range strings.Lines(string(data)) {
		var i int
		if _, err := fmt.Sscanf(line, "line %d", &i); err != nil {
			continue
		}
		if i != last+1 {
			g.t.Errorf("line %d comes after line %d", i, last)
		}
		last = i
	}
	if last != n {
		g.t.Errorf("the last line is %d of %d", last, n)
	}
}

func TestWaitersAreServedByTheNext(t *testing.T) {
	g := newWorld(t).guest("web", obedient)
	g.start()
	g.killMonitor()
	// Nobody may be there now; the socket is.
	if s := g.must(control.Request{Op: control.OpWait, States: []state.State{state.Running}}).Run.State; s != state.Running {
		t.Errorf("it is %s", s)
	}
	g.stop()
}

// TestEndWithoutMonitor: a guest that ends while its monitor is dead is known to
// have ended, and how.
func TestEndWithoutMonitor(t *testing.T) {
	w := newWorld(t)
	g := w.guest("web", obedient)
	g.start()
	pid := g.status().Pid
	g.killMonitor()
	kill(t, pid, unix.SIGKILL)
	if e := g.ended().Exit; e.Signal != "SIGKILL" || e.Reason != state.ReasonSignal {
		t.Errorf("exit is %+v", e)
	}
	g = w.guest("off", obedient)
	g.start()
	g.up()
	pid = g.status().Pid
	g.killMonitor()
	kill(t, pid, unix.SIGUSR2)
	if e := g.ended().Exit; e.Reason != state.ReasonPoweroff {
		t.Errorf("exit is %+v", e)
	}
	g = w.guest("db", `echo x >> /boots
n=$(cat /boots | busybox wc -l)
test $n -gt 1 && echo up > /up
trap 'poweroff -f' USR2
trap 'reboot -f' USR1
touch /listens
while :; do sleep 0.05; done
`)
	g.start()
	g.until("the traps", func() error {
		_, err := os.Stat(w.top + "/db/rootfs/listens")
		return err
	})
	pid = g.status().Pid
	g.killMonitor()
	kill(t, pid, unix.SIGUSR1)
	g.until("the second boot", func() error { return want(g.file("up"), "up\n") })
	if run := g.status(); run.Boots != 2 || run.Exit.Reason != state.ReasonReboot {
		t.Errorf("run is %+v, exit %+v", run, run.Exit)
	}
	g.stop()
}

// up waits until an obedient init listens.
func (g *guest) up() {
	g.t.Helper()
	g.until("it to be up", func() error { return want(g.file("up"), "up\n") })
}

func TestKilledWhileFrozen(t *testing.T) {
	g := newWorld(t).guest("web", obedient)
	g.start()
	g.must(control.Request{Op: control.OpFreeze})
	g.killMonitor()
	if s := g.status().State; s != state.Frozen {
		t.Errorf("it is %s", s)
	}
	g.must(control.Request{Op: control.OpThaw})
	g.stop()
}

// TestKilledWhileStopping: the deadline of a stop is kept.
func TestKilledWhileStopping(t *testing.T) {
	g := newWorld(t).guest("web", stubborn)
	g.start()
	req := control.Request{Op: control.OpStop}
	req.SetTimeout(time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := g.askOnce(ctx, req); !errors.Is(err, control.ErrTimeout) {
		t.Errorf("stop: %v", err)
	}
	g.killMonitor()
	if e := g.ended().Exit; e.Reason != state.ReasonKilled {
		t.Errorf("exit is %+v", e)
	}
}

// TestKilledAnywhere kills the monitor at any time of a start, a reboot and a
// stop. At the end the guest runs or is stopped, never neither.
func TestKilledAnywhere(t *testing.T) {
	w := newWorld(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for i := range 25 {
		g := w.guest(fmt.Sprintf("g%d", i), `echo x >> /boots
n=$(cat /boots | busybox wc -l)
test $n -lt 2 && reboot -f
`+obedient)
		killer := make(chan struct{})
		go func() {
			defer close(killer)
			for range 4 {
				time.Sleep(time.Duration(rnd.IntN(40)) * time.Millisecond)
				w.killMonitorsOf(g.name)
			}
		}()
		if rep, err := g.launch(); err == nil && rep.Error != nil {
			t.Fatalf("start: %v", rep.Error)
		}
		<-killer
		g.until("it to run", func() error {
			resp, err := g.ask(control.Request{Op: control.OpStatus})
			if err != nil {
				return err
			}
			if run := resp.Run; run.State != state.Running || run.Boots < 2 && g.file("up") == "" {
				return fmt.Errorf("it is %s after boot %d", run.State, run.Boots)
			}
			return nil
		})
		again := make(chan struct{})
		go func() {
			defer close(again)
			for range 3 {
				time.Sleep(time.Duration(rnd.IntN(30)) * time.Millisecond)
				w.killMonitorsOf(g.name)
			}
		}()
		g.stop()
		<-again
	}
}

// killMonitorsOf kills whoever keeps a guest of this world at the moment.
func (w *world) killMonitorsOf(name string) {
	lock, err := os.Stat(w.conf.RunDir + "/" + name + "/monitor.lock")
	if err != nil {
		return
	}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		cmdline, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if string(cmdline) != "sysct-helper\x00monitor\x00"+name+"\x00" {
			continue
		}
		if !holds(e.Name(), lock) {
			continue
		}
		var pid int
		fmt.Sscan(e.Name(), &pid)
		unix.Kill(pid, unix.SIGKILL)
	}
}

// holds says whether a process has a file open: guests of other worlds may have
// the same name.
func holds(pid string, file os.FileInfo) bool {
	fds, _ := os.ReadDir("/proc/" + pid + "/fd")
	for _, fd := range fds {
		if st, err := os.Stat("/proc/" + pid + "/fd/" + fd.Name()); err == nil && os.SameFile(st, file) {
			return true
		}
	}
	return false
}

// TestHolderDies: its monitors get themselves another one, and are kept by it.
func TestHolderDies(t *testing.T) {
	w := newWorld(t)
	web, db := w.guest("web", obedient), w.guest("db", obedient)
	web.start()
	db.start()
	pids := [2]int{web.status().Pid, db.status().Pid}
	for range 3 {
		old := w.holderPid()
		kill(t, old, unix.SIGKILL)
		w.until("another holder", func() error {
			dir, err := os.Open(w.conf.RunDir)
			if err != nil {
				return err
			}
			defer dir.Close()
			c, err := control.DialAt(t.Context(), int(dir.Fd()), control.HolderSocketName)
			if err != nil {
				return err
			}
			defer c.Close()
			// The old one's socket takes clients until it is gone for good.
			var resp control.Response
			if _, err := c.Call(t.Context(), control.Request{Op: control.OpStatus}, &resp); err != nil || resp.Pid == old {
				return fmt.Errorf("holder %d: %w", resp.Pid, err)
			}
			return nil
		})
		w.until("the adoption of both", func() error {
			log, _ := os.ReadFile(w.conf.LogDir + "/holder.log")
			if _, after, _ := strings.Cut(string(log), fmt.Sprintf("holder %d starts", w.holderPid())); strings.Count(after, "is adopted") < 2 {
				return errors.New("not yet")
			}
			return nil
		})
		web.killMonitor()
		db.killMonitor()
		// If the holder died with them, nobody would be left.
		web.status()
		db.status()
	}
	if got := [2]int{web.status().Pid, db.status().Pid}; got != pids {
		t.Errorf("the guests' inits are %v, were %v", got, pids)
	}
	web.stop()
	db.stop()
}

// TestBothDie: with nobody left who has its descriptors, a guest is ended and
// started anew, if that is allowed.
func TestBothDie(t *testing.T) {
	w := newWorld(t)
	// With its listener gone, its reboot(2) fails: it waits, as an init does.
	g := w.guest("web", `trap 'poweroff -f; exec sleep 3600' USR2
while :; do sleep 0.05; done
`)
	g.start()
	run := g.status()
	held := w.holderPid()
	// Stopped first, so that neither can replace the other.
	proctest.Stop(t, run.MonitorPid)
	proctest.Stop(t, held)
	kill(t, run.MonitorPid, unix.SIGKILL)
	kill(t, held, unix.SIGKILL)
	w.until("the end of both", func() error {
		_, err := g.askOnce(t.Context(), control.Request{Op: control.OpStatus})
		if !errors.Is(err, control.ErrNoMonitor) {
			return fmt.Errorf("somebody listens: %w", err)
		}
		return nil
	})
	rep, err := g.launch()
	if err != nil || rep.Error == nil || !strings.Contains(rep.Error.Message, "no monitor keeps them") {
		t.Fatalf("a start beside it: %+v, %v", rep, err)
	}
	if err := unix.Kill(run.Pid, 0); err != nil {
		t.Fatalf("the guest's init: %v", err)
	}
	g.plan.Recover = true
	g.start()
	now := g.status()
	if now.Pid == run.Pid || now.State != state.Running || !ended(run.Pid) {
		t.Errorf("run is %+v, was %+v", now, run)
	}
	log, err := os.ReadFile(w.conf.LogDir + "/web.log")
	if err != nil || !strings.Contains(string(log), "init has nothing left to do after `poweroff` inside") {
		t.Errorf("the log says nothing of a clean end: %v\n%s", err, log)
	}
	g.stop()
}

// ended says that a process has gone, or waits to be reaped by the host's init,
// which may take its time.
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) || strings.HasPrefix(rest, "Z")
}
