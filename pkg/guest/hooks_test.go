package guest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// hookDir is a directory that everybody can reach, with programs and a place where they
// may write.
type hookDir struct {
	t    *testing.T
	path string
}

func newHookDir(t *testing.T) *hookDir {
	t.Helper()
	path, err := os.MkdirTemp("/var/tmp", "sysct-hooks-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(path) })
	d := &hookDir{t: t, path: path}
	out := filepath.Join(path, "out")
	if err := errors.Join(os.Mkdir(out, 0o777), os.Chmod(out, 0o777), os.Chmod(path, 0o755),
		os.WriteFile(d.out("order"), nil, 0o666), os.Chmod(d.out("order"), 0o666)); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *hookDir) out(name string) string { return filepath.Join(d.path, "out", name) }

// script writes a shell script that only root can write.
func (d *hookDir) script(name, text string) string {
	d.t.Helper()
	path := filepath.Join(d.path, name)
	err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755)
	if err == nil {
		err = os.Chmod(path, 0o755)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return path
}

func (d *hookDir) read(name string) string {
	data, err := os.ReadFile(d.out(name))
	if err != nil {
		d.t.Error(err)
	}
	return string(data)
}

// seen is what a hook of the script below has written, by name.
func (d *hookDir) seen(hook string) map[string]string {
	d.t.Helper()
	seen := map[string]string{}
	for line := range strings.Lines(d.read(hook)) {
		if key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			seen[key] = value
		}
	}
	return seen
}

// look has a hook write down what it sees.
const look = `out=${0%/*}/out
{
env
echo "stdin=$(cat)"
echo "uid=$(id -u)"
echo "cgroup=$(grep ^0: /proc/self/cgroup)"
echo "root=$(ls $LXC_ROOTFS_MOUNT/ 2>/dev/null | tr '\n' ' ')"
for ns in user mnt pid net uts ipc; do echo "$ns=$(readlink /proc/self/ns/$ns)"; done
echo "entered=$(stat -Lc %i "$LXC_NET_NS" 2>/dev/null)"
} > $out/$LXC_HOOK_TYPE
echo $LXC_HOOK_TYPE >> $out/order
`

func (d *hookDir) allHooks() string {
	look := d.script("look", look)
	mount := d.script("mount", `set -e
mount -t tmpfs hook $LXC_ROOTFS_MOUNT/mnt
echo "of the hook" > $LXC_ROOTFS_MOUNT/mnt/file
(setsid sleep 4711 >/dev/null 2>&1 &)
`)
	dev := d.script("dev", "ln -s null $LXC_ROOTFS_MOUNT/dev/hooked\n")
	return fmt.Sprintf(`[hooks]
pre_start = "%[1]s"
pre_mount = "%[1]s"
mount = ["%[1]s", "%[2]s"]
autodev = ["%[1]s", "%[3]s"]
start_host = "%[1]s"
start = "/bin/sh -c 'env > /start; readlink /proc/self/ns/mnt >> /start; grep Seccomp: /proc/self/status >> /start; echo of start >&2'"
stop = "%[1]s"
post_stop = "%[1]s"
`, look, mount, dev)
}

