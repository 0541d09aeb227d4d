package guest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/testprograms"
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// buildHelper builds the helper with a tag: another program.
func buildHelper(t *testing.T, tag string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sysct-helper")
	if err := testprograms.Build(path, "sysct-helper", tag); err != nil {
		t.Fatal(err)
	}
	return path
}

// withHelper is a manager of the same instance with another helper.
func (in *instance) withHelper(path string) *guest.Manager {
	in.t.Helper()
	m, err := guest.Open(guest.Options{Dirs: in.dirs, Helper: path, Network: "none", Warn: func(s string) { in.t.Log("warning:", s) }})
	if err != nil {
		in.t.Fatal(err)
	}
	return m
}

// upgraded upgrades all guests of an instance to a helper.
func (in *instance) upgraded(path string) map[string]guest.Upgraded {
	in.t.Helper()
	ctx := context.Background()
	u, err := in.withHelper(path).NewUpgrader(ctx)
	if err != nil {
		in.t.Fatal(err)
	}
	defer u.Close()
	names, err := u.Running(ctx)
	if err != nil {
		in.t.Fatal(err)
	}
	all := map[string]guest.Upgraded{}
	for _, name := range names {
		done, err := u.Upgrade(ctx, name)
		if err != nil {
			in.t.Fatalf("upgrade %s: %v", name, err)
		}
		all[name] = *done
	}
	return all
}

// TestUpgrade: from a program that knows no upgrades, by replacement, and then twice
// in place; guests run on, and what dies later is started as the newest.
func TestUpgrade(t *testing.T) {
	in := newInstance(t)
	oldest, newest := buildHelper(t, "protocol1"), buildHelper(t, "failpoints")
	in.create("db", "busybox", "overlay")
	in.create("web", "busybox", "overlay")
	in.create("idle", "busybox", "overlay")
	for _, name := range []string{"db", "web"} {
		if err := in.withHelper(oldest).Start(context.Background(), name, guest.StartOptions{}); err != nil {
			t.Fatal(err)
		}
		in.ready(name)
	}
	in.run("web", "sh", "-c", "(i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done >/dev/console) & echo")
	if change, err := in.change("db", "limits.pids=111"); err != nil || !change.Old || strings.Join(change.Waiting, " ") != "limits.pids" {
		t.Errorf("set with a monitor that can't change its guest: %+v, %v", change, err)
	}
	if _, err := in.Apply(context.Background(), "db", nil); err == nil || !strings.Contains(err.Error(), "its monitor is of an older sysct") || !strings.Contains(err.Error(), "hint: sysct upgrade db, or restart it") {
		t.Errorf("apply with a monitor that can't change its guest: %v", err)
	}
	before := in.info("web")
	for i, step := range []struct {
		helper string
		want   guest.Upgraded
	}{
		{newest, guest.Upgraded{Name: "web", From: "devel", To: "devel", Replaced: true}},
		{newest, guest.Upgraded{Name: "web", From: "devel", To: "devel", Current: true}},
		{helper, guest.Upgraded{Name: "web", From: "devel", To: "devel"}},
		{newest, guest.Upgraded{Name: "web", From: "devel", To: "devel"}},
	} {
		monitor := *in.info("web").MonitorPid
		all := in.upgraded(step.helper)
		if len(all) != 2 || all["web"] != step.want {
			t.Fatalf("step %d: %+v, want %+v", i, all, step.want)
		}
		now := in.info("web")
		if now.State != state.Running || *now.Pid != *before.Pid || !now.StartedAt.Equal(*before.StartedAt) || !*now.Ready {
			t.Fatalf("step %d: %+v, before %+v", i, now, before)
		}
		if same := *now.MonitorPid == monitor; same == step.want.Replaced {
			t.Errorf("step %d: the monitor is %d, was %d", i, *now.MonitorPid, monitor)
		}
		if _, status := in.run("web", "true"); status != 0 {
			t.Fatalf("step %d: exec fails", i)
		}
	}
	if a, err := in.Apply(context.Background(), "db", nil); err != nil || effects(a) != "limits.pids=live" || !a.Applied {
		t.Errorf("apply after an upgrade: %+v, %v", a, err)
	}
	in.killMonitor("web")
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", *in.info("web").MonitorPid)); err != nil || exe != newest {
		t.Errorf("a new monitor is %s, %v", exe, err)
	}
	eventually(t, "there are lines", func() error {
		var log strings.Builder
		if err := in.ConsoleLog(context.Background(), "web", &log, -1); err != nil || strings.Count(log.String(), "line ") < 30 {
			return fmt.Errorf("only %d, %w", strings.Count(log.String(), "line "), err)
		}
		return nil
	})
	in.consoleIsComplete("web")
	if err := in.Stop(context.Background(), "web", clean()); err != nil {
		t.Error(err)
	}
}

// TestUpgradeToNothing: a helper that can't be executed changes nothing.
func TestUpgradeToNothing(t *testing.T) {
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.start("tiny")
	before := in.info("tiny")
	path := filepath.Join(t.TempDir(), "sysct-helper")
	if err := os.WriteFile(path, []byte("no program\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := in.withHelper(path).NewUpgrader(context.Background())
	if err == nil || !strings.Contains(err.Error(), "cannot use the new helper") {
		t.Errorf("upgrade: %v", err)
	}
	if now := in.info("tiny"); *now.MonitorPid != *before.MonitorPid || unix.Kill(*now.MonitorPid, 0) != nil {
		t.Errorf("the monitor is %d, was %d", *now.MonitorPid, *before.MonitorPid)
	}
}
