package guest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// rest are the steps of a rename from which there is no way back.
var rest = renameSteps[4:]

// A rename that was killed is finished before the guest is started, and not once more
// while it runs.
func TestAGuestIsStartedAfterAKilledRename(t *testing.T) {
	in := newInstance(t)
	for _, step := range []string{"move ids", "move run state", "write identity", "unmark rename"} {
		in.create("old", "busybox", "dir")
		in.killed(step, "rename", "old", "new")
		in.start("new")
		if step == "unmark rename" {
			in.collected()
		}
		in.create("old", "busybox", "dir")
		if out, _ := in.run("new", "hostname"); out != "new\n" || in.info("new").State != state.Running {
			t.Errorf("killed before %s, it is %s and called %q", step, in.info("new").State, out)
		}
		in.collected()
		in.destroy("old", "new")
	}
}

// What a killed rename left isn't done to another guest that has the name now.
func TestAKilledRenameIsNotFinishedForAnother(t *testing.T) {
	in := newInstance(t)
	for _, step := range []string{"move logs", "unmark rename"} {
		in.create("old", "busybox", "dir")
		in.start("old")
		if err := in.Stop(context.Background(), "old", guest.StopOptions{Kill: true}); err != nil {
			t.Fatal(err)
		}
		in.killed(step, "rename", "old", "new")
		in.destroy("new")
		if left, _ := filepath.Glob(in.dirs.Log + "/[on]*"); len(left) > 0 {
			t.Errorf("killed before %s and destroyed, %s is left", step, left)
		}
		in.create("new", "busybox", "dir")
		base := *in.info("new").IDBase
		in.start("new")
		in.create("old", "busybox", "dir")
		in.collected()
		if _, status := in.run("new", "true"); status != 0 || *in.info("new").IDBase != base {
			t.Errorf("killed before %s: the other is %+v", step, in.info("new"))
		}
		in.destroy("old", "new")
	}
}

// A rename that fails takes all back, or leaves the guest whole under its new name.
func TestARenameThatFails(t *testing.T) {
	in := newInstance(t)
	for _, step := range renameSteps {
		in.create("old", "busybox", "overlay")
		want := in.content("old", named...)
		out, err := in.verb("error:"+step, "rename", "old", "new")
		name, late := in.names(), slices.Contains(rest, step)
		if err == nil || late != (name == "new") || late != strings.Contains(out, "sysct gc") {
			t.Errorf("%s: it is %s, %v: %s", step, name, err, out)
		}
		if info := in.info(name); info.Error != nil {
			t.Errorf("%s: %s is broken: %s", step, name, *info.Error)
		}
		if !late {
			same(t, step, in.content(name, named...), want)
		}
		in.collected()
		same(t, step+", after gc", in.content(name, named...), want)
		if in.hostname(name) != name {
			t.Errorf("%s: %s is called %s", step, name, in.hostname(name))
		}
		in.destroy(name)
	}
	in.create("old", "busybox", "dir")
	if err := os.MkdirAll(filepath.Join(in.dirs.Run, "new", "others"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := in.Rename(context.Background(), "old", "new", guest.RenameOptions{}); err == nil || in.names() != "old" || in.info("old").Error != nil {
		t.Errorf("with somebody else's run directory in the way: %v, the guests are %s", err, in.names())
	}
}

// The way back has both locks itself.
func TestBackAfterAKilledRename(t *testing.T) {
	in := newInstance(t)
	in.create("old", "busybox", "dir")
	in.killed("move logs", "rename", "old", "new")
	in.clone("new", "old", guest.CloneOptions{})
	if in.hostname("new") != "new" || in.hostname("old") != "old" {
		t.Errorf("they are called %s and %s", in.hostname("new"), in.hostname("old"))
	}
	in.destroy("old")
	in.killed("move ids", "rename", "new", "old")
	if err := in.Rename(context.Background(), "old", "new", guest.RenameOptions{}); err != nil || in.hostname("new") != "new" {
		t.Errorf("back: %v, it is called %s", err, in.hostname("new"))
	}
	in.collected()
}

// Whoever looks for layers that nobody uses could miss a guest that is just getting its
// name: that waits.
func TestNamesWaitForWhoRemovesLayers(t *testing.T) {
	in := newInstance(t)
	in.create("base", "busybox", "overlay")
	in.write("base", "/root/file", "kept")
	in.clone("base", "a", guest.CloneOptions{Snapshot: true})
	for _, verb := range []func(context.Context) error{
		func(ctx context.Context) error { return in.Rename(ctx, "a", "b", guest.RenameOptions{}) },
		func(ctx context.Context) error {
			_, err := in.Clone(ctx, "base", "b", guest.CloneOptions{Snapshot: true})
			return err
		},
	} {
		lock, err := flock.TryAcquire(filepath.Join(in.dirs.Run, ".lock", ".layers"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- verb(ctx) }()
		eventually(t, "it waits", func() error { return in.twiceOpen(".lock/.layers") })
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) || in.names() != "a base" {
			t.Errorf("it ended with %v; the guests are %s", err, in.names())
		}
		lock.Release()
	}
}

// twiceOpen says whether this process has a file open beside the one that has its lock.
func (in *instance) twiceOpen(file string) error {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	var want, st unix.Stat_t
	if err := unix.Stat(filepath.Join(in.dirs.Run, file), &want); err != nil {
		return err
	}
	n := 0
	for _, fd := range fds {
		if unix.Stat("/proc/self/fd/"+fd.Name(), &st) == nil && st.Dev == want.Dev && st.Ino == want.Ino {
			n++
		}
	}
	if n < 2 {
		return errors.New("nobody else has it open")
	}
	return nil
}

// A clone that fails leaves its source shown as it was.
func TestACloneThatFailsShowsItsSource(t *testing.T) {
	in := newInstance(t)
	in.create("web", "busybox", "overlay")
	for _, step := range []string{"make layer", "note layer", "split layer", "mount source", "copy rootfs"} {
		in.write("web", "/root/file", step) // or there is nothing to share
		want := in.content("web")
		if out, err := in.verb("error:"+step, "clone", "-s", "web", "copy"); err == nil {
			t.Errorf("%s: no error: %s", step, out)
		}
		same(t, "source after an error at "+step, in.content("web"), want)
		in.collected()
	}
}