func TestHooksRunWhereAndWhenTheyShould(t *testing.T) {
	ctx := context.Background()
	in, d := newInstance(t), newHookDir(t)
	in.create("tiny", "busybox", "overlay")
	in.configure("tiny", d.allHooks())
	in.start("tiny")
	in.ready("tiny")
	pid := *in.info("tiny").Pid
	in.hooksOfAStart(d, pid)
	net := namespaceOf(t, pid, "net")
	in.run("tiny", "reboot")
	eventually(t, "it has booted twice", func() error {
		if info := in.info("tiny"); info.Boots == nil || *info.Boots != 2 || info.State != state.Running {
			return fmt.Errorf("%+v", info)
		}
		return nil
	})
	for _, hook := range []string{"stop", "post-stop"} {
		if got := d.seen(hook)["LXC_TARGET"]; got != "reboot" {
			t.Errorf("target of %s at a reboot: %q", hook, got)
		}
	}
	if got := d.seen("stop")["entered"]; got == "" || net != "net:["+got+"]" {
		t.Errorf("the stop hook saw the network %s, the guest had %s", got, net)
	}
	if err := in.Stop(ctx, "tiny", guest.StopOptions{Kill: true}); err != nil {
		t.Fatal(err)
	}
	for _, hook := range []string{"stop", "post-stop"} {
		seen := d.seen(hook)
		if seen["LXC_TARGET"] != "stop" || seen["SYSCT_TARGET"] != "stop" || seen["mnt"] != namespaceOf(t, os.Getpid(), "mnt") {
			t.Errorf("%s at the end: %v", hook, seen)
		}
	}
	boot := "pre-start\npre-mount\nmount\nautodev\nstart-host\nstop\npost-stop\n"
	if got := d.read("order"); got != boot+boot {
		t.Errorf("the order of two boots:\n%s", got)
	}
	var log strings.Builder
	in.Logs(ctx, "tiny", &log, 1000)
	if !strings.Contains(log.String(), "of start") {
		t.Errorf("what a hook printed isn't in the log:\n%s", &log)
	}
}

