package guest_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// randomKills is how often something is killed, at a random time each.
const randomKills = 500

// TestRandomKills kills verbs, monitors and the holder at random times, some by the
// signals of a terminal that goes. After each the list is whole, no guest is half made,
// and at the end all verbs work and gc leaves nothing.
func TestRandomKills(t *testing.T) {
	in := newInstance(t)
	in.create("calm", "busybox", "overlay")
	in.start("calm")
	calm := *in.info("calm").Pid
	in.create("a", "busybox", "overlay")
	in.start("a")
	seed := uint64(time.Now().UnixNano())
	t.Logf("the kills are of seed %d", seed)
	random := rand.New(rand.NewPCG(1, seed))
	for i := range randomKills {
		switch i % 10 {
		case 3:
			in.killSomeMonitor(random)
		case 7:
			in.killAnyHolder()
		default:
			in.killVerb(random)
		}
		in.allWhole()
		if t.Failed() {
			t.Fatalf("after %d kills", i+1)
		}
	}
	in.runs("calm", calm)
	if _, err := in.verb("", "gc"); err != nil {
		t.Errorf("gc: %v", err)
	}
	for _, name := range []string{"a", "b"} {
		in.verb("", "launch", name, "-t", "busybox")
		if out, status := in.bounded("destroy", "-f", name); status != 0 {
			t.Errorf("destroy %s: status %d: %s", name, status, out)
		}
		in.create(name, "busybox", "overlay")
		in.wholeThenGone(name)
	}
	in.endAll()
}

// killVerb starts a verb and sends it a signal soon after.
func (in *instance) killVerb(random *rand.Rand) {
	t := in.t
	t.Helper()
	verbs := [][]string{
		{"create", "NAME", "-t", "busybox"}, {"create", "NAME", "-t", "busybox", "-B", "dir"}, {"launch", "NAME", "-t", "busybox"},
		{"start", "NAME"}, {"stop", "-t", "5", "NAME"}, {"stop", "-k", "NAME"}, {"restart", "-t", "5", "NAME"}, {"destroy", "-f", "NAME"},
		{"freeze", "NAME"}, {"thaw", "NAME"}, {"exec", "NAME", "--", "sleep", "0.05"}, {"clone", "a", "b"}, {"clone", "-s", "b", "a"},
		{"rename", "a", "b"}, {"gc"}, {"ls", "-f"},
	}
	args := slices.Clone(verbs[random.IntN(len(verbs))])
	if i := slices.Index(args, "NAME"); i >= 0 {
		args[i] = []string{"a", "b"}[random.IntN(2)]
	}
	path, err := failing()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = in.env("")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
	signals := []unix.Signal{unix.SIGKILL, unix.SIGKILL, unix.SIGKILL, unix.SIGINT, unix.SIGHUP, unix.SIGPIPE, unix.SIGTERM}
	cmd.Process.Signal(signals[random.IntN(len(signals))])
	cmd.Wait()
	if ctx.Err() != nil {
		t.Errorf("sysct %s doesn't end by a signal", strings.Join(args, " "))
	}
}

// killSomeMonitor kills the monitor of a guest, which goes on or is cleaned up after.
func (in *instance) killSomeMonitor(random *rand.Rand) {
	list, err := in.List(context.Background(), guest.ListOptions{})
	if err != nil || len(list) == 0 {
		in.t.Fatalf("ls: %v %v", list, err)
	}
	if pid := list[random.IntN(len(list))].MonitorPid; pid != nil && *pid > 1 {
		unix.Kill(*pid, unix.SIGKILL)
	}
}

// killAnyHolder kills this instance's holder, if one runs.
func (in *instance) killAnyHolder() {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		data, err := os.ReadFile(file)
		args := bytes.Split(data, []byte{0})
		if err == nil && len(args) > 3 && string(args[1]) == "holder" && string(args[3]) == in.dirs.Run {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil && pid > 1 {
				unix.Kill(pid, unix.SIGKILL)
			}
		}
	}
}

// allWhole says that every guest that is listed has all that it needs: it can be read,
// and it runs or can be started.
func (in *instance) allWhole() {
	t := in.t
	t.Helper()
	list, err := in.List(context.Background(), guest.ListOptions{})
	if err != nil {
		t.Fatalf("ls: %v", err)
	}
	found := false
	for _, info := range list {
		found = found || info.Name == "calm" && info.State == state.Running
		if info.Error != nil {
			t.Errorf("%s is broken: %s", info.Name, *info.Error)
		}
		for _, file := range []string{"config.toml", "state.json", "rootfs"} {
			if _, err := os.Lstat(filepath.Join(in.dirs.State, info.Name, file)); err != nil {
				t.Error(err)
			}
		}
	}
	if !found {
		t.Errorf("calm doesn't run: %+v", list)
	}
}
