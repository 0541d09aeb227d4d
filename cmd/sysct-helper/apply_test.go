package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/limits/detect"
	"github.com/sysct/sysct/pkg/vnet/space"
)

// pids limits processes alone.
func pids(n int64) limits.Limits { return limits.Limits{Pids: &n} }

// apply asks once for other limits.
func (g *guest) apply(l limits.Limits) error {
	g.t.Helper()
	return g.change(&monitor.Change{Limits: &l, Config: map[string]string{"limits.pids": fmt.Sprint(*l.Pids)}})
}

func (g *guest) change(c *monitor.Change) error {
	g.t.Helper()
	fd, err := monitor.WriteChange(c)
	if err != nil {
		g.t.Fatal(err)
	}
	defer unix.Close(fd)
	fds, err := g.withFDs(control.OpApply, fd)
	control.CloseAll(fds)
	return err
}

func (g *guest) withFDs(op control.Op, send ...int) ([]int, error) {
	g.t.Helper()
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
	ctx, cancel := context.WithTimeout(g.t.Context(), time.Minute)
	defer cancel()
	var resp control.Response
	return c.CallFDs(ctx, control.Request{Op: op}, send, &resp)
}

// hasPids is the limit as the kernel has it, which has to be what the plan says.
func (g *guest) hasPids() (int64, error) {
	fds, err := g.withFDs(control.OpPlan)
	if err != nil {
		return 0, err
	}
	defer control.CloseAll(fds)
	plan, err := monitor.ReadPlan(fds[0])
	if err != nil {
		return 0, err
	}
	backend, err := detect.Detect()
	if err != nil {
		return 0, err
	}
	group, err := backend.Open(g.conf.Base, g.name)
	if err != nil {
		return 0, err
	}
	defer group.Close()
	stats, err := group.Stats()
	if err != nil {
		return 0, err
	}
	if stats.Pids == nil || stats.Pids.Max == nil || *stats.Pids.Max != *plan.Limits.Pids {
		return 0, fmt.Errorf("the kernel has %+v, the plan %d", stats.Pids, *plan.Limits.Pids)
	}
	most := *stats.Pids.Max
	if text, noted := plan.Config["limits.pids"]; noted && text != fmt.Sprint(most) {
		return 0, fmt.Errorf("the kernel has %d, the plan's configuration %s", most, text)
	}
	return most, nil
}

func (g *guest) untilPids(n int64) {
	g.t.Helper()
	g.until(fmt.Sprintf("a limit of %d processes", n), func() error {
		got, err := g.hasPids()
		if err == nil && got != n {
			err = fmt.Errorf("it is %d", got)
		}
		return err
	})
}

