package guest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
)

func (in *instance) ephemeral(name, backend string) {
	in.t.Helper()
	o := guest.CreateOptions{Template: "busybox", Backend: backend, Config: []spec.Change{{Key: "ephemeral", Value: "true"}}}
	if err := in.Create(context.Background(), name, o); err != nil {
		in.t.Fatal(err)
	}
}

// vanished says that nothing at all is left of a guest.
func (in *instance) vanished(name string) {
	in.t.Helper()
	eventually(in.t, name+" is gone", func() error {
		for _, pattern := range []string{in.dirs.State + "/*" + name, in.dirs.State + "/.[dn]*" + name, in.dirs.Run + "/" + name,
			in.dirs.Log + "/" + name + ".*", in.dirs.Run + "/.lock/" + name} {
			if left, _ := filepath.Glob(pattern); len(left) > 0 {
				return errors.New(left[0])
			}
		}
		return nil
	})
	if lines, err := in.GC(context.Background(), guest.GCOptions{DryRun: true}); err != nil || len(lines) > 0 {
		in.t.Errorf("gc finds %q, %v", lines, err)
	}
}

func TestEphemeralGuestEndsWithItsLife(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	for _, backend := range []string{"dir", "overlay"} {
		in.ephemeral("tiny", backend)
		in.start("tiny")
		in.ready("tiny")
		if backend == "dir" {
			in.reboots("tiny")
		}
		if err := in.Restart(ctx, "tiny", guest.StopOptions{Kill: backend == "overlay"}); err != nil {
			t.Fatalf("restart: %v", err)
		}
		in.ready("tiny")
		if backend == "dir" {
			// Nobody is there when it powers itself off, and its monitor isn't the one that
			// started it.
			unix.Kill(*in.info("tiny").MonitorPid, unix.SIGKILL)
			in.run("tiny", "poweroff", "-f")
		} else if err := in.Stop(ctx, "tiny", clean()); err != nil {
			t.Errorf("stop: %v", err)
		} else if in.names() != "" {
			t.Error("after its stop it is still there")
		}
		in.vanished("tiny")
	}
	in.ephemeral("tiny", "overlay")
	in.start("tiny")
	if err := in.Kill(ctx, "tiny", unix.SIGKILL); err != nil {
		t.Errorf("kill: %v", err)
	}
	in.vanished("tiny")
	in.ephemeral("tiny", "overlay")
	in.start("tiny")
	if err := in.Destroy(ctx, "tiny", guest.DestroyOptions{Force: true}); err != nil {
		t.Errorf("destroy: %v", err)
	}
	in.vanished("tiny")
}

// reboots has a guest reboot from inside.
func (in *instance) reboots(name string) {
	in.t.Helper()
	boots := *in.info(name).Boots
	in.run(name, "reboot", "-f")
	eventually(in.t, "it has booted again", func() error {
		if info := in.info(name); info.Boots == nil || *info.Boots == boots || info.State != state.Running {
			return errors.New(string(info.State))
		}
		return nil
	})
}

func TestEphemeralGuestThatNeverBootedStays(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.ephemeral("tiny", "dir")
	if err := os.Remove(in.Rootfs("tiny") + "/sbin/init"); err != nil {
		t.Fatal(err)
	}
	if err := in.Start(ctx, "tiny", guest.StartOptions{}); err == nil {
		t.Error("it was started")
	}
	eventually(t, "it is stopped", func() error {
		if info := in.info("tiny"); info.State != state.Stopped || info.Exit == nil {
			return errors.New(string(info.State))
		}
		return nil
	})
	in.collected()
	if in.names() != "tiny" {
		t.Error("it is gone")
	}
}

// After a crash of the host a guest that ran isn't there, and gc destroys it.
func TestGCDestroysWhatIsLeftOfAnEphemeralGuest(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.ephemeral("new", "dir")
	in.ephemeral("ran", "dir")
	in.ephemeral("kept", "dir")
	in.ephemeral("runs", "dir")
	in.start("runs")
	for _, name := range []string{"ran", "kept"} {
		if err := os.WriteFile(filepath.Join(in.dirs.State, name, ".ephemeral"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(filepath.Join(in.dirs.State, "runs/.ephemeral")); err != nil {
		t.Errorf("one that runs isn't marked: %v", err)
	}
	if _, err := in.SetConfig(ctx, "kept", []spec.Change{{Key: "ephemeral", Unset: true}}); err != nil {
		t.Fatal(err)
	}
	if lines, err := in.GC(ctx, guest.GCOptions{}); err != nil || strings.Join(lines, "|") != "ephemeral guest ran" {
		t.Errorf("gc: %q, %v", lines, err)
	}
	if names := in.names(); names != "kept new runs" {
		t.Errorf("the guests are %q", names)
	}
}
