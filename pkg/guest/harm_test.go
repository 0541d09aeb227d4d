package guest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sysct/sysct/internal/proctest"
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
)

// beside opens a second manager on the instance's guests.
func (in *instance) beside(dirs spec.Dirs) *guest.Manager {
	in.t.Helper()
	m, err := guest.Open(guest.Options{Dirs: dirs, Helper: helper, Network: "none"})
	if err != nil {
		in.t.Fatal(err)
	}
	return m
}

func TestAnotherRunDirectoryHarmsNoRunningGuest(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.start("tiny")
	in.ready("tiny")
	before := in.info("tiny")
	dirs := in.dirs
	dirs.Run += "-other"
	defer os.RemoveAll(dirs.Run)
	other := in.beside(dirs)
	if err := other.Start(ctx, "tiny", guest.StartOptions{}); !errors.Is(err, guest.ErrLocked) {
		t.Errorf("start: %v", err)
	}
	for _, force := range []bool{false, true} {
		if err := other.Destroy(ctx, "tiny", guest.DestroyOptions{Force: force}); !errors.Is(err, guest.ErrLocked) {
			t.Errorf("destroy, force %v: %v", force, err)
		}
	}
	if err := other.Stop(ctx, "tiny", guest.StopOptions{Kill: true}); !errors.Is(err, guest.ErrLocked) {
		t.Errorf("stop -k: %v", err)
	}
	if info := in.info("tiny"); info.State != state.Running || *info.Pid != *before.Pid {
		t.Errorf("it is %+v, was %+v", info, before)
	}
}

func TestALinkToTheStateDirectoryIsTheSameInstance(t *testing.T) {
	in := newInstance(t)
	in.create("tiny", "busybox", "dir")
	in.start("tiny")
	dirs := in.dirs
	dirs.State += "-link"
	if err := os.Symlink(in.dirs.State, dirs.State); err != nil {
		t.Fatal(err)
	}
	if err := in.beside(dirs).Start(context.Background(), "tiny", guest.StartOptions{}); !errors.Is(err, guest.ErrState) {
		t.Errorf("start by another path: %v", err)
	}
}

func TestNothingButGuestsIsListedOrDestroyed(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("tiny", "busybox", "dir")
	precious := filepath.Join(in.dirs.State, "precious")
	file := filepath.Join(precious, "file")
	if err := os.MkdirAll(precious, 0o755); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(file, []byte("x"), 0o600)
	if names, err := in.Names(); err != nil || strings.Join(names, " ") != "tiny" {
		t.Errorf("names: %q %v", names, err)
	}
	if err := in.Destroy(ctx, "precious", guest.DestroyOptions{Force: true}); !errors.Is(err, guest.ErrNoGuest) {
		t.Errorf("destroy of what is no guest: %v", err)
	}
	foreign := filepath.Join(in.dirs.Run, "foreign")
	os.MkdirAll(foreign, 0o700)
	os.WriteFile(filepath.Join(foreign, "data"), []byte("x"), 0o600)
	if lines, err := in.GC(ctx, guest.GCOptions{}); err != nil || len(lines) != 0 {
		t.Errorf("gc: %q %v", lines, err)
	}
	for _, path := range []string{file, filepath.Join(foreign, "data")} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestACopiedGuestDoesNotShareIds(t *testing.T) {
	in := newInstance(t)
	in.create("one", "busybox", "dir")
	in.create("two", "busybox", "dir")
	data, err := os.ReadFile(filepath.Join(in.dirs.State, "one/state.json"))
	if err != nil {
		t.Fatal(err)
	}
	copied := strings.Replace(string(data), `"one"`, `"two"`, 1)
	if err := os.WriteFile(filepath.Join(in.dirs.State, "two/state.json"), []byte(copied), 0o600); err != nil {
		t.Fatal(err)
	}
	err = in.Start(context.Background(), "two", guest.StartOptions{})
	if err == nil || !strings.Contains(err.Error(), in.dirs.State+"/one") {
		t.Errorf("start with another guest's ids: %v", err)
	}
}

func TestDestroyWhileItWaitsForARestart(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.configure("tiny", "restart = \"on-failure\"\n[init]\ncmd = [\"/bin/false\"]\n")
	in.start("tiny")
	eventually(t, "it has failed", func() error {
		if info := in.info("tiny"); info.Exit == nil {
			return errors.New("no exit")
		}
		return nil
	})
	if err := in.Destroy(ctx, "tiny", guest.DestroyOptions{Force: true}); err != nil {
		t.Fatalf("destroy: %v", err)
	}
	in.noTraces()
	in.create("tiny", "busybox", "overlay")
	in.start("tiny")
	in.ready("tiny")
}

func TestRestartRefusesABadConfigurationFirst(t *testing.T) {
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.start("tiny")
	in.ready("tiny")
	in.configure("tiny", "memory = 1\n")
	if err := in.Restart(context.Background(), "tiny", guest.StopOptions{}); !errors.Is(err, guest.ErrConfig) {
		t.Errorf("restart: %v", err)
	}
	if s := in.info("tiny").State; s != state.Running {
		t.Errorf("after it, it is %s", s)
	}
}

func TestADeafMonitorIsReplaced(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.start("tiny")
	in.ready("tiny")
	proctest.Stop(t, *in.info("tiny").MonitorPid)
	begin := time.Now()
	if list, err := in.List(ctx, guest.ListOptions{}); err != nil || len(list) != 1 || list[0].State != state.Running {
		t.Errorf("ls: %+v %v", list, err)
	}
	in.info("tiny")
	if time.Since(begin) > 30*time.Second {
		t.Error("ls and info wait for a stopped monitor")
	}
	if err := in.Stop(ctx, "tiny", guest.StopOptions{Kill: true}); err != nil {
		t.Fatalf("stop -k: %v", err)
	}
	if info := in.info("tiny"); info.State != state.Stopped || info.MonitorPid != nil {
		t.Errorf("after stop -k: %+v", info)
	}
	in.start("tiny")
	in.ready("tiny")
}

func TestWaitForAStoppedGuest(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	if err := in.Wait(ctx, "tiny", guest.WaitOptions{Ready: true}); !errors.Is(err, guest.ErrState) {
		t.Errorf("ready: %v", err)
	}
	zero := time.Duration(0)
	if err := in.Wait(ctx, "tiny", guest.WaitOptions{States: []state.State{state.Running}, Timeout: &zero}); !errors.Is(err, guest.ErrTimeout) {
		t.Errorf("RUNNING, no time: %v", err)
	}
	if err := in.Wait(ctx, "tiny", guest.WaitOptions{States: []state.State{state.Stopped}, Timeout: &zero}); err != nil {
		t.Errorf("STOPPED, no time: %v", err)
	}
}
