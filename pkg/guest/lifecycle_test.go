package guest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// clean is a stop by the guest's own shutdown, however busy the host is.
func clean() guest.StopOptions {
	return guest.StopOptions{Timeout: minute(), NoKill: true}
}

func TestBusyboxFromCreateToDestroy(t *testing.T) {
	for _, backend := range []string{"dir", "overlay"} {
		t.Run(backend, func(t *testing.T) {
			ctx := context.Background()
			in := newInstance(t)
			in.create("tiny", "busybox", backend)
			if info := in.info("tiny"); info.State != state.Stopped || deref(info.Backend) != backend || info.Pid != nil {
				t.Fatalf("after create: %+v", info)
			}
			in.start("tiny")
			in.ready("tiny")
			info := in.info("tiny")
			if info.State != state.Running || info.Pid == nil || info.MonitorPid == nil || info.StartedAt == nil || info.Ready == nil || !*info.Ready {
				t.Fatalf("after start: %+v", info)
			}
			if err := in.Start(ctx, "tiny", guest.StartOptions{}); !errors.Is(err, guest.ErrState) {
				t.Errorf("start of a running guest: %v", err)
			}
			out, status := in.run("tiny", "sh", "-c", "hostname; id -u; cat /etc/machine-id; exit 7")
			if want := "tiny\n0\n" + deref(info.MachineID) + "\n"; out != want || status != 7 {
				t.Errorf("exec: %q %d, want %q 7", out, status, want)
			}
			in.freezeAndThaw("tiny")
			in.run("tiny", "sh", "-c", "echo kept >/root/file")
			if err := in.Stop(ctx, "tiny", clean()); err != nil {
				t.Fatalf("stop: %v", err)
			}
			info = in.info("tiny")
			if info.State != state.Stopped || info.Exit == nil || info.Exit.Reason != state.ReasonPoweroff {
				t.Errorf("after stop: %+v %+v", info, info.Exit)
			}
			if err := in.Stop(ctx, "tiny", clean()); !errors.Is(err, guest.ErrState) {
				t.Errorf("stop of a stopped guest: %v", err)
			}
			var st unix.Stat_t
			if err := unix.Stat(in.Rootfs("tiny")+"/root/file", &st); err != nil || st.Uid != 0 {
				t.Errorf("the guest's file, stopped: uid %d, %v", st.Uid, err)
			}
			in.start("tiny")
			if out, _ := in.run("tiny", "cat", "/root/file"); out != "kept\n" {
				t.Errorf("after a second start the file has %q", out)
			}
		})
	}
}

// freezeAndThaw looks at a process of the guest that counts.
func (in *instance) freezeAndThaw(name string) {
	t := in.t
	t.Helper()
	ctx := context.Background()
	if err := in.Freeze(ctx, name, 0); err != nil {
		t.Fatalf("freeze: %v", err)
	}
	if s := in.info(name).State; s != state.Frozen {
		t.Errorf("frozen, it is %s", s)
	}
	if _, err := in.Exec(ctx, name, guest.ExecOptions{Args: []string{"true"}}); !errors.Is(err, guest.ErrState) {
		t.Errorf("exec in a frozen guest: %v", err)
	}
	if err := in.Thaw(ctx, name, 0); err != nil {
		t.Fatalf("thaw: %v", err)
	}
	if s := in.info(name).State; s != state.Running {
		t.Errorf("thawed, it is %s", s)
	}
	if _, status := in.run(name, "true"); status != 0 {
		t.Errorf("exec after thaw: %d", status)
	}
}

func TestGuestReboots(t *testing.T) {
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.start("tiny")
	in.ready("tiny")
	before := in.info("tiny")
	in.run("tiny", "reboot")
	eventually(t, "it has booted twice", func() error {
		if info := in.info("tiny"); info.Boots == nil || *info.Boots != 2 || info.State != state.Running {
			return fmt.Errorf("%+v", info)
		}
		return nil
	})
	in.ready("tiny")
	after := in.info("tiny")
	if *after.MonitorPid != *before.MonitorPid || *after.Pid == *before.Pid || deref(after.MachineID) != deref(before.MachineID) {
		t.Errorf("after a reboot %+v, before %+v", after, before)
	}
	if out, _ := in.run("tiny", "cut", "-d.", "-f1", "/proc/uptime"); len(strings.TrimSpace(out)) > 2 {
		t.Errorf("uptime goes on over a reboot: %q", out)
	}
	in.run("tiny", "poweroff")
	if err := in.Wait(context.Background(), "tiny", guest.WaitOptions{States: []state.State{state.Stopped}, Timeout: minute()}); err != nil {
		t.Fatal(err)
	}
	if exit := in.info("tiny").Exit; exit == nil || exit.Reason != state.ReasonPoweroff {
		t.Errorf("after poweroff: %+v", exit)
	}
}

func TestStartThatFailsSaysWhere(t *testing.T) {
	in := newInstance(t)
	in.create("tiny", "busybox", "dir")
	os.Remove(in.Rootfs("tiny") + "/sbin/init")
	for range 2 { // and the next start says the same: nothing is left of the first
		err := in.Start(context.Background(), "tiny", guest.StartOptions{})
		var failed *guest.StartError
		if !errors.As(err, &failed) || failed.Step != "exec init" || failed.Call != "execve" || !strings.Contains(failed.Path, "/sbin/init") || !errors.Is(err, unix.ENOENT) {
			t.Errorf("start without init: %v", err)
		}
	}
	eventually(t, "it is stopped after a failed start", func() error {
		if info := in.info("tiny"); info.State != state.Stopped || info.Exit == nil || info.Exit.Reason != state.ReasonFailed {
			return fmt.Errorf("%+v", info)
		}
		return nil
	})
}

