package guest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sysct/sysct/internal/testimages"
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// system is a Debian guest of a kind.
type system struct{ release, init, backend string }

func (s system) name() string {
	return strings.Join(strings.Fields(s.release+" "+s.init+" "+s.backend), "-")
}

// args are the template's. The default isn't named: then it is the same image as for other tests.
func (s system) args() []string {
	if s.init == "" {
		return testimages.DebianArgs(s.release)
	}
	return testimages.DebianArgs(s.release, "--init", s.init)
}

// eachSystem makes a guest of each kind, boots it and waits until it is ready, has it looked at, reboots it from inside, has it
// looked at again, and stops it in its own way.
func eachSystem(t *testing.T, all []system, look func(t *testing.T, in *instance, s system)) {
	var images [][]string
	for _, s := range all {
		images = append(images, s.args())
	}
	testimages.Prepare(t, images...)
	for _, s := range all {
		t.Run(s.name(), func(t *testing.T) {
			in := newInstance(t)
			in.create("web", "debian", s.backend, s.args()...)
			begun := time.Now()
			in.start("web")
			in.ready("web")
			started := time.Since(begun)
			look(t, in, s)
			in.rebootInside("web")
			look(t, in, s)
			begun = time.Now()
			if err := in.Stop(context.Background(), "web", guest.StopOptions{Timeout: minute(), NoKill: true}); err != nil {
				t.Errorf("stop: %v", err)
			}
			t.Logf("ready in %.2f s, stopped in %.2f s", started.Seconds(), time.Since(begun).Seconds())
			in.poweredOff("web")
			// Asked before it can hear: it shuts down all the same.
			in.start("web")
			if err := in.Stop(context.Background(), "web", guest.StopOptions{Timeout: minute(), NoKill: true}); err != nil {
				t.Errorf("stop at once: %v", err)
			}
			in.poweredOff("web")
		})
	}
}

func (in *instance) poweredOff(name string) {
	in.t.Helper()
	if exit := in.info(name).Exit; exit == nil || exit.Reason != state.ReasonPoweroff {
		in.t.Errorf("after stop: %+v", exit)
	}
}

// rebootInside reboots a guest by its own command, and compares who it is.
func (in *instance) rebootInside(name string) {
	t := in.t
	t.Helper()
	file := filepath.Join(in.dirs.State, name, "state.json")
	identity, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before := in.info(name)
	// What the command says is of no interest: it may be killed by what it does.
	if _, _, err := in.exec(name, guest.ExecOptions{Args: []string{"reboot"}}); err != nil {
		t.Fatalf("reboot: %v", err)
	}
	eventually(t, "it has booted twice", func() error {
		if info := in.info(name); info.Boots == nil || *info.Boots != 2 || info.State != state.Running {
			return fmt.Errorf("%+v", info)
		}
		return nil
	})
	in.ready(name)
	after := in.info(name)
	if *after.IDBase != *before.IDBase || deref(after.MachineID) != deref(before.MachineID) || *after.MonitorPid != *before.MonitorPid {
		t.Errorf("after a reboot %+v, before %+v", after, before)
	}
	if now, err := os.ReadFile(file); err != nil || string(now) != string(identity) {
		t.Errorf("state.json after a reboot: %v\n%s\nbefore:\n%s", err, now, identity)
	}
	if out, _ := in.run(name, "cat", "/etc/machine-id"); out != deref(before.MachineID)+"\n" {
		t.Errorf("in the guest the machine id is %q, not %s", out, deref(before.MachineID))
	}
}

func TestDebianIsRunning(t *testing.T) {
	eachSystem(t, []system{
		{"bullseye", "", "overlay"},
		{"bookworm", "", "overlay"}, {"bookworm", "", "dir"},
		{"trixie", "", "overlay"}, {"trixie", "", "dir"},
		{"forky", "", "overlay"},
		{"sid", "", "overlay"},
	}, func(t *testing.T, in *instance, _ system) {
		eventually(t, "the system has started", func() error {
			if out, _ := in.run("web", "systemctl", "is-system-running"); out != "running\n" {
				return fmt.Errorf("%s", out)
			}
			return nil
		})
		if out, _ := in.run("web", "systemctl", "--failed", "--no-legend", "--plain"); out != "" {
			t.Errorf("failed units:\n%s", out)
		}
		if out, _ := in.run("web", "systemd-detect-virt"); out != "sysct\n" && out != "container-other\n" {
			t.Errorf("systemd-detect-virt says %q", out)
		}
		if out, _ := in.run("web", "cat", "/proc/self/uid_map"); !strings.Contains(out, fmt.Sprint(*in.info("web").IDBase)) {
			t.Errorf("uid_map: %q", out)
		}
	})
}

