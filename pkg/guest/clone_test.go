package guest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/testimages"
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// identified are the files that a clone changes in a busybox system.
var identified = append(named, "/etc/machine-id")

func (in *instance) clone(from, to string, o guest.CloneOptions) *guest.CloneReport {
	in.t.Helper()
	report, err := in.Clone(context.Background(), from, to, o)
	if err != nil {
		in.t.Fatalf("clone %s %s: %v", from, to, err)
	}
	return report
}

func (in *instance) destroy(names ...string) {
	in.t.Helper()
	for _, name := range names {
		if err := in.Destroy(context.Background(), name, guest.DestroyOptions{Force: true}); err != nil {
			in.t.Errorf("destroy %s: %v", name, err)
		}
	}
}

// write puts a file into a guest's tree, as root on the host.
func (in *instance) write(name, file, text string) {
	in.t.Helper()
	if err := os.WriteFile(in.Rootfs(name)+file, []byte(text), 0o644); err != nil {
		in.t.Fatal(err)
	}
}

func (in *instance) layers() int {
	entries, _ := os.ReadDir(filepath.Join(in.dirs.State, ".layers"))
	return len(entries)
}

func TestCloneIsAGuestOfItsOwn(t *testing.T) {
	in := newInstance(t)
	for _, backend := range []string{"dir", "overlay"} {
		in.create("golden", "busybox", backend)
		in.write("golden", "/root/file", "golden")
		in.configure("golden", "# a comment\nprotect = [\"delete\"]\nhostname = \"gold\"\n[limits]\npids = 100\n")
		want := in.content("golden", identified...)
		for _, snapshot := range []bool{false, true} {
			if snapshot && backend == "dir" {
				_, err := in.Clone(context.Background(), "golden", "copy", guest.CloneOptions{Snapshot: true})
				if !errors.Is(err, guest.ErrConfig) || !strings.Contains(err.Error(), "hint: sysct clone golden copy") {
					t.Errorf("snapshot on dir: %v", err)
				}
				continue
			}
			in.clone("golden", "copy", guest.CloneOptions{Snapshot: snapshot})
			same(t, "copy", in.content("copy", identified...), want)
			same(t, "source", in.content("golden", identified...), want)
			one, two := in.info("golden"), in.info("copy")
			if *one.IDBase == *two.IDBase || deref(one.MachineID) == deref(two.MachineID) || deref(two.Backend) != backend {
				t.Errorf("copy: %+v, source: %+v", two, one)
			}
			if in.hostname("copy") != "copy" || in.hostname("golden") != "golden" {
				t.Error("the host names are wrong")
			}
			text, err := in.ConfigText("copy")
			if err != nil || string(text.Data) != "version = 1\n# a comment\n[limits]\npids = 100\n" {
				t.Errorf("its configuration is %q, %v", text.Data, err)
			}
			// They run at once.
			for _, name := range []string{"golden", "copy"} {
				in.start(name)
				in.run(name, "sh", "-c", "echo "+name+" >/root/file; rm -r /etc/init.d /srv; true")
			}
			if out, _ := in.run("copy", "sh", "-c", "cat /root/file /etc/machine-id; hostname"); out != "copy\n"+deref(two.MachineID)+"\ncopy\n" {
				t.Errorf("the copy says %q", out)
			}
			if err := in.Stop(context.Background(), "golden", guest.StopOptions{Kill: true}); err != nil {
				t.Fatal(err)
			}
			want = in.content("golden", identified...)
			in.destroy("copy")
		}
		in.configure("golden", "")
		in.destroy("golden")
	}
	if n := in.layers(); n > 0 {
		t.Errorf("%d layers are left", n)
	}
}

func TestKeepsOfAClone(t *testing.T) {
	in := newInstance(t)
	in.create("web", "busybox", "dir")
	in.configure("web", "hostname = \"www\"\nephemeral = true\n")
	in.clone("web", "copy", guest.CloneOptions{Keep: guest.Keep{ID: true, Name: true}})
	if deref(in.info("copy").MachineID) != deref(in.info("web").MachineID) || in.hostname("copy") != "web" {
		t.Errorf("the copy is %+v", in.info("copy"))
	}
	if text, err := in.ConfigText("copy"); err != nil || string(text.Data) != "version = 1\nhostname = \"www\"\n" {
		t.Errorf("its configuration is %q, %v", text.Data, err)
	}
}

// A chain of clones, of which the first ones go.
func TestClonesOutliveTheirSource(t *testing.T) {
	in := newInstance(t)
	in.create("g0", "busybox", "overlay")
	const most = 11
	for i := range most {
		from, to := "g"+string(rune('a'+i-1)), "g"+string(rune('a'+i))
		if i == 0 {
			from = "g0"
		}
		in.write(from, "/root/"+to, to)
		report := in.clone(from, to, guest.CloneOptions{Snapshot: true})
		if bounded := report.Copied != ""; bounded != (in.layers() == 8 && i >= 8) {
			t.Errorf("clone %d: %+v, %d layers", i, report, in.layers())
		}
		in.destroy(from)
	}
	last := "g" + string(rune('a'+most-1))
	in.start(last)
	if out, _ := in.run(last, "ls", "/root"); strings.Count(out, "\n") != most {
		t.Errorf("the last clone has %q", out)
	}
	in.clone(last, "full", guest.CloneOptions{})
	in.destroy(last)
	in.start("full")
	if out, _ := in.run("full", "ls", "/root"); strings.Count(out, "\n") != most {
		t.Errorf("its full clone has %q", out)
	}
	in.destroy("full")
	if n := in.layers(); n > 0 {
		t.Errorf("%d layers are left", n)
	}
}