// TestMonitorKilledInChange: whenever a monitor is killed in a change, the next one has
// the old or the new limits, in the kernel and in the plan, and makes the change when it is
// asked; the guest's next boot has it, too.
func TestMonitorKilledInChange(t *testing.T) {
	helper := buildFailing(t)
	for step, after := range map[string]int64{
		"announce change": 100, "change groups": 100, "commit change": 100, "replace plan": 200, "end change": 200,
	} {
		t.Run(step, func(t *testing.T) {
			once := t.TempDir() + "/once"
			if err := os.WriteFile(once, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("SYSCT_FAILPOINT", "kill:"+step)
			t.Setenv("SYSCT_FAILPOINT_ONCE", once)
			g := failing(t, helper).guest("web", obedient)
			g.plan.Limits, g.plan.Config = pids(100), map[string]string{"limits.pids": "100"}
			net, verbs := networkProgram(t)
			net.Private, net.Loopback = g.plan.Context.Net.Private, g.plan.Context.Net.Loopback
			g.plan.Context.Net = net
			g.start()
			init := g.status().Pid
			l, other := pids(200), net
			other.Setup = []byte(`{"guest":"other"}`)
			if err := g.change(&monitor.Change{Limits: &l, Net: &other, Config: map[string]string{"limits.pids": "200"}}); !errors.Is(err, control.ErrLost) {
				t.Errorf("the answer of a killed monitor is %v", err)
			}
			g.untilPids(after)
			undone := fmt.Sprintf("undo\n{\"guest\":\"other\"}\n{\"guest\":\"web\"}\npid %d\n", init)
			g.until("the network's undoing", func() error {
				if now := verbs(); strings.Contains(now, undone) != (after == 100) {
					return errors.New(now)
				}
				return nil
			})
			g.until("the next change", func() error { return g.apply(pids(300)) }) // once the undoing has ended
			g.killMonitor()
			g.untilPids(300)
			if now := g.status().Pid; now != init {
				t.Errorf("init was process %d and is %d", init, now)
			}
			g.stop()
		})
	}
}

// networkProgram stands for sysct-net, and writes down what it is asked.
func networkProgram(t *testing.T) (net space.Plan, asked func() string) {
	dir := t.TempDir()
	program := dir + "/sysct-net"
	if err := os.WriteFile(program, []byte("#!/bin/sh\n{ echo $1; cat; } >>"+dir+"/asked\necho done\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return space.Plan{Program: program, Setup: []byte(`{"guest":"web"}`)}, func() string {
		text, _ := os.ReadFile(dir + "/asked")
		return string(text)
	}
}

// TestChangeAfterMonitorKilledInChange: what is asked of the next monitor at once isn't
// undone by its taking back of what the one before died in, which may take longer. Here it
// waits to choose CPUs.
func TestChangeAfterMonitorKilledInChange(t *testing.T) {
	once := t.TempDir() + "/once"
	if err := os.WriteFile(once, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SYSCT_FAILPOINT", "kill:commit change")
	t.Setenv("SYSCT_FAILPOINT_ONCE", once)
	g := failing(t, buildFailing(t)).guest("web", obedient)
	g.plan.Limits = limits.Limits{CPUs: 1}
	g.start()
	choosing := cpusetMount(t)
	if err := unix.Flock(int(choosing.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	all := &monitor.Change{Limits: &limits.Limits{}}
	if err := g.change(all); !errors.Is(err, control.ErrLost) {
		t.Errorf("the answer of a killed monitor is %v", err)
	}
	g.until("the change", func() error { return g.change(all) })
	g.until("the end of the undoing", func() error {
		if !strings.Contains(g.log(), "was taken back") {
			return errors.New(g.log())
		}
		return nil
	})
	if n := g.hasCPUs(); n != runtime.NumCPU() {
		t.Errorf("the change was made, and the guest has %d of %d CPUs", n, runtime.NumCPU())
	}
	g.stop()
}

// cpusetMount is the hierarchy that has the cpuset controller.
func cpusetMount(t *testing.T) *os.File {
	t.Helper()
	tree, err := detect.Find()
	if err != nil {
		t.Fatal(err)
	}
	path := tree.V2
	if v1, ok := tree.V1["cpuset"]; ok {
		path = v1
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// hasCPUs is how many CPUs the guest's init may run on.
func (g *guest) hasCPUs() int {
	g.t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(g.status().Pid, &set); err != nil {
		g.t.Fatal(err)
	}
	return set.Count()
}

// TestChangeFails: the guest and its plan are as before.
func TestChangeFails(t *testing.T) {
	t.Setenv("SYSCT_FAILPOINT", "error:change groups")
	g := failing(t, buildFailing(t)).guest("web", obedient)
	g.plan.Limits = pids(100)
	g.start()
	if err := g.apply(pids(200)); !errors.Is(err, &control.Error{Kind: control.KindFailed}) || !strings.Contains(err.Error(), "failpoint before change groups") {
		t.Errorf("the answer is %v", err)
	}
	g.untilPids(100)
	g.killMonitor()
	g.untilPids(100)
	if _, err := g.withFDs(control.OpApply); !errors.Is(err, &control.Error{Kind: control.KindInvalid}) {
		t.Errorf("a change without a change: %v", err)
	}
	g.stop()
}
