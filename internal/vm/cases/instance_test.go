//go:build vm

package cases

import (
	"strings"
	"testing"
)

// own begins a command that is for an instance with directories of its own.
const own = "export SYSCT_STATE_DIR=/var/tmp/own/lib SYSCT_RUN_DIR=/var/tmp/own/run SYSCT_LOG_DIR=/var/tmp/own/log; "

// TestOwnInstance: an instance with a state directory of its own works under its holder; systemd knows nothing of its guests.
func TestOwnInstance(t *testing.T) {
	sh(t, own+"sysct create tiny -t busybox && sysct set tiny limits.memory=64M && sysct start tiny && sysct wait tiny ready -t 60")
	want(t, own+"sysct ls -1 --running", "tiny")
	sh(t, own+"sysct exec tiny -- true")
	if units := sh(t, "systemctl list-units --all --no-legend --plain 'sysct*@tiny*' 'sysct-tiny*'"); units != "" {
		t.Errorf("systemd has units of it: %s", units)
	}
	group := sh(t, own+"sed -n 's/^0:://p' /proc/$(sysct info --json tiny 2>/dev/null | sed -n 's/.*\"pid\": \\([0-9]*\\),/\\1/p')/cgroup")
	if !strings.HasPrefix(group, "/sysct-") {
		t.Errorf("its init is in %s", group)
	}
	want(t, "cat /sys/fs/cgroup"+strings.TrimSuffix(group, "/payload")+"/memory.max", "67108864")
	sh(t, own+"kill -9 $(sysct info --json tiny 2>/dev/null | sed -n 's/.*\"monitor_pid\": \\([0-9]*\\),/\\1/p')")
	soon(t, own+"sysct exec tiny -- true")
	sh(t, own+"sysct stop tiny && sysct destroy tiny")
	soon(t, own+"! test -e /var/tmp/own/run/holder.sock")
}

// TestOwnDebian: a guest with systemd, in an instance of its own, has its own controllers and is held still and ended as it should be.
func TestOwnDebian(t *testing.T) {
	sh(t, own+"sysct launch web -t debian -- -r bookworm --allow-expired")
	sh(t, own+"sysct wait web ready -t 300")
	soon(t, own+"sysct exec web -- systemctl is-system-running")
	for _, controller := range strings.Fields("cpu memory pids io") {
		if have := sh(t, own+"sysct exec web -- cat /sys/fs/cgroup/cgroup.controllers"); !strings.Contains(" "+have+" ", " "+controller+" ") {
			t.Errorf("the guest has not %s but %q", controller, have)
		}
	}
	sh(t, own+"sysct freeze web && sysct thaw web && sysct exec web -- true")
	sh(t, own+"sysct stop web -t 300")
	want(t, own+"sysct info web 2>/dev/null | grep -c 'Last exit:   poweroff'", "1")
}