// Clones of a guest that doesn't change are on the same layer.
func TestManyClonesOfOneGuest(t *testing.T) {
	in := newInstance(t)
	in.create("golden", "busybox", "overlay")
	for _, to := range []string{"a1", "a2", "a3"} {
		in.clone("golden", to, guest.CloneOptions{Snapshot: true})
	}
	if n := in.layers(); n != 1 {
		t.Errorf("there are %d layers", n)
	}
	// While a state can't be read, nothing goes that might be needed.
	os.WriteFile(in.dirs.State+"/a1/state.json", []byte("{"), 0o600)
	in.destroy("golden", "a2")
	os.Remove(in.dirs.State + "/a1/state.json")
	in.destroy("a3")
	if n := in.layers(); n != 1 {
		t.Errorf("after a damaged state there are %d layers", n)
	}
	in.destroy("a1")
	if n := in.layers(); n != 0 {
		t.Errorf("%d layers are left", n)
	}
}

func TestCloneOfARunningGuest(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	for _, backend := range []string{"dir", "overlay"} {
		in.create("web", "busybox", backend)
		in.start("web")
		in.run("web", "sh", "-c", "echo kept >/root/file; (while :; do echo x >>/root/grows; done) >/dev/null 2>&1 &")
		report := in.clone("web", "copy", guest.CloneOptions{Snapshot: backend == "overlay"})
		if report.Still <= 0 || (report.Copied != "") != (backend == "overlay") {
			t.Errorf("the report is %+v", report)
		}
		if s := in.info("web").State; s != state.Running {
			t.Errorf("afterwards it is %s", s)
		}
		in.start("copy")
		if out, _ := in.run("copy", "cat", "/root/file"); out != "kept\n" {
			t.Errorf("the copy's file has %q", out)
		}
		if err := in.Freeze(ctx, "web", 0); err != nil {
			t.Fatal(err)
		}
		in.clone("web", "second", guest.CloneOptions{})
		if s := in.info("web").State; s != state.Frozen {
			t.Errorf("frozen before, it is %s afterwards", s)
		}
		in.destroy("web", "copy", "second")
	}
}

// A guest that another verb just freezes or thaws is waited for.
func TestCloneAmongFreezes(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("web", "busybox", "overlay")
	in.start("web")
	in.ready("web")
	frozen := in.freezes(ctx, "web")
	for range 10 {
		in.clone("web", "copy", guest.CloneOptions{Snapshot: true})
		in.destroy("copy")
	}
	if n := frozen(); n < 20 {
		t.Errorf("%d freezes and thaws went beside the clones", n)
	}
}

// freezes freezes and thaws a guest over and over until it is asked how often that went,
// or the test ends.
func (in *instance) freezes(ctx context.Context, name string) (end func() int) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	n := 0
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			for _, err := range []error{in.Freeze(ctx, name, 0), in.Thaw(ctx, name, 0)} {
				if err == nil {
					n++
				} else if !errors.Is(err, guest.ErrLocked) && !errors.Is(err, guest.ErrState) && ctx.Err() == nil {
					in.t.Error(err) // those are the answers while it holds still for a clone
				}
			}
		}
	}()
	end = func() int {
		cancel()
		<-done
		return n
	}
	in.t.Cleanup(func() { end() })
	return end
}

// A clone that is killed, or that fails, leaves no guest frozen.
func TestACloneThatDiesLetsItsSourceGo(t *testing.T) {
	in := newInstance(t)
	in.create("web", "busybox", "overlay")
	in.start("web")
	in.ready("web")
	in.killed("copy rootfs", "clone", "web", "copy")
	thawed := func() error {
		if s := in.info("web").State; s != state.Running {
			return errors.New(string(s))
		}
		return nil
	}
	eventually(t, "the source goes on", thawed)
	if out, err := in.verb("error:let source go", "clone", "web", "copy"); err == nil {
		t.Errorf("no error: %s", out)
	}
	if err := thawed(); err != nil {
		t.Errorf("after an error it is %v", err)
	}
	in.collected()
	if in.names() != "web" {
		t.Errorf("the guests are %s", in.names())
	}
	// Its monitor dies with the connection.
	path, err := failing()
	if err != nil {
		t.Fatal(err)
	}
	in.stoppedClone(path)
	eventually(t, "the source goes on without its monitor", thawed)
}

