package guest_test

import (
	"fmt"
	"strings"
	"testing"
)

// seenByGuest prints what a guest sees of its memory and CPUs, each by another way.
const seenByGuest = `
echo meminfo $(awk '/^MemTotal/ {print $2}' /proc/meminfo)
echo free $(free | awk '/^Mem/ {print $2}')
echo cpuinfo $(grep -c ^processor /proc/cpuinfo)
echo nproc $(nproc)
echo stat $(grep -c '^cpu[0-9]' /proc/stat)
echo online $(cat /sys/devices/system/cpu/online)
echo cores $(cat /sys/devices/system/cpu/cpu*/topology/core_cpus_list) in $(cat /sys/devices/system/cpu/cpu*/topology/package_cpus)
echo sane $(free | awk '/^Mem/ {print ($3 + $4 <= $2 && $7 <= $2)}')
echo uptime $(awk '{print ($1 < 3600 && $2 <= $1 + 1)}' /proc/uptime)
echo load $(awk '{print NF, ($1 < 5)}' /proc/loadavg)
echo zeros $(cat /proc/meminfo /proc/stat /proc/uptime /proc/loadavg /proc/swaps /proc/cpuinfo | tr -cd '\000' | wc -c)
`

// TestViewsAgree with each other and with the limits, also after these were changed in
// the running guest.
func TestViewsAgree(t *testing.T) {
	in := newInstance(t)
	in.create("web", "busybox", "overlay")
	in.set("web", "limits.memory=256M", "limits.cpus=1", "limits.cpu_quota=50%")
	in.start("web")
	in.ready("web")
	in.sees("web", 256<<10)
	in.set("web", "limits.memory=128M")
	in.sees("web", 128<<10)
}

func (in *instance) sees(name string, kB int) {
	in.t.Helper()
	want := fmt.Sprintf("meminfo %d free %d cpuinfo 1 nproc 1 stat 1 online 0 cores 0 in 1 sane 1 uptime 1 load 5 1 zeros 0", kB, kB)
	out, status := in.run(name, "sh", "-c", seenByGuest)
	if got := strings.Join(strings.Fields(out), " "); status != 0 || got != want {
		in.t.Errorf("status %d, the guest sees %s\nwant %s", status, got, want)
	}
}
