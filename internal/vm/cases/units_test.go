//go:build vm

package cases

import (
	"strings"
	"testing"
)

// tiny makes a busybox guest of the host's default instance.
func tiny(t *testing.T) {
	t.Helper()
	sh(t, "sysct create tiny -t busybox")
}

// mainPid is the pid of the guest's monitor.
func mainPid(t *testing.T, name string) string {
	t.Helper()
	return sh(t, "systemctl show -P MainPID sysct@"+name)
}

// TestUnits: a guest is a service and a scope, and both the verbs and systemctl rule them.
func TestUnits(t *testing.T) {
	tiny(t)
	sh(t, "sysct start tiny")
	want(t, "systemctl is-active sysct@tiny sysct-tiny.scope", "active\nactive")
	want(t, "systemctl show -P Slice sysct-tiny.scope", "machine.slice")
	want(t, "systemctl show -P Delegate sysct-tiny.scope", "yes")
	want(t, "systemctl show -P StatusText sysct@tiny | sed 's/[0-9]*$//'", "init is process ")
	group := sh(t, "sed -n 's/^0:://p' /proc/$(sysct info --json tiny 2>/dev/null | sed -n 's/.*\"pid\": \\([0-9]*\\),/\\1/p')/cgroup")
	if group != "/machine.slice/sysct-tiny.scope/guest/payload" {
		t.Errorf("its init is in %s", group)
	}
	soon(t, "test $(systemctl --no-pager -l status sysct@tiny | grep -c 'Started sysct@tiny.service - Guest tiny') = 1")
	soon(t, "test $(journalctl --no-pager -o cat -u sysct@tiny | grep -c '^ready: ') = 1")
	if out, status := try(t, "sysct start tiny"); status != 2 || !strings.Contains(out, "it is already running") {
		t.Errorf("a second start: %d, %s", status, out)
	}
	sh(t, "sysct restart tiny && sysct exec tiny -- true")
	sh(t, "systemctl restart sysct@tiny && sysct exec tiny -- true")
	sh(t, "systemctl stop sysct@tiny")
	want(t, "sysct ls -o name,state | tail -1 | tr -s ' '", "tiny STOPPED")
	soon(t, "! systemctl is-active sysct-tiny.scope")
	want(t, "ls -d /sys/fs/cgroup/machine.slice/sysct* 2>/dev/null; systemctl list-units --all --failed --no-legend", "")
	sh(t, "systemctl start sysct@tiny && sysct exec tiny -- true")
	sh(t, "sysct stop tiny")
	soon(t, "test $(systemctl is-active sysct@tiny) = inactive")
	sh(t, "sysct start tiny && { sysct exec tiny -- poweroff || test $? = 143; }")
	soon(t, "test $(systemctl is-active sysct@tiny) = inactive")
	sh(t, "sysct start tiny && sysct destroy -f tiny")
	soon(t, "! systemctl is-active sysct@tiny sysct-tiny.scope")
}

// TestStartThatFails: the verb says why, systemd doesn't try again, and the next start succeeds. doctor tells of units what is so.
func TestStartThatFails(t *testing.T) {
	tiny(t)
	sh(t, `sysct set tiny 'init.cmd=["/nothing"]'`)
	out, status := try(t, "sysct start tiny")
	if status != 1 || !strings.Contains(out, "exec init: execve /nothing: no such file or directory") {
		t.Errorf("start: %d, %s", status, out)
	}
	want(t, "systemctl is-failed sysct@tiny; systemctl show -P NRestarts sysct@tiny", "failed\n0")
	if _, status := try(t, "systemctl start sysct@tiny"); status == 0 {
		t.Error("systemctl start succeeds")
	}
	soon(t, "journalctl --no-pager -o cat -u sysct@tiny | grep 'cannot start: exec init: execve /nothing'")
	sh(t, "sysct unset tiny init.cmd && sysct start tiny && sysct exec tiny -- true")
	// A guest that ends as none should is a failed unit, too.
	sh(t, "sysct kill -s KILL tiny; sysct start tiny && kill -9 $(sysct info --json tiny 2>/dev/null | sed -n 's/.*\"pid\": \\([0-9]*\\),/\\1/p')")
	soon(t, "test $(systemctl is-failed sysct@tiny) = failed")
	want(t, "systemctl show -P NRestarts sysct@tiny", "0")

	sh(t, `sysct set tiny limits.memory=48M 'init.cmd=["/usr/bin/tail", "/dev/zero"]'`)
	out, status = try(t, "sysct start tiny")
	if status != 1 || !strings.Contains(out, "its init was killed for lack of memory before the guest was ready\nhint: sysct why tiny") {
		t.Errorf("start of an init that takes too much: %d, %s", status, out)
	}
	want(t, "sysct events -n 2 | cut -d' ' -f4-", "tiny  oom  1 process killed, 48M limit\ntiny  stop  oom")
	sh(t, "sysct why tiny | grep 'was killed for lack of memory'")
	sh(t, "sysct doctor tiny | grep 'its unit sysct@tiny.service has failed'")

	sh(t, `sysct unset tiny init.cmd && sysct set tiny 'init.ready_cmd=["false"]'`)
	out, status = try(t, "sysct start -T 3 tiny")
	if status != 6 || !strings.Contains(out, "it is not ready after 3s, and systemd goes on starting it\nhint: sysct wait tiny ready, or sysct stop tiny") {
		t.Errorf("start -T of a guest that is never ready: %d, %s", status, out)
	}
	soon(t, "test $(sysct ls -1 --running) = tiny")
	sh(t, "sysct stop tiny")
	want(t, "systemctl is-active sysct@tiny; systemctl is-system-running", "inactive\nrunning")

	sh(t, "sysct unset tiny init.ready_cmd && systemctl mask --quiet sysct@tiny")
	for _, verb := range []string{"start", "enable"} {
		out, status = try(t, "sysct "+verb+" tiny")
		if status != 2 || !strings.Contains(out, "its unit sysct@tiny.service is masked, so systemd won't start it\nhint: systemctl unmask sysct@tiny.service") {
			t.Errorf("%s of a masked unit: %d, %s", verb, status, out)
		}
	}
	sh(t, "sysct doctor tiny | grep 'its unit sysct@tiny.service is masked'")
	sh(t, "systemctl unmask --quiet sysct@tiny && sysct start tiny")
	want(t, "sysct doctor tiny | sed '1,/^guest tiny/d' | grep -v '^0 problems'", "  ok       guest: running")
}

// TestWithoutDBus: guests run on and are ruled while no bus is there.
func TestWithoutDBus(t *testing.T) {
	tiny(t)
	sh(t, "sysct start tiny")
	monitor := mainPid(t, "tiny")
	sh(t, "systemctl stop dbus.socket dbus.service")
	sh(t, "sysct exec tiny -- true && sysct freeze tiny && sysct thaw tiny && sysct ls && sysct stop tiny")
	out := sh(t, "sysct start tiny")
	if !strings.Contains(out, "D-Bus does not answer: systemd was asked directly") {
		t.Errorf("start says %q", out)
	}
	want(t, "systemctl is-active sysct@tiny", "active")
	if mainPid(t, "tiny") == monitor {
		t.Error("the monitor is the one before")
	}
	sh(t, "systemctl start dbus.socket && sysct restart tiny && systemctl restart dbus && sysct exec tiny -- true")
}
