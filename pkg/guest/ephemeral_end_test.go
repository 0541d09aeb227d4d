package guest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/holder"
	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
)

// ending stops an ephemeral guest whose lock is held here: its monitor waits for it.
func (in *instance) ending(name string) *flock.Lock {
	t := in.t
	t.Helper()
	lock, err := flock.TryAcquire(filepath.Join(in.dirs.Run, ".lock", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Release() })
	if err := in.Stop(context.Background(), name, guest.StopOptions{Kill: true}); err != nil {
		t.Errorf("stop: %v", err)
	}
	return lock
}

// gone waits for the end of a process.
func gone(t *testing.T, pid int) {
	t.Helper()
	eventually(t, "the monitor has ended", func() error {
		if err := unix.Kill(pid, 0); err == nil {
			return errors.New("it is there")
		}
		return nil
	})
}

// By the time that the monitor gets the lock, the name can be another guest's.
func TestEphemeralGuestWhoseNameIsAnothers(t *testing.T) {
	in := newInstance(t)
	in.ephemeral("tiny", "dir")
	in.ephemeral("other", "dir")
	in.start("tiny")
	pid := *in.info("tiny").MonitorPid
	lock := in.ending("tiny")
	swap := func() {
		state := in.dirs.State
		if err := unix.Renameat2(unix.AT_FDCWD, state+"/tiny", unix.AT_FDCWD, state+"/other", unix.RENAME_EXCHANGE); err != nil {
			t.Error(err)
		}
	}
	swap()
	lock.Release()
	gone(t, pid)
	swap()
	if names := in.names(); names != "other tiny" {
		t.Errorf("the guests are %q", names)
	}
	in.collected()
	if names := in.names(); names != "other" {
		t.Errorf("after gc, the guests are %q", names)
	}
}

// What the configuration says at the end counts.
func TestEphemeralGuestThatIsKept(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.ephemeral("tiny", "dir")
	in.start("tiny")
	changes := []spec.Change{{Key: "ephemeral", Unset: true}, {Key: "protect", Value: "delete"}}
	if _, err := in.SetConfig(ctx, "tiny", changes); err != nil {
		t.Fatal(err)
	}
	pid := *in.info("tiny").MonitorPid
	if err := in.Stop(ctx, "tiny", guest.StopOptions{Kill: true}); err != nil {
		t.Errorf("stop: %v", err)
	}
	gone(t, pid)
	if err := in.Destroy(ctx, "tiny", guest.DestroyOptions{}); !errors.Is(err, guest.ErrProtected) {
		t.Errorf("destroy: %v", err)
	}
	if _, err := in.SetConfig(ctx, "tiny", []spec.Change{{Key: "protect", Unset: true}, {Key: "ephemeral", Value: "true"}}); err != nil {
		t.Fatal(err)
	}
	in.collected()
	if in.names() != "tiny" {
		t.Error("gc takes it for a rest")
	}
}

// A restart that fails at the start leaves the guest, with the log that says why.
func TestEphemeralGuestThatDoesNotRestart(t *testing.T) {
	in := newInstance(t)
	in.ephemeral("tiny", "dir")
	in.start("tiny")
	if err := os.Remove(in.Rootfs("tiny") + "/sbin/init"); err != nil {
		t.Fatal(err)
	}
	if err := in.Restart(context.Background(), "tiny", guest.StopOptions{Kill: true}); err == nil {
		t.Error("it was started again")
	}
	eventually(t, "its monitor has ended", func() error {
		if left, _ := filepath.Glob(in.dirs.Run + "/tiny/control.sock"); len(left) > 0 {
			return errors.New("it is there")
		}
		return nil
	})
	in.collected()
	if in.names() != "tiny" {
		t.Error("it is gone")
	}
}

// A start that has the guest's lock while its monitor waits for that: the monitor goes,
// and touches nothing of what has come meanwhile.
func TestStartOfAnEphemeralGuestThatEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	in := newInstance(t)
	in.ephemeral("tiny", "dir")
	in.start("tiny")
	pid := *in.info("tiny").MonitorPid
	run := filepath.Join(in.dirs.Run, "tiny")
	made := make(chan error, 1)
	go func() {
		for {
			if _, err := os.Lstat(run + "/control.sock"); err != nil {
				break
			}
		}
		made <- errors.Join(os.WriteFile(run+"/control.sock", nil, 0o600), os.WriteFile(run+"/run.json", []byte("{}"), 0o600))
	}()
	lock := in.ending("tiny")
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	order, err := monitor.NewOrder()
	if err != nil {
		t.Fatal(err)
	}
	cfg := holder.Config{RunDir: in.dirs.Run, LogDir: in.dirs.Log, Base: "sysct-" + spec.Tag(in.dirs.State), Helper: helper}
	if _, err := holder.Start(ctx, cfg, "tiny", order.Plan, order.Theirs); err != nil {
		t.Errorf("the next monitor: %v", err)
	}
	order.Theirs.Close()
	order.Close()
	gone(t, pid)
	text, err := os.ReadFile(run + "/run.json")
	if err != nil || string(text) != "{}" {
		t.Errorf("run.json has %q, %v", text, err)
	}
	if _, err := os.Lstat(run + "/control.sock"); err != nil {
		t.Error(err)
	}
	os.Remove(run + "/control.sock")
	os.Remove(run + "/run.json")
	lock.Release()
	in.start("tiny")
	if s := in.info("tiny").State; s != state.Running {
		t.Errorf("it is %s", s)
	}
}
