package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/sysct/sysct/internal/testprograms"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
)

// startSteps are the failpoints that the start of a guest passes, in their order.
var startSteps = []string{
	"lock guest", "open life", "listen", "make groups",
	"open stage socket", "clone", "mount rootfs", "make /dev", "open /sys",
	"set up stage", "wait for stage", "store", "exec init",
}

// failing is a world whose monitors have failpoints.
func failing(t *testing.T, helper string) *world {
	t.Helper()
	w := newWorld(t)
	w.conf.Helper = helper
	return w
}

func buildFailing(t *testing.T) string {
	t.Helper()
	helper := t.TempDir() + "/sysct-helper"
	if err := testprograms.Build(helper, "sysct-helper", "failpoints"); err != nil {
		t.Fatal(err)
	}
	return helper
}

// TestMonitorKilledInStart: whenever the first monitor is killed, the next one has
// the guest running, once; and when it is stopped nothing is left.
func TestMonitorKilledInStart(t *testing.T) {
	helper := buildFailing(t)
	for _, step := range startSteps {
		t.Run(strings.ReplaceAll(step, "/", ""), func(t *testing.T) {
			once := t.TempDir() + "/once"
			if err := os.WriteFile(once, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("SYSCT_FAILPOINT", "kill:"+step)
			t.Setenv("SYSCT_FAILPOINT_ONCE", once)
			g := failing(t, helper).guest("web", obedient)
			rep, err := g.launch()
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("the report of a killed monitor is %+v, %v", rep, err)
			}
			g.until("it to run", func() error {
				resp, err := g.ask(control.Request{Op: control.OpStatus})
				if err == nil && (resp.Run.State != state.Running || g.file("up") == "") {
					err = fmt.Errorf("it is %s", resp.Run.State)
				}
				return err
			})
			if run := g.status(); run.Boots != 1 {
				t.Errorf("run is %+v", run)
			}
			if _, err := os.Lstat(once); err == nil {
				t.Error("the failpoint was not passed")
			}
			g.stop()
		})
	}
}

// TestErrorInStart: it is reported, and nothing is left.
func TestErrorInStart(t *testing.T) {
	helper := buildFailing(t)
	for _, step := range startSteps {
		t.Run(strings.ReplaceAll(step, "/", ""), func(t *testing.T) {
			t.Setenv("SYSCT_FAILPOINT", "error:"+step)
			g := failing(t, helper).guest("web", obedient)
			rep, err := g.launch()
			if err != nil || rep.Error == nil || !strings.Contains(rep.Error.Error(), "failpoint before "+step) {
				t.Fatalf("the report is %+v, %v", rep, err)
			}
			if _, err := os.Lstat(g.conf.RunDir + "/web/run.json"); err == nil {
				g.ended()
			}
		})
	}
}