// stoppedClone stops a clone in the middle, kills the monitor of its source and ends it.
func (in *instance) stoppedClone(path string) {
	t := in.t
	cmd := exec.Command(path, "clone", "web", "copy")
	cmd.Env = append(os.Environ(), "SYSCT_FAILPOINT=stop:copy rootfs", "SYSCT_STATE_DIR="+in.dirs.State,
		"SYSCT_RUN_DIR="+in.dirs.Run, "SYSCT_LOG_DIR="+in.dirs.Log, "SYSCT_CACHE_DIR="+in.dirs.Cache)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	standsStill(t, cmd)
	if s := in.info("web").State; s != state.Frozen {
		t.Errorf("the source is %s", s)
	}
	monitor := *in.info("web").MonitorPid
	if err := unix.Kill(monitor, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another monitor", func() error {
		if pid := in.info("web").MonitorPid; pid == nil || *pid == monitor {
			return errors.New("none")
		}
		return nil
	})
	unix.Kill(cmd.Process.Pid, unix.SIGCONT)
	if status := exitStatus(cmd.Wait()); status != 2 {
		t.Errorf("a clone whose source went on ends with %d", status)
	}
}

var cloneSteps = []string{
	"clear leftovers", "make directory", "allocate ids", "hold source", "unmount source", "make layer", "note layer",
	"split layer", "mount source", "copy rootfs", "let source go", "write identity", "write config", "sync", "publish",
}

// Whenever a clone is killed, its source shows what it showed, and the clone is whole or
// not there.
func TestCloneKilledAtEachStep(t *testing.T) {
	in := newInstance(t)
	in.create("web", "busybox", "overlay")
	for i, step := range cloneSteps {
		// At the bottom of a stack of layers no more are made.
		if i%7 == 6 {
			in.destroy("web")
			in.create("web", "busybox", "overlay")
		}
		hows := []string{"-s"}
		if strings.Contains("hold source, copy rootfs, write identity, sync, publish", step) {
			hows = append(hows, "--quiet") // a full one
		}
		for _, how := range hows {
			in.mounted("web")
			in.write("web", "/root/"+strings.ReplaceAll(step, " ", "-")+how, step)
			want := in.content("web", "/var/log/wtmp")
			in.killed(step, "clone", how, "web", "copy")
			in.mounted("web")
			same(t, "source, killed before "+step, in.content("web", "/var/log/wtmp"), want)
			if in.names() != "web" {
				t.Errorf("killed before %s: the guests are %q", step, in.names())
			}
			in.collected()
			in.mounted("web")
			same(t, "source after gc, killed before "+step, in.content("web", "/var/log/wtmp"), want)
		}
		in.clone("web", "copy", guest.CloneOptions{Snapshot: true})
		in.destroy("copy")
	}
}

func TestDebianCloneIsRunning(t *testing.T) {
	in := newInstance(t)
	in.create("web", "debian", "overlay", testimages.DebianArgs("bookworm")...)
	in.start("web")
	in.ready("web")
	in.clone("web", "copy", guest.CloneOptions{Snapshot: true})
	in.start("copy")
	in.ready("copy")
	id := func(name string) string {
		out, _ := in.run(name, "sh", "-c", "systemctl is-system-running --wait; cat /etc/machine-id")
		return out
	}
	one, two := id("web"), id("copy")
	if one == two || !strings.HasPrefix(one, "running\n") || !strings.HasPrefix(two, "running\n") {
		t.Errorf("source: %q, copy: %q", one, two)
	}
}

// Clones of one guest at once, while it starts and stops: each is made, boots and has ids
// of its own. Of two for one name one wins.
func TestClonesWhileTheSourceStartsAndStops(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("web", "busybox", "overlay")
	done := make(chan struct{})
	var working sync.WaitGroup
	working.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if err := in.Start(ctx, "web", guest.StartOptions{}); err != nil {
				t.Errorf("start: %v", err)
			}
			if err := in.Stop(ctx, "web", guest.StopOptions{Kill: true}); err != nil {
				t.Errorf("stop: %v", err)
			}
		}
	})
	var clones sync.WaitGroup
	won := make([]error, 2)
	for i := range 4 {
		clones.Go(func() {
			_, err := in.Clone(ctx, "web", fmt.Sprintf("c%d", i), guest.CloneOptions{Snapshot: i%2 == 0})
			// One that was ended in the middle of the copy says so.
			if err != nil && !errors.Is(err, guest.ErrState) && !strings.Contains(err.Error(), "hold still") {
				t.Errorf("clone %d: %v", i, err)
			}
		})
	}
	for i := range won {
		clones.Go(func() { _, won[i] = in.Clone(ctx, "web", "same", guest.CloneOptions{}) })
	}
	clones.Wait()
	close(done)
	working.Wait()
	if (won[0] == nil) && (won[1] == nil) {
		t.Error("two clones got one name")
	}
	bases := map[uint32]bool{}
	for _, name := range strings.Fields(in.names()) {
		bases[*in.info(name).IDBase] = true
		in.start(name)
		if out, _ := in.run(name, "hostname"); out != name+"\n" {
			t.Errorf("%s calls itself %q", name, out)
		}
	}
	if n := len(strings.Fields(in.names())); len(bases) != n || n < 3 {
		t.Errorf("%d guests have %d ranges of ids", n, len(bases))
	}
	in.collected()
}
