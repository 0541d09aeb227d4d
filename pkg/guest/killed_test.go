package guest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

var createSteps = []string{
	"clear leftovers", "make directory", "allocate ids", "fill rootfs", "write identity", "write config", "sync", "publish",
}

var destroySteps = []string{
	"remove groups", "unmount rootfs", "take name", "remove directory", "remove layers", "free ids", "remove run state", "remove logs", "remove lock",
}

// ids are the lines of the host's ledger about this instance.
func (in *instance) ids() string {
	in.t.Helper()
	data, err := os.ReadFile(idledger.DefaultDir + "/ids.json")
	if err != nil {
		in.t.Fatal(err)
	}
	var mine strings.Builder
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, in.dirs.State+"/") {
			mine.WriteString(line)
		}
	}
	return mine.String()
}

// runs says that a guest that nothing was done to is still in its first boot.
func (in *instance) runs(calm string, init int) {
	in.t.Helper()
	info := in.info(calm)
	if info.State != state.Running || info.Pid == nil || *info.Pid != init || info.Boots == nil || *info.Boots != 1 {
		in.t.Errorf("%s has not run on: %+v", calm, info)
	}
}

// Whenever a create is killed there is no guest; the same create then makes it, and
// gc leaves nothing.
func TestCreateKilledAtEachStep(t *testing.T) {
	for _, verb := range [][]string{
		{"create", "web", "-t", "busybox", "-B", "overlay"},
		{"create", "web", "-t", "busybox", "-B", "dir"},
		{"launch", "web", "-t", "busybox"},
	} {
		t.Run(strings.Join(verb, " "), func(t *testing.T) {
			in := newInstance(t)
			in.create("calm", "busybox", "overlay")
			in.start("calm")
			calm, before := *in.info("calm").Pid, in.ids()
			for _, step := range createSteps {
				in.killed(step, verb...)
				if in.names() != "calm" {
					t.Fatalf("killed before %s: the guests are %q", step, in.names())
				}
				if _, err := in.verb("", "start", "web"); exitStatus(err) != 3 {
					t.Errorf("killed before %s: start of what is no guest: %v", step, err)
				}
				if out, err := in.verb("", verb...); err != nil {
					t.Errorf("killed before %s, done again: %v\n%s", step, err, out)
				}
				in.wholeThenGone("web")
				in.killed(step, verb...)
				in.collected()
				if ids := in.ids(); in.names() != "calm" || ids != before {
					t.Errorf("after gc the guests are %q, the ids %s", in.names(), ids)
				}
			}
			in.runs("calm", calm)
		})
	}
}

// wholeThenGone starts a guest, if it isn't, and destroys it.
func (in *instance) wholeThenGone(name string) {
	in.t.Helper()
	if in.info(name).State == state.Stopped {
		in.start(name)
	}
	in.ready(name)
	in.destroy(name)
}

// Whenever a destroy is killed the guest is whole or gone; the same destroy ends what
// was begun, or says that there is none.
func TestDestroyKilledAtEachStep(t *testing.T) {
	in := newInstance(t)
	in.create("calm", "busybox", "overlay")
	in.start("calm")
	calm, before := *in.info("calm").Pid, in.ids()
	for i, step := range destroySteps {
		in.create("web", "busybox", []string{"overlay", "dir"}[i%2])
		in.start("web")
		in.killed(step, "destroy", "-f", "web")
		switch in.names() {
		case "calm web":
			in.start("web")
			in.ready("web")
			in.killed(step, "destroy", "-f", "web")
			in.destroy("web")
		case "calm":
			if err := in.Destroy(context.Background(), "web", guest.DestroyOptions{}); !errors.Is(err, guest.ErrNoGuest) {
				t.Errorf("killed before %s, destroyed again: %v", step, err)
			}
			in.create("web", "busybox", "overlay")
			in.wholeThenGone("web")
		default:
			t.Fatalf("killed before %s: the guests are %q", step, in.names())
		}
		in.collected()
		if ids := in.ids(); in.names() != "calm" || ids != before {
			t.Errorf("after gc the guests are %q, the ids %s", in.names(), ids)
		}
	}
	in.runs("calm", calm)
}

// exitStatus is a command's, 128+n if signal n ended it.
func exitStatus(err error) int {
	var exit *exec.ExitError
	if err == nil {
		return 0
	}
	if !errors.As(err, &exit) {
		return -1
	}
	if st, ok := exit.Sys().(syscall.WaitStatus); ok && st.Signaled() {
		return 128 + int(unix.Signal(st.Signal()))
	}
	return exit.ExitCode()
}
