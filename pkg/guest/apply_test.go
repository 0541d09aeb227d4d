package guest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/events"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/limits/detect"
)

// most is what the kernel has as the guest's limits, of memory in bytes and of processes.
func (in *instance) most(name string) (memory, pids int64) {
	in.t.Helper()
	u := in.info(name).Use()
	if u.MemoryMax != nil {
		memory = *u.MemoryMax
	}
	if u.PidsMax != nil {
		pids = *u.PidsMax
	}
	return memory, pids
}

func (in *instance) wantMost(when, name string, memory, pids int64) {
	in.t.Helper()
	if m, p := in.most(name); m != memory || p != pids {
		in.t.Errorf("%s the kernel has %d bytes and %d processes, not %d and %d", when, m, p, memory, pids)
	}
}

func (in *instance) change(name string, pairs ...string) (*guest.ConfigChange, error) {
	var changes []spec.Change
	for _, pair := range pairs {
		c, err := spec.ParseChange(pair)
		if err != nil {
			in.t.Fatal(err)
		}
		changes = append(changes, c)
	}
	return in.SetConfig(context.Background(), name, changes)
}

// effects are what an apply says, a word for each key.
func effects(a *guest.Applying) string {
	var words []string
	for _, k := range a.Keys {
		words = append(words, k.Key+"="+k.Effect)
	}
	return strings.Join(words, " ")
}