func TestKillAndRestart(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.start("tiny")
	in.ready("tiny")
	if err := in.Freeze(ctx, "tiny", 0); err != nil {
		t.Fatal(err)
	}
	if err := in.Kill(ctx, "tiny", unix.SIGKILL); err != nil {
		t.Fatalf("kill of a frozen guest: %v", err)
	}
	if exit := in.info("tiny").Exit; exit == nil || exit.Reason != state.ReasonKilled || deref(exit.Signal) != "SIGKILL" {
		t.Errorf("after kill: %+v", exit)
	}
	in.start("tiny")
	in.ready("tiny")
	if err := in.Restart(ctx, "tiny", guest.StopOptions{}); err != nil {
		t.Fatalf("restart: %v", err)
	}
	in.ready("tiny")
	if err := in.Destroy(ctx, "tiny", guest.DestroyOptions{}); !errors.Is(err, guest.ErrState) {
		t.Errorf("destroy of a running guest: %v", err)
	}
}

func TestAHundredLivesLeaveNothing(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	for i := range 100 {
		in.create("tiny", "busybox", "overlay")
		in.start("tiny")
		if i%10 == 0 {
			in.ready("tiny")
			if err := in.Stop(ctx, "tiny", clean()); err != nil {
				t.Fatalf("stop %d: %v", i, err)
			}
		} else if err := in.Stop(ctx, "tiny", guest.StopOptions{Kill: true}); err != nil {
			t.Fatalf("kill %d: %v", i, err)
		}
		if err := in.Destroy(ctx, "tiny", guest.DestroyOptions{}); err != nil {
			t.Fatalf("destroy %d: %v", i, err)
		}
	}
	in.noTraces()
	for _, dir := range []string{in.dirs.State, in.dirs.Run, in.dirs.Run + "/.lock"} {
		var left []string
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if e.Name() != ".lock" && e.Name() != "holder.lock" {
				left = append(left, filepath.Join(dir, e.Name()))
			}
		}
		if len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	}
}

// configure replaces the guest's config.toml.
func (in *instance) configure(name, text string) {
	in.t.Helper()
	path := filepath.Join(in.dirs.State, name, "config.toml")
	if err := os.WriteFile(path, []byte("version = 1\n"+text), 0o600); err != nil {
		in.t.Fatal(err)
	}
}

func TestLimitsOfTheConfiguration(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.configure("tiny", "[limits]\nmemory = \"64M\"\npids = 40\ncpu_quota = \"50%\"\ncpuset = \"0\"\n")
	in.start("tiny")
	in.ready("tiny")
	if u := in.info("tiny").Usage; u == nil || u.MemoryMax == nil || *u.MemoryMax != 64<<20 {
		t.Errorf("usage: %+v", u)
	}
	if out, _ := in.run("tiny", "nproc"); out != "1\n" {
		t.Errorf("nproc with one CPU: %q", out)
	}
	in.run("tiny", "sh", "-c", "head -c 200000000 /dev/zero | tail -c 150000000 | wc -c")
	if u := in.info("tiny").Usage; u == nil || u.OOMKills == nil || *u.OOMKills == 0 {
		t.Errorf("150 MB of 64 MB were had: %+v", u)
	}
	out, _ := in.run("tiny", "sh", "-c", "i=0; while [ $i -lt 100 ]; do sleep 60 & i=$((i+1)); done; echo all")
	if !strings.Contains(out, "fork") {
		t.Errorf("100 processes of 40 were started: %q", out)
	}
	if err := in.Stop(ctx, "tiny", guest.StopOptions{Kill: true}); err != nil {
		t.Fatal(err)
	}
	in.configure("tiny", "[limits]\ncpuset = \"4000\"\n")
	if err := in.Start(ctx, "tiny", guest.StartOptions{}); err == nil || !strings.Contains(err.Error(), "cpuset") || !strings.Contains(err.Error(), "4000") {
		t.Errorf("a CPU that isn't there: %v", err)
	}
	in.configure("tiny", "[limits]\nmemori = 1\n")
	if err := in.Start(ctx, "tiny", guest.StartOptions{}); !errors.Is(err, guest.ErrConfig) || !strings.Contains(err.Error(), "memory") {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestRestartOnFailure(t *testing.T) {
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.configure("tiny", "restart = \"on-failure\"\n")
	in.start("tiny")
	in.ready("tiny")
	before := in.info("tiny")
	// Not by sysct: as the kernel or an administrator would.
	if err := unix.Kill(*before.Pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it runs again", func() error {
		if info := in.info("tiny"); info.State != state.Running || info.Pid == nil || *info.Pid == *before.Pid {
			return fmt.Errorf("%+v", info)
		}
		return nil
	})
	in.ready("tiny")
	if err := in.Stop(context.Background(), "tiny", clean()); err != nil {
		t.Fatal(err)
	}
	if s := in.info("tiny").State; s != state.Stopped {
		t.Errorf("after a stop that was asked for it is %s", s)
	}
}

func TestHostNetwork(t *testing.T) {
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.configure("tiny", "[[net]]\ntype = \"host\"\n")
	in.start("tiny")
	in.ready("tiny")
	host, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if out, _ := in.run("tiny", "readlink", "/proc/self/ns/net"); strings.TrimSpace(out) != host {
		t.Errorf("network namespace %q, the host's is %q", out, host)
	}
	if out, status := in.run("tiny", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"); status == 0 {
		t.Errorf("the guest may set the host's sysctls: %q", out)
	}
}
