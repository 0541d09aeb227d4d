//go:build vm

package cases

import (
	"strings"
	"testing"
)

// TestHost: the machine is the host that the other cases take it for.
func TestHost(t *testing.T) {
	want(t, "systemctl is-system-running", "running")
	want(t, "stat -f -c %T /sys/fs/cgroup", "cgroup2fs")
	controllers := strings.Fields(sh(t, "cat /sys/fs/cgroup/cgroup.controllers"))
	for _, name := range []string{"cpuset", "cpu", "io", "memory", "hugetlb", "pids"} {
		if !strings.Contains(" "+strings.Join(controllers, " ")+" ", " "+name+" ") {
			t.Errorf("no controller %s in %q", name, controllers)
		}
	}
	out, status := try(t, "sysct doctor")
	if status != 0 {
		t.Errorf("sysct doctor ends with status %d", status)
	}
	for _, line := range []string{"control groups: v2 on /sys/fs/cgroup (cpuset cpu io memory", "0 problems"} {
		if !strings.Contains(out, line) {
			t.Errorf("sysct doctor doesn't say %q", line)
		}
	}
}

// TestPowerCut: what was synced is there after a reset, and the guest of a lost boot is known to be stopped.
func TestPowerCut(t *testing.T) {
	if boot(t) == 0 {
		sh(t, own+"sysct launch tiny -t busybox && sysct wait tiny ready -t 60; sync")
		powerCut(t)
		return
	}
	want(t, own+"sysct ls -o name,state | tail -1 | tr -s ' '", "tiny STOPPED")
	sh(t, own+"sysct start tiny && sysct exec tiny -- true && sysct destroy -f tiny")
}