// TestLimitsOfARunningGuest changes them in all ways, in one boot and the next ones.
func TestLimitsOfARunningGuest(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("web", "busybox", "dir")
	in.configure("web", "")
	in.start("web")
	in.ready("web")
	pid := *in.info("web").Pid
	const mib = 1 << 20

	change, err := in.change("web", "limits.memory=64M", "limits.pids=200", "init.stop_timeout=5")
	if err != nil || strings.Join(change.Waiting, " ") != "init.stop_timeout" {
		t.Fatalf("set: %+v, %v", change, err)
	}
	in.wantMost("after set", "web", 64*mib, 200)
	if a, err := in.Apply(ctx, "web", nil); err != nil || a.Applied || effects(a) != "init.stop_timeout=restart" {
		t.Errorf("apply after set: %+v, %v", a, err)
	}

	// A change that fails leaves the file and the guest as they were.
	file := filepath.Join(in.dirs.State, "web/config.toml")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.change("web", "limits.memory=32M", "limits.cpuset=4000"); !errors.Is(err, guest.ErrConfig) {
		t.Errorf("set of a CPU that isn't there: %v", err)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("the file was %q and is %q, %v", before, after, err)
	}
	in.wantMost("after a set that failed", "web", 64*mib, 200)
	// So does one whose file somebody else has written meanwhile: it is taken back.
	old, err := in.ConfigText("web")
	if err != nil {
		t.Fatal(err)
	}
	in.configure("web", string(before[len("version = 1\n"):])+"# by hand\n")
	if _, err := in.ReplaceConfig(ctx, "web", old, []byte("version = 1\nlimits.memory = \"32M\"\n")); !errors.Is(err, guest.ErrLocked) {
		t.Errorf("an edit of a file that was written meanwhile: %v", err)
	}
	in.wantMost("after an edit that came too late", "web", 64*mib, 200)

	// By hand: all or nothing, and what is applied is applied once.
	in.configure("web", "limits = { memory = \"48M\", pids = 100, cpuset = \"4000\" }\n")
	if a, err := in.Apply(ctx, "web", nil); !errors.Is(err, guest.ErrConfig) || effects(a) != "limits.memory=live limits.cpuset=refused limits.pids=live" {
		t.Errorf("apply with a CPU that isn't there: %s, %v", effects(a), err)
	}
	in.wantMost("after an apply that was refused", "web", 64*mib, 200)
	in.configure("web", "profiles = [\"small\"]\nlimits.pids = 100\nhostname = \"www\"\n")
	in.profile("small", "limits.memory = \"48M\"\nlimits.pids = 50\n")
	const want = "hostname=restart limits.memory=live limits.pids=live"
	if a, err := in.ApplyPlan(ctx, "web"); err != nil || effects(a) != want || a.Applied {
		t.Errorf("the plan of an apply: %s, %v", effects(a), err)
	}
	in.wantMost("after a plan", "web", 64*mib, 200)
	if a, err := in.Apply(ctx, "web", nil); err != nil || effects(a) != want || !a.Applied {
		t.Errorf("apply: %s, %v", effects(a), err)
	}
	in.wantMost("after apply", "web", 48*mib, 100)
	if a, err := in.Apply(ctx, "web", nil); err != nil || a.Applied || effects(a) != "hostname=restart" {
		t.Errorf("apply after apply: %+v, %v", a, err)
	}
	if values, err := in.Config(ctx, "web", "limits.memory"); err != nil || values[0].Text != "48M" || values[0].Default || values[0].Origin != in.dirs.State+"/.profiles/small.toml" {
		t.Errorf("limits.memory is %+v, %v", values, err)
	}

	// The kernel's own files, until the next boot, a set of the same key or an apply.
	byHand := func() {
		t.Helper()
		if err := in.SetCgroupFile(ctx, "web", "pids.max", "90"); err != nil {
			t.Error(err)
		}
		if text, err := in.CgroupFile(ctx, "web", "pids.max"); err != nil || text != "90\n" {
			t.Errorf("pids.max is %q, %v", text, err)
		}
	}
	byHand()
	a, err := in.ApplyPlan(ctx, "web")
	if want := (guest.KeyChange{Key: "limits.pids", From: "90", To: "100", Effect: "live", Reason: "pids.max is 90, which is not from the configuration"}); err != nil || len(a.Keys) != 2 || a.Keys[1] != want {
		t.Errorf("the plan of an apply after a write by hand: %+v, %v", a, err)
	}
	for _, pair := range []string{"hostname=www", "limits.memory=47M", "limits.memory=48M"} {
		if change, err := in.change("web", pair); err != nil || len(change.Also) != 0 {
			t.Errorf("set of another key: %+v, %v", change, err)
		}
	}
	in.wantMost("after a set of other keys", "web", 48*mib, 90)
	for range 2 {
		if change, err := in.change("web", "limits.pids=100"); err != nil || len(change.Keys)+len(change.Also) != 0 {
			t.Errorf("set of the value that the file has: %+v, %v", change, err)
		}
		in.wantMost("after a set of the value that the file has", "web", 48*mib, 100)
	}
	byHand()
	if a, err := in.Apply(ctx, "web", nil); err != nil || effects(a) != "hostname=restart limits.pids=live" || !a.Applied {
		t.Errorf("apply after a write by hand: %+v, %v", a, err)
	}
	in.wantMost("after an apply of what was overruled", "web", 48*mib, 100)
	if err := in.SetCgroupFile(ctx, "web", "pids.max", "40"); err != nil {
		t.Error(err)
	}
	if _, err := in.change("web", "limits.pids=101", "limits.memory=48M"); err != nil {
		t.Error(err)
	}
	in.wantMost("after a set of another value", "web", 48*mib, 101)
	in.wantChanges("limits.pids: 90 -> 100", "limits.pids: 90 -> 100", "limits.pids: 40 -> 101")
	if _, err := in.change("web", "limits.pids=100"); err != nil {
		t.Error(err)
	}
	byHand()
	for _, name := range []string{"cgroup.kill", "cgroup.procs", "cgroup.freeze", "cgroup.subtree_control", "../pids.max", "payload/pids.max", "pids.nothing", "tasks"} {
		if err := in.SetCgroupFile(ctx, "web", name, "1"); !errors.Is(err, guest.ErrConfig) {
			t.Errorf("a write to %s: %v", name, err)
		}
	}
	if now := *in.info("web").Pid; now != pid {
		t.Errorf("init was process %d and is %d", pid, now)
	}

	// A boot by a monitor that took over, and a new life.
	if err := unix.Kill(*in.info("web").MonitorPid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	in.run("web", "reboot")
	eventually(t, "it has booted twice", func() error {
		if info := in.info("web"); info.Boots == nil || *info.Boots != 2 || info.State != state.Running {
			return fmt.Errorf("%+v", info)
		}
		return nil
	})
	in.wantMost("after a reboot", "web", 48*mib, 100)
	in.ready("web")
	if err := in.Restart(ctx, "web", clean()); err != nil {
		t.Fatal(err)
	}
	in.wantMost("after a restart", "web", 48*mib, 100)
	if a, err := in.Apply(ctx, "web", nil); err != nil || len(a.Keys) != 0 {
		t.Errorf("apply after a restart: %+v, %v", a, err)
	}
	in.wantUnkept("web")
}

// wantChanges wants the last changes of limits.pids that were told.
func (in *instance) wantChanges(want ...string) {
	in.t.Helper()
	var got []string
	err := in.Events(context.Background(), guest.EventsOptions{Last: -1}, func(e *events.Event) error {
		for _, v := range e.Values {
			if v.Key == "limits.pids" {
				got = append(got, fmt.Sprintf("%s: %s -> %s", v.Key, v.From, v.To))
			}
		}
		return nil
	})
	if err != nil || len(got) < len(want) || !slices.Equal(got[len(got)-len(want):], want) {
		in.t.Errorf("the changes that were told are %q, %v, not %q", got, err, want)
	}
}

// wantUnkept writes a limit into a running guest's file that control groups v1 don't have:
// where the host has them nothing stops the guest for it.
func (in *instance) wantUnkept(name string) {
	in.t.Helper()
	ctx := context.Background()
	tree, err := detect.Find()
	if err != nil {
		in.t.Fatal(err)
	}
	effect, refused := "limits.memory_high=live", false
	if _, v1 := tree.V1["memory"]; v1 {
		effect, refused = "limits.memory_high=refused", true
	}
	in.profile("small", "limits.memory = \"48M\"\nlimits.memory_high = \"40M\"\n")
	if a, err := in.ApplyPlan(ctx, name); err != nil || effects(a) != effect {
		in.t.Errorf("the plan of a limit that v1 doesn't have: %s, %v; want %s", effects(a), err, effect)
	}
	pid := *in.info(name).Pid
	if err := in.Restart(ctx, name, clean()); errors.Is(err, guest.ErrConfig) != refused {
		in.t.Errorf("restart with a limit that v1 doesn't have: %v", err)
	}
	if info := in.info(name); info.State != state.Running || (*info.Pid == pid) != refused {
		in.t.Errorf("after a restart that may be refused: %+v", info)
	}
	report, err := in.Doctor(ctx, []string{name})
	if text := fmt.Sprintf("%+v, %v", report, err); strings.Contains(text, "limits.memory_high") != refused {
		in.t.Errorf("doctor of a limit that v1 doesn't have: %s", text)
	}
}

// profile writes a profile of the instance.
func (in *instance) profile(name, text string) {
	in.t.Helper()
	dir := filepath.Join(in.dirs.State, ".profiles")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		in.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".toml"), []byte(text), 0o600); err != nil {
		in.t.Fatal(err)
	}
}
