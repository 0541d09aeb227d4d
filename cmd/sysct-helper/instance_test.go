package main

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTwoInstances: one guest, seen by two instances with run directories of
// their own, runs once.
func TestTwoInstances(t *testing.T) {
	one, two := newWorld(t), newWorld(t)
	g := one.guest("web", obedient)
	other := *g
	other.world = two
	other.plan.Base, other.plan.RunDir, other.plan.LogDir = two.conf.Base, two.conf.RunDir, two.conf.LogDir
	g.start()
	run := g.status()
	refused := func(monitor int) {
		t.Helper()
		rep, err := other.launch()
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("the guest runs already, kept by sysct-helper monitor web (pid %d)", monitor)
		if rep.Error == nil || !strings.Contains(rep.Error.Error(), want) || rep.Error.Errno != int(unix.EAGAIN) {
			t.Fatalf("the report is %+v, want %q", rep.Error, want)
		}
	}
	refused(run.MonitorPid)
	for range 2 {
		g.killMonitor()
		// The lock is kept while there is no monitor; the next has it.
		refused(g.status().MonitorPid)
	}
	if now := g.status(); now.Pid != run.Pid || now.Boots != 1 {
		t.Errorf("run is %+v, was %+v", now, run)
	}
	g.stop()
	other.start()
	other.stop()
	g.start()
	g.stop()
}
