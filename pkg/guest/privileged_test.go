package guest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/testimages"
	"github.com/sysct/sysct/pkg/doctor"
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// inMemory has the state directory be a file system of its own: its superblock is the guest's
// root's, as the host's disk is elsewhere, and may be spoilt. What it gives takes it off.
func (in *instance) inMemory() (end func()) {
	in.t.Helper()
	if err := unix.Mount("sysct-test", in.dirs.State, "tmpfs", 0, "mode=0755"); err != nil {
		in.t.Fatal(err)
	}
	return func() {
		for _, name := range strings.Fields(in.names()) {
			if in.t.Failed() {
				in.show(name)
			}
			if err := in.Destroy(context.Background(), name, guest.DestroyOptions{Force: true}); err != nil {
				in.t.Errorf("destroy %s: %v", name, err)
			}
		}
		eventually(in.t, "the state directory isn't in use", func() error { return unix.Unmount(in.dirs.State, 0) })
	}
}

// That the host is as it was is asked by every instance's end, and here after each part too.
// Nothing here would harm the host if it weren't held: what is written is what is there.
func TestPrivileged(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	if err := os.MkdirAll(in.dirs.State, 0o755); err != nil {
		t.Fatal(err)
	}
	defer in.inMemory()()
	var warned atomic.Bool
	again, err := guest.Open(guest.Options{Dirs: in.dirs, Helper: buildHelper(t, "failpoints"), Network: "none", Warn: func(s string) {
		if strings.HasPrefix(s, "privileged: ") {
			warned.Store(true)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	in.Manager = again
	in.create("tiny", "busybox", "dir")
	own := *in.info("tiny").IDBase
	const noGuest = "\x00" // mounts of guests' roots come and go
	before, nodes := hostState(t, noGuest), hostNodes(t)
	unchanged := func(when string) {
		t.Helper()
		if after := hostState(t, noGuest); after != before {
			t.Errorf("%s: the host was\n%s\nand is\n%s", when, before, after)
		}
		if after := hostNodes(t); after != nodes {
			t.Errorf("%s: the host's nodes were\n%s\nand are\n%s", when, nodes, after)
		}
	}
	in.configure("tiny", "privileged = true\n")
	once := filepath.Join(t.TempDir(), "once")
	if err := os.WriteFile(once, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SYSCT_FAILPOINT", "error:restrict devices")
	t.Setenv("SYSCT_FAILPOINT_ONCE", once)
	if err := in.Start(ctx, "tiny", guest.StartOptions{}); err == nil || !strings.Contains(err.Error(), "a privileged guest isn't started without") {
		t.Fatalf("without device rules: %v", err)
	}
	in.configure("tiny", "")
	in.start("tiny")
	in.ready("tiny")
	in.want("tiny", "echo own >/root/file; chown 1000:1000 /root/file", "")
	// What init itself may do: an exec has a filter of its own.
	in.want("tiny", `cd /etc/init.d && printf '#!/bin/sh\nmount -o remount,size=64m / 2>/dev/null || echo no >/root/remount\n' >S50try && chmod 755 S50try`, "")
	if err := in.Stop(ctx, "tiny", guest.StopOptions{Kill: true}); err != nil {
		t.Fatal(err)
	}
	unchanged("before")

	in.configure("tiny", "privileged = true\nnesting = true\n[limits]\nmemory = \"64M\"\n[[device]]\npath = \"/dev/kmsg\"\n")
	in.start("tiny")
	in.ready("tiny")
	if !warned.Load() {
		t.Error("a start warned of nothing")
	}
	info := in.info("tiny")
	if *info.IDBase != 0 || *info.IDSize != 1<<32-1 {
		t.Errorf("ids %d+%d", *info.IDBase, *info.IDSize)
	}
	if list, err := in.Processes(ctx, "tiny"); err != nil || len(list) == 0 || list[0].UID == nil || *list[0].UID != 0 {
		t.Errorf("processes: %+v %v", list, err)
	}
	in.heldByRules()
	in.heldByMounts()
	in.ownWorld()
	unchanged("while it runs")
	pid := *in.info("tiny").Pid
	in.killMonitor("tiny")
	if info := in.info("tiny"); info.State != state.Running || *info.Pid != pid || *info.IDBase != 0 || !*info.Ready {
		t.Errorf("adopted %+v", info)
	}
	in.heldByRules()
	in.heldByMounts()
	in.ownWorld()
	unchanged("with another monitor")

	in.rebootInside("tiny")
	in.want("tiny", "stat -c %u:%g /root/file", "1000:1000")
	in.run("tiny", "halt", "-f")
	if err := in.Wait(ctx, "tiny", guest.WaitOptions{States: []state.State{state.Stopped}, Timeout: minute()}); err != nil {
		t.Error(err)
	}
	unchanged("after a halt")

	in.configure("tiny", "")
	in.start("tiny")
	in.ready("tiny")
	if base := *in.info("tiny").IDBase; base != own {
		t.Errorf("its own ids begin at %d after it was privileged, and at %d before", base, own)
	}
	in.want("tiny", "cat /root/file; stat -c %u:%g /root/file /", "own\n1000:1000\n0:0")
	in.configure("tiny", "privileged = true\n[[net]]\ntype = \"host\"\n")
	if err := in.Restart(ctx, "tiny", guest.StopOptions{Kill: true}); !errors.Is(err, guest.ErrConfig) {
		t.Errorf("the host's network: %v", err)
	}
	in.configure("tiny", "privileged = true\n")
	list, err := in.Doctor(ctx, []string{"tiny"})
	if !slices.ContainsFunc(list, func(f doctor.Finding) bool { return f.Check == "privileged" && f.Severity == doctor.Warning }) {
		t.Errorf("doctor says nothing of it: %+v %v", list, err)
	}
}

// heldByRules: devices, calls and capabilities.
func (in *instance) heldByRules() {
	in.want("tiny", "awk '{print $1, $2, $3}' /proc/1/uid_map; id -u", "0 0 4294967295\n0")
	in.want("tiny", `mount -t tmpfs t /mnt && cd /mnt && mknod mem c 1 1 && mknod port c 1 4 && mknod console c 5 1 && mknod loop b 7 0 && mknod null c 1 3 &&
		for f in mem port console loop null; do (: <$f) 2>/dev/null && echo $f; done; cd / && umount /mnt`, "null")
	in.want("tiny", "mknod /root/zero c 1 5 && (: </root/zero) 2>/dev/null || echo no; rm /root/zero", "no")
	in.want("tiny", "mknod /dev/mem c 1 1 && (: </dev/mem) 2>/dev/null || echo no; rm /dev/mem", "no")
	in.want("tiny", ": </dev/fuse && echo fuse", "fuse")
	// What no other guest may have; opened only.
	in.want("tiny", ": >>/dev/kmsg && echo kmsg; (: </dev/console) && echo console", "kmsg\nconsole")
	in.want("tiny", "date -s \"$(date '+%F %T')\" 2>&1 | grep -o 'not permitted'; dmesg 2>&1 | grep -o 'not permitted'", "not permitted\nnot permitted")
	// SYS_MODULE and SYS_RAWIO, SYS_TIME, SYSLOG; SYS_ADMIN.
	in.want("tiny", "c=0x$(awk '/CapBnd/ {print $2}' /proc/self/status); echo $((c >> 16 & 3)) $((c >> 25 & 1)) $((c >> 34 & 1)) $((c >> 21 & 1))", "0 0 0 1")
}

// heldByMounts: what only its own mounts keep an ordinary system from.
func (in *instance) heldByMounts() {
	for _, file := range []string{"/proc/sys/fs/protected_hardlinks", "/proc/sys/kernel/domainname", "/proc/sys/kernel/sysrq", "/dev/.sysct/proc/sys/fs/protected_hardlinks",
		"/sys/kernel/mm/transparent_hugepage/enabled", "/dev/.sysct/sys/kernel/mm/transparent_hugepage/enabled", "/proc/irq/default_smp_affinity"} {
		// What is written is what is there.
		in.want("tiny", "f="+file+"; test -e $f || echo Read-only; (cat $f >/tmp/was; tr -d '[]' </tmp/was >$f) 2>&1 | grep -o 'Read-only'", "Read-only")
	}
	in.want("tiny", "(sysctl -w fs.protected_hardlinks=$(cat /proc/sys/fs/protected_hardlinks) || echo no) 2>/dev/null", "no")
	in.want("tiny", "f=/proc/sysrq-trigger; test -e $f && (echo h >$f) 2>/dev/null; head -c1 /proc/kallsyms", "")
	// The root is a part of the host's file system, and its other half is in use here.
	in.want("tiny", "cat /root/remount; (mount -o remount,size=64m / || echo no) 2>/dev/null", "no\nno")
	in.want("tiny", "(mount -o remount,ro /; umount /; umount -r /) >/dev/null 2>&1; touch /x && echo writable", "writable")
	if err := os.WriteFile(in.dirs.State+"/tiny/probe", nil, 0o600); err != nil {
		in.t.Errorf("the host's side: %v", err)
	}
	in.want("tiny", "mount -o remount,bind,ro /dev/shm && (touch /dev/shm/x) 2>/dev/null || echo no", "no")
}

// ownWorld: names, groups and figures are the guest's own.
func (in *instance) ownWorld() {
	in.want("tiny", "hostname own && hostname && cat /proc/sys/kernel/hostname", "own\nown")
	in.want("tiny", "awk '/MemTotal/ {print $2}' /proc/meminfo", "65536")
	in.want("tiny", "awk '$3 ~ /^cgroup/ {print $2, $3}' /proc/self/mounts | grep -v pressure; mkdir /sys/fs/cgroup/own && rmdir /sys/fs/cgroup/own && grep ^0 /proc/1/cgroup", "/sys/fs/cgroup cgroup2\n0::/")
	in.want("tiny", "stat -c '%t:%T' /dev/console | cut -d: -f1; stat -c '%u:%g %a' /dev/null", "88\n0:0 666")
}

// A whole Debian with its sysctl.d, its udev rules and its shutdown.
func TestPrivilegedDebian(t *testing.T) {
	ctx := context.Background()
	testimages.Prepare(t, testimages.DebianArgs("bookworm"))
	in := newInstance(t)
	in.create("web", "debian", "overlay", testimages.DebianArgs("bookworm")...)
	in.configure("web", "privileged = true\n")
	in.start("web")
	in.ready("web")
	in.want("web", "systemctl is-system-running --wait; systemctl --failed --no-legend", "running")
	// What the package brings, once it is sure that it gets nowhere.
	in.want("web", "f=/proc/sys/fs/protected_hardlinks; (cat $f >/tmp/was; cat /tmp/was >$f) 2>&1 | grep -q 'Read-only' && (/lib/systemd/systemd-sysctl 2>/dev/null; echo tried)", "tried")
	in.want("web", "systemd-run -q --pipe -p PrivateDevices=yes -p ProtectProc=invisible -p PrivateTmp=yes id -u", "0")
	if err := in.Stop(ctx, "web", guest.StopOptions{Timeout: minute(), NoKill: true}); err != nil {
		t.Error(err)
	}
	in.poweredOff("web")
}