func namespaceOf(t *testing.T, pid int, kind string) string {
	t.Helper()
	link, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/" + kind)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// hooksOfAStart looks at what the hooks before init have seen and left.
func (in *instance) hooksOfAStart(d *hookDir, pid int) {
	t := in.t
	base := *in.info("tiny").IDBase
	for hook, inside := range map[string]bool{"pre-start": false, "pre-mount": true, "mount": true, "autodev": true, "start-host": false} {
		seen := d.seen(hook)
		whose := os.Getpid()
		if inside {
			whose = pid
		}
		for _, kind := range []string{"user", "mnt", "pid", "net", "uts", "ipc"} {
			if want := namespaceOf(t, whose, kind); seen[kind] != want {
				t.Errorf("%s ran in %s, not in %s", hook, seen[kind], want)
			}
		}
		for name, want := range map[string]string{
			"NAME": "tiny", "HOOK_TYPE": hook, "HOOK_SECTION": "lxc", "HOOK_VERSION": "1", "CGNS_AWARE": "1", "LOG_LEVEL": "INFO",
			"CONFIG_FILE": in.dirs.State + "/tiny/config.toml", "ROOTFS_PATH": in.dirs.State + "/tiny/rootfs",
			"ROOTFS_MOUNT": in.dirs.State + "/tiny/rootfs", "CONSOLE_LOGPATH": in.dirs.Log + "/tiny.console.log",
		} {
			if seen["LXC_"+name] != want || seen["SYSCT_"+name] != want {
				t.Errorf("%s: LXC_%s=%q, SYSCT_%s=%q, want %q", hook, name, seen["LXC_"+name], name, seen["SYSCT_"+name], want)
			}
		}
		var told struct {
			Hook, Name string
			IDBase     uint32 `json:"id_base"`
			Pid        int
		}
		if err := json.Unmarshal([]byte(seen["stdin"]), &told); err != nil || told.Hook != hook || told.Name != "tiny" || told.IDBase != uint32(base) {
			t.Errorf("%s was told %s: %v", hook, seen["stdin"], err)
		}
		if inside := strings.Contains(seen["cgroup"], "/tiny/"); inside {
			t.Errorf("%s ran in the guest's group as the host sees it: %s", hook, seen["cgroup"])
		}
		if full := strings.Contains(seen["root"], "sbin"); full != (hook != "pre-mount") {
			t.Errorf("%s found at the root: %q", hook, seen["root"])
		}
	}
	if got := d.seen("start-host")["LXC_PID"]; got != strconv.Itoa(pid) {
		t.Errorf("LXC_PID is %s, init is %d", got, pid)
	}
	out, _ := in.run("tiny", "sh", "-c", "cat /mnt/file; readlink /dev/hooked; cat /start; ps")
	for _, want := range []string{"of the hook\nnull\n", "LXC_HOOK_TYPE=start\n", "LXC_ROOTFS_MOUNT=/\n", namespaceOf(t, pid, "mnt"), "Seccomp:\t2"} {
		if !strings.Contains(out, want) {
			t.Errorf("the guest doesn't have %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "4711") {
		t.Errorf("what a mount hook left runs in the host's tree:\n%s", out)
	}
}

func TestHooksThatFail(t *testing.T) {
	in, d := newInstance(t), newHookDir(t)
	in.create("tiny", "busybox", "overlay")
	fails := d.script("fails", "echo out; echo why it failed >&2; exit 3\n")
	crlf := d.script("crlf", "")
	noexec := d.script("noexec", "")
	odd := d.script("odd", "")
	garbage := filepath.Join(d.path, "garbage")
	foreign := d.script("foreign", "")
	hidden := filepath.Join(d.path, "hidden")
	if err := errors.Join(os.WriteFile(crlf, []byte("#!/bin/sh\r\necho\r\n"), 0o755), os.Chmod(noexec, 0o644), os.Chmod(odd, 0o757),
		os.WriteFile(garbage, []byte("echo\n"), 0o755), os.Chown(foreign, 1000, 0), os.Mkdir(hidden, 0o700),
		os.WriteFile(hidden+"/x", []byte("#!/bin/sh\n"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ key, program, want string }{
		{"pre_start", fails, "exit status 3: why it failed"}, {"mount", fails, "exit status 3: why it failed"},
		{"pre_mount", fails, "exit status 3: why it failed"}, {"autodev", fails, "exit status 3: why it failed"},
		{"start_host", fails, "exit status 3: why it failed"},
		{"start", "/bin/sh -c 'echo of the guest >&2; exit 4'", "exit status 4: of the guest"},
		{"start", "/bin/nosuch", "no such file"},
		{"pre_start", "/nosuch", "no such file"}, {"mount", "/nosuch", "no such file"},
		{"pre_start", crlf, `end with CR LF`}, {"mount", crlf, `end with CR LF`},
		{"pre_start", noexec, "not executable (mode 0644)"}, {"mount", noexec, "not executable (mode 0644)"},
		{"pre_start", odd, "others than root may write it (mode 0757)"}, {"autodev", odd, "others than root may write it"},
		{"pre_start", garbage, "neither a program"}, {"pre_mount", garbage, "neither a program"},
		{"pre_start", foreign, "belongs to user 1000"}, {"start_host", d.path, "is a directory"},
		{"mount", hidden + "/x", "permission denied: it is run as the guest's root"},
		{"pre_start", in.Rootfs("tiny") + "/bin/busybox", "in a guest's tree"}, {"mount", in.Rootfs("tiny") + "/bin/busybox", "in a guest's tree"},
		{"pre_start", "/bin/sh -c 'kill -9 $$'", "killed by SIGKILL"},
	} {
		in.configure("tiny", fmt.Sprintf("[hooks]\n%s = \"%s\"\n", c.key, c.program))
		err := in.Start(context.Background(), "tiny", guest.StartOptions{})
		var failed *guest.StartError
		step, path := strings.ReplaceAll(c.key, "_", "-")+" hook", strings.Fields(c.program)[0]
		if !errors.As(err, &failed) || failed.Step != step || failed.Path != path || !strings.Contains(failed.Err.Error(), c.want) {
			t.Errorf("%s = %s: %v", c.key, c.program, err)
		}
		if boot, err := in.Why(context.Background(), "tiny"); err != nil || boot.Boot == nil || boot.Boot.Failure == nil || boot.Boot.Failure.Step != step {
			t.Errorf("why after %s = %s: %+v, %v", c.key, c.program, boot, err)
		}
	}
	// One after the other, until one fails.
	touch := d.script("touch", "echo $1 >> ${0%/*}/out/order\n")
	in.configure("tiny", fmt.Sprintf("[hooks]\npre_start = [\"%[1]s 'a b'\", \"%[2]s\", \"%[1]s c\"]\npost_stop = \"%[1]s d\"\n", touch, fails))
	if err := in.Start(context.Background(), "tiny", guest.StartOptions{}); err == nil {
		t.Error("it started")
	}
	eventually(t, "what follows a failed one isn't run, but for post-stop", func() error {
		if got := d.read("order"); got != "a b\nd\n" {
			return fmt.Errorf("%q", got)
		}
		return nil
	})
}

// hangs is a hook that leaves a process in a session of its own and doesn't end.
const hangs = `echo $LXC_HOOK_TYPE >> ${0%/*}/out/order
(setsid sleep 4712 &)
exec sleep 4714
`

// sleepers are the processes of the host that the script above has left.
func sleepers(numbers ...string) (found []string) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		line, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		for _, n := range numbers {
			if string(line) == "sleep\x00"+n+"\x00" {
				found = append(found, n)
			}
		}
	}
	return found
}

// noSleepers says that none is left. A killed process ends when it has a CPU for that.
func noSleepers(t *testing.T, key string) {
	t.Helper()
	eventually(t, key+" leaves nothing", func() error {
		if left := sleepers("4712", "4714"); len(left) > 0 {
			return fmt.Errorf("%q", left)
		}
		return nil
	})
}

func TestHookThatHangsIsKilledWhole(t *testing.T) {
	in, d := newInstance(t), newHookDir(t)
	in.create("tiny", "busybox", "overlay")
	for _, key := range []string{"pre_start", "mount", "start_host"} {
		in.configure("tiny", fmt.Sprintf("[hooks]\ntimeout = 1\n%s = \"%s\"\n", key, d.script("hangs", hangs)))
		err := in.Start(context.Background(), "tiny", guest.StartOptions{})
		if err == nil || !strings.Contains(err.Error(), "did not end in 1s") {
			t.Errorf("%s that hangs: %v", key, err)
		}
		noSleepers(t, key)
	}
}

func TestStopEndsAHookThatHangs(t *testing.T) {
	ctx := context.Background()
	in, d := newInstance(t), newHookDir(t)
	in.create("tiny", "busybox", "overlay")
	for i, key := range []string{"pre_start", "mount", "start_host", "pre_start"} {
		os.Truncate(d.out("order"), 0)
		in.configure("tiny", fmt.Sprintf("[hooks]\ntimeout = 3600\n%s = \"%s\"\n", key, d.script("hangs", hangs)))
		started := make(chan error, 1)
		go func() { started <- in.Start(ctx, "tiny", guest.StartOptions{}) }()
		in.hookBegins(d)
		if err := in.Stop(ctx, "tiny", guest.StopOptions{Kill: i == 0}); err != nil {
			t.Errorf("stop in %s: %v", key, err)
		}
		if err := <-started; !errors.Is(err, guest.ErrState) {
			t.Errorf("a start that was stopped in %s: %v", key, err)
		}
		noSleepers(t, key)
	}
}

func (in *instance) hookBegins(d *hookDir) {
	eventually(in.t, "the hook begins", func() error {
		if d.read("order") == "" || len(sleepers("4712")) == 0 {
			return errors.New("not yet")
		}
		return nil
	})
}

// A monitor that is killed while a hook runs has a successor that ends the hook and
// begins the boot anew.
func TestMonitorIsKilledInAHook(t *testing.T) {
	ctx := context.Background()
	in, d := newInstance(t), newHookDir(t)
	in.create("tiny", "busybox", "overlay")
	once := d.script("once", "[ -s ${0%/*}/out/order ] && exit 0\n"+hangs)
	for _, key := range []string{"pre_start", "mount", "start_host", "post_stop"} {
		os.Truncate(d.out("order"), 0)
		in.configure("tiny", fmt.Sprintf("[hooks]\ntimeout = 3600\n%s = \"%s\"\n", key, once))
		ended := make(chan error, 1)
		if key == "post_stop" {
			in.start("tiny")
			go func() { ended <- in.Stop(ctx, "tiny", guest.StopOptions{Kill: true}) }()
		} else {
			go func() { ended <- in.Start(ctx, "tiny", guest.StartOptions{}) }()
		}
		in.hookBegins(d)
		if err := unix.Kill(*in.info("tiny").MonitorPid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", key, err)
		}
		noSleepers(t, key)
		if key != "post_stop" {
			if err := in.Stop(ctx, "tiny", guest.StopOptions{Kill: true}); err != nil {
				t.Errorf("%s: %v", key, err)
			}
		}
	}
}

func TestCloneAndDestroyHooks(t *testing.T) {
	ctx := context.Background()
	in, d := newInstance(t), newHookDir(t)
	in.create("tiny", "busybox", "overlay")
	fails := d.script("fails", "echo not now >&2; exit 1\n")
	script := d.script("look", look+"touch $LXC_ROOTFS_MOUNT/etc/hooked\n")
	in.configure("tiny", fmt.Sprintf("[hooks]\nclone = \"%s\"\n", fails))
	if _, err := in.Clone(ctx, "tiny", "two", guest.CloneOptions{}); err == nil || !strings.Contains(err.Error(), "clone hook "+fails+": exit status 1: not now") {
		t.Errorf("a clone hook that fails: %v", err)
	}
	if names, _ := in.Names(); len(names) != 1 {
		t.Errorf("there are %q", names)
	}
	in.configure("tiny", fmt.Sprintf("[hooks]\nclone = \"%[1]s\"\ndestroy = \"%[1]s\"\n", script))
	for _, o := range []guest.CloneOptions{{}, {Snapshot: true}} {
		if _, err := in.Clone(ctx, "tiny", "two", o); err != nil {
			t.Fatal(err)
		}
		seen := d.seen("clone")
		if seen["LXC_SRC_NAME"] != "tiny" || seen["LXC_NAME"] != "two" || !strings.Contains(seen["root"], "sbin") {
			t.Errorf("the clone hook saw %v", seen)
		}
		if _, err := os.Stat(in.Rootfs("two") + "/etc/hooked"); err != nil {
			t.Errorf("what the clone hook did: %v", err)
		}
		if _, err := os.Stat(in.Rootfs("tiny") + "/etc/hooked"); err == nil {
			t.Error("it was done to the other guest")
		}
		if err := in.Destroy(ctx, "two", guest.DestroyOptions{}); err != nil {
			t.Fatal(err)
		}
		if seen := d.seen("destroy"); seen["LXC_NAME"] != "two" || !strings.Contains(seen["root"], "sbin") {
			t.Errorf("the destroy hook saw %v", seen)
		}
	}
	in.configure("tiny", fmt.Sprintf("[hooks]\ndestroy = \"%s\"\n", fails))
	err := in.Destroy(ctx, "tiny", guest.DestroyOptions{Force: true})
	if err == nil || !strings.Contains(err.Error(), "destroy hook "+fails+": exit status 1: not now\nhint: it is the guest's key hooks.destroy") {
		t.Errorf("a destroy hook that fails: %v", err)
	}
	in.start("tiny")
	in.ready("tiny")
	if err := in.Stop(ctx, "tiny", guest.StopOptions{Kill: true}); err != nil {
		t.Fatal(err)
	}
	in.configure("tiny", "")
}

func TestEphemeralGuestHasItsDestroyHook(t *testing.T) {
	in, d := newInstance(t), newHookDir(t)
	in.create("tiny", "busybox", "overlay")
	in.configure("tiny", fmt.Sprintf("ephemeral = true\n[hooks]\ndestroy = [\"%s\", \"/nosuch\"]\n", d.script("look", look)))
	in.start("tiny")
	in.ready("tiny")
	in.run("tiny", "poweroff")
	in.vanished("tiny")
	if seen := d.seen("destroy"); seen["LXC_NAME"] != "tiny" || seen["LXC_HOOK_TYPE"] != "destroy" {
		t.Errorf("the destroy hook saw %v", seen)
	}
}