// services is how each init tells the states of its services: every line has to have the word.
func services() map[string]struct{ process, command, word string } {
	return map[string]struct{ process, command, word string }{
		// sysvinit keeps no states: what failed is on the console.
		"sysvinit": {"init", "true", ""},
		"openrc":   {"init", "for level in sysinit boot default; do rc-status $level; done | grep '\\['", " started "},
		"runit":    {"runit", "sv status /etc/service/*", "run: "},
		"s6":       {"s6-svscan", "for s in /run/service/*; do s6-svstat $s; done", "up "},
	}
}

func TestDebianInits(t *testing.T) {
	eachSystem(t, []system{
		{"trixie", "sysvinit", "overlay"},
		{"trixie", "openrc", "overlay"},
		{"sid", "openrc", "overlay"}, // with a PID 1 of its own
		{"trixie", "runit", "overlay"},
		{"trixie", "s6", "overlay"},
	}, func(t *testing.T, in *instance, s system) {
		way := services()[s.init]
		if out, _ := in.run("web", "cat", "/proc/1/comm"); !strings.Contains(out, way.process) {
			t.Errorf("process 1 is %q", out)
		}
		eventually(t, "all services are up", func() error {
			out, _ := in.run("web", "sh", "-c", way.command)
			for line := range strings.Lines(out) {
				if !strings.Contains(line, way.word) {
					return errors.New(line)
				}
			}
			return nil
		})
		eventually(t, "there is a login on each terminal", func() error {
			if out, _ := in.run("web", "sh", "-c", "pgrep -a agetty | grep -o 'console\\|pts/[0-9]' | sort | xargs"); out != "console pts/1 pts/2 pts/3 pts/4\n" {
				return fmt.Errorf("%q", out)
			}
			return nil
		})
		if bad := in.complaints("web"); bad != "" {
			t.Errorf("on the console:\n%s", bad)
		}
	})
}

// complaints are the lines of the console's log that tell of something that didn't work.
func (in *instance) complaints(name string) string {
	in.t.Helper()
	var log, bad strings.Builder
	if err := in.ConsoleLog(context.Background(), name, &log, 0); err != nil {
		in.t.Fatal(err)
	}
	for line := range strings.Lines(log.String()) {
		low := strings.ToLower(line)
		for _, word := range []string{"fail", "error", "denied", "cannot", "not found"} {
			// Debian's runit looks for a program that it doesn't depend on.
			if strings.Contains(low, word) && !strings.Contains(low, "wtmpdb") {
				bad.WriteString(line)
				break
			}
		}
	}
	return bad.String()
}

// oldSystemd is a template whose guests have a systemd of the days of control groups v1.
const oldSystemd = `version = 1
description = "test"
method = "busybox"
[busybox]
paths = ["/bin/busybox", "/usr/bin/busybox", "/usr/sbin/busybox", "/bin/busybox.static"]
package = "busybox-static"
[[tree.file]]
path = "/lib/systemd/systemd"
mode = 0o755
text = "ELF systemd 215 running in %ssystem mode."
[[tree.link]]
path = "/sbin/init"
target = "/lib/systemd/systemd"
`

func TestOldSystemdIsNamed(t *testing.T) {
	in := newInstance(t)
	ctx := context.Background()
	templates := t.TempDir()
	if err := os.WriteFile(filepath.Join(templates, "old.toml"), []byte(oldSystemd), 0o644); err != nil {
		t.Fatal(err)
	}
	dirs := in.dirs
	dirs.Cache = t.TempDir()
	m, err := guest.Open(guest.Options{Dirs: dirs, Helper: helper, Network: "none", TemplateDirs: []string{templates}})
	if err != nil {
		t.Fatal(err)
	}
	const why = "/sbin/init is systemd 215, which can't run on control groups v2 alone: a guest needs systemd 232 or later"
	err = m.Create(ctx, "old", guest.CreateOptions{Template: "old", Backend: "dir"})
	if err == nil || !strings.HasSuffix(err.Error(), why) {
		t.Errorf("create: %v", err)
	}
	if names, err := m.Names(); err != nil || len(names) != 0 {
		t.Errorf("guests after a create that failed: %q, %v", names, err)
	}
	// One that came there by another way is named when it is started.
	in.create("tiny", "busybox", "dir")
	rootfs := in.Rootfs("tiny")
	for _, err := range []error{
		os.MkdirAll(rootfs+"/lib/systemd", 0o755),
		os.WriteFile(rootfs+"/lib/systemd/systemd", []byte("systemd 215\x00"), 0o755),
		os.Remove(rootfs + "/sbin/init"),
		os.Symlink("/lib/systemd/systemd", rootfs+"/sbin/init"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var failed *guest.StartError
	err = in.Start(ctx, "tiny", guest.StartOptions{})
	if !errors.As(err, &failed) || failed.Step != "check init" || !strings.HasSuffix(err.Error(), why) {
		t.Errorf("start: %v", err)
	}
	// The configuration may have another init for it.
	in.configure("tiny", "[init]\ncmd = [\"/bin/busybox\", \"init\"]\n")
	in.start("tiny")
	in.ready("tiny")
}
