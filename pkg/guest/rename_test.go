package guest_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// named are the files that a rename changes in a system.
var named = []string{"/etc", "/etc/hostname", "/etc/hosts"}

func (in *instance) hostname(name string) string {
	in.t.Helper()
	data, err := os.ReadFile(in.Rootfs(name) + "/etc/hostname")
	if err != nil {
		in.t.Fatal(err)
	}
	hosts, err := os.ReadFile(in.Rootfs(name) + "/etc/hosts")
	if err != nil {
		in.t.Fatal(err)
	}
	host := strings.TrimSpace(string(data))
	if !strings.Contains(string(hosts), "\t"+host+"\n") {
		in.t.Errorf("%s calls itself %q, but its hosts are:\n%s", name, host, hosts)
	}
	return host
}

func TestRename(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("old", "busybox", "overlay")
	in.start("old")
	in.ready("old")
	if err := in.Rename(ctx, "old", "new", guest.RenameOptions{}); !errors.Is(err, guest.ErrState) || !strings.Contains(err.Error(), "hint: sysct stop old") {
		t.Errorf("rename of a running guest: %v", err)
	}
	if err := in.Stop(ctx, "old", clean()); err != nil {
		t.Fatal(err)
	}
	before, content := in.info("old"), in.content("old", named...)
	if err := in.Rename(ctx, "old", "new", guest.RenameOptions{}); err != nil {
		t.Fatal(err)
	}
	after := in.info("new")
	if in.names() != "new" || *after.IDBase != *before.IDBase || deref(after.MachineID) != deref(before.MachineID) ||
		after.Exit == nil || after.Exit.Reason != state.ReasonPoweroff {
		t.Errorf("after the rename: %s, %+v", in.names(), after)
	}
	if host := in.hostname("new"); host != "new" {
		t.Errorf("its host name is %q", host)
	}
	same(t, "content", in.content("new", named...), content)
	var log strings.Builder
	if err := in.Logs(ctx, "new", &log, -1); err != nil || !strings.Contains(log.String(), "boot 1") {
		t.Errorf("the log is %q, %v", &log, err)
	}
	in.start("new")
	if out, _ := in.run("new", "hostname"); out != "new\n" {
		t.Errorf("running, it is called %q", out)
	}
	// Its old name and ids are free, and not the same.
	in.create("old", "busybox", "overlay")
	if in.info("old").IDBase == after.IDBase {
		t.Error("two guests have the same ids")
	}
	if err := in.Rename(ctx, "old", "new", guest.RenameOptions{}); !errors.Is(err, guest.ErrExists) {
		t.Errorf("rename to a guest that is there: %v", err)
	}
	for _, bad := range []string{"old", "all", "a/b", ""} {
		if err := in.Rename(ctx, "old", bad, guest.RenameOptions{}); !errors.Is(err, guest.ErrConfig) {
			t.Errorf("rename to %q: %v", bad, err)
		}
	}
	if err := in.Rename(ctx, "old", "third", guest.RenameOptions{KeepName: true}); err != nil || in.hostname("third") != "old" {
		t.Errorf("the name isn't kept: %q, %v", in.hostname("third"), err)
	}
	if err := in.Rename(ctx, "third", "fourth", guest.RenameOptions{}); err != nil || in.hostname("fourth") != "old" {
		t.Errorf("a host name that isn't the guest's was changed: %v", err)
	}
}

// mounted shows a stopped guest's root, which a killed verb may have taken off: any
// start of it does.
func (in *instance) mounted(name string) {
	in.t.Helper()
	if _, err := os.Lstat(in.Rootfs(name) + "/etc"); err != nil {
		in.start(name)
		if err := in.Stop(context.Background(), name, guest.StopOptions{Kill: true}); err != nil {
			in.t.Error(err)
		}
	}
}

var renameSteps = []string{
	"clear run directory", "unmount rootfs", "mark rename", "rename directory", "sync", "move ids", "move logs", "move run state", "remove groups",
	"set host name", "write identity", "unmark rename", "remove lock",
}

