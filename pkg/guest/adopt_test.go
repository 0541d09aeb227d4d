package guest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/proctest"
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
)

// killMonitor kills the guest's monitor and waits for its successor.
func (in *instance) killMonitor(name string) {
	in.t.Helper()
	old := *in.info(name).MonitorPid
	if err := unix.Kill(old, unix.SIGKILL); err != nil {
		in.t.Fatal(err)
	}
	eventually(in.t, "another monitor has taken over", func() error {
		info := in.info(name)
		if info.MonitorPid == nil || *info.MonitorPid == old {
			return fmt.Errorf("%+v", info)
		}
		return unix.Kill(*info.MonitorPid, 0)
	})
}

func TestTwentyKillsOfTheMonitor(t *testing.T) {
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.start("tiny")
	in.ready("tiny")
	before := in.info("tiny")
	in.run("tiny", "sh", "-c", "(i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done >/dev/console) & echo")
	for range 20 {
		in.killMonitor("tiny")
		info := in.info("tiny")
		if info.State != state.Running || *info.Pid != *before.Pid || !info.StartedAt.Equal(*before.StartedAt) || !*info.Ready {
			t.Fatalf("adopted %+v, before %+v", info, before)
		}
		if _, status := in.run("tiny", "true"); status != 0 {
			t.Fatal("exec after adoption fails")
		}
	}
	in.consoleIsComplete("tiny")
	if err := in.Stop(context.Background(), "tiny", clean()); err != nil {
		t.Errorf("stop after adoption: %v", err)
	}
	if exit := in.info("tiny").Exit; exit == nil || exit.Reason != state.ReasonPoweroff {
		t.Errorf("how it ended is not known after adoption: %+v", exit)
	}
}

// consoleIsComplete: the counted lines follow each other.
func (in *instance) consoleIsComplete(name string) {
	t := in.t
	t.Helper()
	var log bytes.Buffer
	if err := in.ConsoleLog(context.Background(), name, &log, -1); err != nil {
		t.Fatal(err)
	}
	last, missing := 0, 0
	for _, line := range strings.Split(log.String(), "\n") {
		text, found := strings.CutPrefix(strings.TrimRight(line, "\r"), "line ")
		n, err := strconv.Atoi(text)
		if !found || err != nil {
			continue
		}
		if last > 0 && n != last+1 { // the first is behind a prompt
			missing += n - last - 1
		}
		last = n
	}
	if last < 20 || missing > 0 {
		t.Errorf("%d lines on the console, %d missing", last, missing)
	}
}

func TestGuestEndsWhileItsMonitorIsDead(t *testing.T) {
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.start("tiny")
	in.ready("tiny")
	info := in.info("tiny")
	// Stopped, so that it can't notice; then both are killed.
	proctest.Stop(t, *info.MonitorPid)
	unix.Kill(*info.Pid, unix.SIGKILL)
	unix.Kill(*info.MonitorPid, unix.SIGKILL)
	eventually(t, "it is known to be stopped", func() error {
		if info := in.info("tiny"); info.State != state.Stopped || info.Exit == nil || deref(info.Exit.Signal) != "SIGKILL" {
			return fmt.Errorf("%+v %+v", info, info.Exit)
		}
		return nil
	})
	in.start("tiny")
}

func TestHolderDiesAlone(t *testing.T) {
	in := newInstance(t)
	in.create("one", "busybox", "overlay")
	in.create("two", "busybox", "overlay")
	in.start("one")
	in.ready("one")
	before := in.info("one")
	in.killHolder()
	if info := in.info("one"); info.State != state.Running || *info.Pid != *before.Pid || *info.MonitorPid != *before.MonitorPid {
		t.Errorf("without a holder: %+v, before %+v", info, before)
	}
	in.start("two") // starts a new holder, to which the first monitor gives its descriptors
	in.ready("two")
	in.killMonitor("one")
	if info := in.info("one"); info.State != state.Running || *info.Pid != *before.Pid {
		t.Errorf("adopted through the new holder: %+v, before %+v", info, before)
	}
	if err := in.Stop(context.Background(), "one", clean()); err != nil {
		t.Error(err)
	}
}

// TestExecWaitsForTheNextMonitor: nobody answers until the holder, which is slow, has
// started one.
func TestExecWaitsForTheNextMonitor(t *testing.T) {
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.start("tiny")
	in.ready("tiny")
	holder := in.holder()
	proctest.Stop(t, holder)
	time.AfterFunc(control.StatusTimeout+time.Second, func() { unix.Kill(holder, unix.SIGCONT) })
	if err := unix.Kill(*in.info("tiny").MonitorPid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if out, _, err := in.exec("tiny", guest.ExecOptions{Args: []string{"echo", "well"}}); err != nil || out != "well\n" {
		t.Errorf("exec: %q, %v", out, err)
	}
}

// holder finds the instance's holder.
func (in *instance) holder() int {
	in.t.Helper()
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		data, _ := os.ReadFile(f)
		if bytes.Contains(data, []byte("\x00holder\x00")) && bytes.Contains(data, []byte(in.dirs.Run)) {
			pid, _ := strconv.Atoi(strings.Split(f, "/")[2])
			return pid
		}
	}
	in.t.Fatal("no holder")
	return 0
}

// killHolder kills the instance's holder.
func (in *instance) killHolder() {
	in.t.Helper()
	pid := in.holder()
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		in.t.Fatal(err)
	}
	eventually(in.t, "the holder is dead", func() error {
		if unix.Kill(pid, 0) == nil && !zombie(pid) {
			return errors.New("it lives")
		}
		return nil
	})
}

func zombie(pid int) bool {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return bytes.Contains(data, []byte(") Z "))
}

func TestBothKilled(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.start("tiny")
	in.ready("tiny")
	before := in.info("tiny")
	// Stopped first: a monitor whose holder dies starts another.
	proctest.Stop(t, *before.MonitorPid)
	in.killHolder()
	unix.Kill(*before.MonitorPid, unix.SIGKILL)
	eventually(t, "the guest runs without a monitor", func() error {
		if info := in.info("tiny"); info.State != state.Running || info.MonitorPid != nil && unix.Kill(*info.MonitorPid, 0) == nil {
			return fmt.Errorf("%+v", info)
		}
		return nil
	})
	if _, err := in.Exec(ctx, "tiny", guest.ExecOptions{Args: []string{"true"}}); !errors.Is(err, guest.ErrState) {
		t.Errorf("exec without a monitor: %v", err)
	}
	var said []string
	m, err := guest.Open(guest.Options{Dirs: in.dirs, Helper: helper, Network: "none", Warn: func(s string) { said = append(said, s) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(ctx, "tiny", guest.StartOptions{}); err != nil { // ends what runs and starts it anew
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(said, "\n"), "was ended before") {
		t.Errorf("it says %q", said)
	}
	in.ready("tiny")
	if info := in.info("tiny"); *info.Pid == *before.Pid {
		t.Errorf("it was not started anew: %+v", info)
	}
	if unix.Kill(*before.Pid, 0) == nil && !zombie(*before.Pid) {
		t.Error("the old init lives on")
	}
}