// Whenever a rename is killed, the guest is there, whole, under one of its names, even
// before gc has finished it.
func TestRenameKilledAtEachStep(t *testing.T) {
	in := newInstance(t)
	for _, step := range renameSteps {
		t.Run(step, func(t *testing.T) {
			in.create("old", "busybox", "overlay")
			id, content := deref(in.info("old").MachineID), in.content("old", append(named, "/var/log/wtmp")...)
			in.killed(step, "rename", "old", "new")
			name := in.names()
			if name != "old" && name != "new" {
				t.Fatalf("the guests are %q", name)
			}
			if deref(in.info(name).MachineID) != id {
				t.Errorf("it is %+v", in.info(name))
			}
			in.mounted(name)
			same(t, "content", in.content(name, append(named, "/var/log/wtmp")...), content)
			// A guest with the other name gets ids of its own, whatever the ledger says.
			other := strings.Replace("oldnew", name, "", 1)
			in.create(other, "busybox", "dir")
			if *in.info(other).IDBase == *in.info(name).IDBase {
				t.Error("two guests have the same ids")
			}
			in.collected()
			if in.hostname(name) != name {
				t.Errorf("%s is called %s", name, in.hostname(name))
			}
			for _, n := range []string{name, other} {
				if err := in.Destroy(context.Background(), n, guest.DestroyOptions{Force: true}); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// gc alone finishes it too, and ids that are noted under the old name stay the guest's.
func TestGCFinishesARename(t *testing.T) {
	in := newInstance(t)
	for _, step := range []string{"rename directory", "move ids", "write identity", "unmark rename"} {
		in.create("old", "busybox", "dir")
		base := *in.info("old").IDBase
		in.killed(step, "rename", "old", "new", "--keep-name")
		in.collected()
		name := in.names()
		in.create("third", "busybox", "dir")
		if *in.info(name).IDBase != base || *in.info("third").IDBase == base || in.hostname(name) != "old" {
			t.Errorf("killed before %s: %+v", step, in.info(name))
		}
		if want := map[bool]string{true: "old", false: "new"}[step == "rename directory"]; name != want {
			t.Errorf("killed before %s, it is %s", step, name)
		}
		for _, n := range []string{name, "third"} {
			if err := in.Destroy(context.Background(), n, guest.DestroyOptions{}); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestProtectedGuest(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("tiny", "busybox", "dir")
	in.configure("tiny", "protect = [\"delete\"]\n")
	in.start("tiny")
	err := in.Destroy(ctx, "tiny", guest.DestroyOptions{Force: true})
	if !errors.Is(err, guest.ErrProtected) || !errors.Is(err, guest.ErrState) || !strings.Contains(err.Error(), "hint: sysct unset tiny protect") {
		t.Errorf("destroy: %v", err)
	}
	if s := in.info("tiny").State; s != state.Running {
		t.Errorf("it is %s", s)
	}
	in.configure("tiny", "protect = [\"start\"]\n")
	if err := in.Restart(ctx, "tiny", guest.StopOptions{}); !errors.Is(err, guest.ErrProtected) || in.info("tiny").State != state.Running {
		t.Errorf("restart: %v, it is %s", err, in.info("tiny").State)
	}
	// What can't be read is a fault of the configuration, as for a start.
	in.configure("tiny", "profiles = [\"nope\"]\n")
	if err := in.Restart(ctx, "tiny", guest.StopOptions{}); !errors.Is(err, guest.ErrConfig) || errors.Is(err, guest.ErrState) ||
		!strings.Contains(err.Error(), "nope.toml: there is no such file") || in.info("tiny").State != state.Running {
		t.Errorf("restart without a profile: %v, it is %s", err, in.info("tiny").State)
	}
	in.configure("tiny", "protect = [\"start\"]\n")
	if err := in.Stop(ctx, "tiny", guest.StopOptions{Kill: true}); err != nil {
		t.Fatal(err)
	}
	if err := in.Start(ctx, "tiny", guest.StartOptions{}); !errors.Is(err, guest.ErrProtected) {
		t.Errorf("start: %v", err)
	}
	// A slip elsewhere in the file doesn't take the protection away.
	in.configure("tiny", "protect = [\"delete\"]\nrestrat = \"no\"\n")
	if err := in.Destroy(ctx, "tiny", guest.DestroyOptions{}); !errors.Is(err, guest.ErrProtected) {
		t.Errorf("destroy with a broken configuration: %v", err)
	}
	in.configure("tiny", "# protect = [\"delete\"]\nrestrat = \"no\"\n")
	if err := in.Destroy(ctx, "tiny", guest.DestroyOptions{}); err != nil {
		t.Errorf("destroy: %v", err)
	}
}
